"""A time or a date as the feed may write it, to one that is plausible (`ingest.parse.plausible`).

Rule 1: read are epochs of any unit, ``YYYYMMDD[HHMM[SS]]``, ISO 8601, ``M/D/YYYY``, RFC 2822, the
        words of `asctime` and month names, each with AM or PM and with a zone by offset or name.
Rule 2: a time without a zone is Eastern; a date has none.
Rule 3: what could be two things (``03/04/26``, a day of a week alone) is none: it isn't guessed.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from ingest.parse import plausible

EASTERN: Final = ZoneInfo("America/New_York")
"""Where the feed's zoneless times are."""

LONGEST: Final = 64
"""Characters of what may be a time."""

_NOTHING: Final = re.compile(
    r"|0{1,19}(\.0+)?|(0{4}[-/]00[-/]00|00/00/0{4})([T ]00:00(:00)?(\.0+)?Z?)?", re.ASCII
)
_USUAL_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_DIGITS: Final = re.compile(r"([0-9]{4,19})(?:\.[0-9]{1,9})?", re.ASCII)
_COMPACT: Final = re.compile(r"([0-9]{8})T([0-9]{6}|[0-9]{4})(?![0-9])(.*)", re.ASCII)
_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_MONTH: Final = (
    r"(?P<word>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_TIME: Final = (
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,][0-9]{1,9})?)?"
    r"(?:\s*(?P<half>[ap])\.?m(?![a-z])\.?)?"
)
_ZONE: Final = r"(?P<zone>[a-z][a-z_/]{0,30}|(?:utc|gmt)?\s*[+-][0-9]{1,2}(?::?[0-9]{2})?)"
_BEHIND: Final = (
    rf"(?:(?:\s*[t,]\s*|\s+(?:at\s+)?){_TIME}(?:\s*{_ZONE})?(?:\s*\([a-z ]{{1,30}}\))?)?"
)
_WEEKDAY: Final = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?,?\s+)?"
_FORMS: Final = tuple(
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        rf"(?P<year>[0-9]{{4}})(?P<sep>[-/.])(?P<month>[0-9]{{1,2}})(?P=sep)(?P<day>[0-9]{{1,2}}){_BEHIND}",
        rf"{_WEEKDAY}(?P<month>[0-9]{{1,2}})/(?P<day>[0-9]{{1,2}})/(?P<year>[0-9]{{4}}){_BEHIND}",
        rf"{_WEEKDAY}(?P<day>[0-9]{{1,2}})[- ]\s*{_MONTH}[-, ]\s*(?P<year>[0-9]{{4}}){_BEHIND}",
        rf"{_WEEKDAY}{_MONTH}\s+(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>[0-9]{{4}}){_BEHIND}",
        rf"{_WEEKDAY}{_MONTH}\s+(?P<day>[0-9]{{1,2}})\s+{_TIME}\s+(?:{_ZONE}\s+)?(?P<year>[0-9]{{4}})",
    )
)
_CENTRAL, _MOUNTAIN, _PACIFIC = map(
    ZoneInfo, ("America/Chicago", "America/Denver", "America/Los_Angeles")
)
_ZONES: Final[dict[str, tzinfo]] = {
    "z": UTC, "utc": UTC, "gmt": UTC, "ut": UTC, "zulu": UTC,
    "et": EASTERN, "eastern": EASTERN, "us/eastern": EASTERN, "america/new_york": EASTERN,
    "ct": _CENTRAL, "central": _CENTRAL, "us/central": _CENTRAL, "america/chicago": _CENTRAL,
    "mt": _MOUNTAIN, "mountain": _MOUNTAIN, "us/mountain": _MOUNTAIN, "america/denver": _MOUNTAIN,
    "pt": _PACIFIC, "pacific": _PACIFIC, "us/pacific": _PACIFIC, "america/los_angeles": _PACIFIC,
    **{
        name: timezone(timedelta(hours=hours))
        for name, hours in {
            "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
            "akst": -9, "akdt": -8, "hst": -10,
        }.items()
    },
}  # fmt: skip
_OFFSET: Final = re.compile(r"(?:utc|gmt)?\s*([+-])([0-9]{1,2})(?::?([0-9]{2}))?")
_HOURS_OF_A_HALF: Final = 12


def instant(text: str) -> datetime | None:
    """Return a point in time, in UTC; None where the text says that there is none.

    Raises:
        ValueError: it is no time, or none that is plausible.
    """
    usual = plausible.usual_instant(text)
    if usual is not None:
        return usual  # on every row's way
    text = text.strip()
    if _NOTHING.fullmatch(text):
        return None
    time = _time(text)
    if not plausible.is_plausible_instant(time):
        raise ValueError("not a plausible time")
    return time


def stamp(text: str, latest: datetime) -> datetime | None:
    """Return when an export was started; None: the text doesn't say, or isn't to be believed."""
    try:
        time = _time(text.strip())
    except ValueError:
        return None
    return time if plausible.is_plausible_stamp(time, latest) else None


def day(text: str) -> date | None:
    """Return a date without a zone; None where the text says that there is none.

    Raises:
        ValueError: it is no date, or none that is plausible.
    """
    text = text.strip()
    if _NOTHING.fullmatch(text):
        return None
    written: date | None
    if _USUAL_DAY.fullmatch(text):
        written = date.fromisoformat(text)
    else:
        digits = _DIGITS.fullmatch(text)
        written = plausible.day_of(digits[1]) if digits else _written(text).date()
    if written is None or not plausible.is_plausible_day(written):
        raise ValueError("not a plausible date")
    return written


def _time(text: str) -> datetime:
    """Return the time of a number or of words, in UTC."""
    digits = _DIGITS.fullmatch(text)
    if digits is None:
        return _in_utc(_written(text))
    time = plausible.instant_of(digits[1])
    if time is not None:
        return time
    zoneless = plausible.compact_time(digits[1])
    if zoneless is None:
        raise ValueError("a number that is no time")
    return _in_utc(zoneless)


def _written(text: str) -> datetime:
    """Return what words say, in the zone they name, if they do."""
    if len(text) > LONGEST:
        raise ValueError("too long to be a time")
    text = _COMPACT.sub(_with_signs, text)
    match = None
    for form in _FORMS:
        match = form.fullmatch(text)
        if match is not None:
            break
    if match is None:
        raise ValueError("not a time")
    parts = match.groupdict()
    month = parts.get("month") or _MONTHS.index(parts["word"][:3].lower()) + 1
    hour, minute, second = [int(parts[name] or 0) for name in ("hour", "minute", "second")]
    if parts["half"]:
        if not 1 <= hour <= _HOURS_OF_A_HALF:
            raise ValueError("no hour of half a day")
        hour = hour % _HOURS_OF_A_HALF + _HOURS_OF_A_HALF * (parts["half"] in "pP")
    zone = None if parts["zone"] is None else _zone(parts["zone"].lower())
    return datetime(
        int(parts["year"]), int(month), int(parts["day"]), hour, minute, second, tzinfo=zone
    )


def _with_signs(match: re.Match[str]) -> str:
    """Return a compact ISO time with its signs."""
    day_, clock, rest = match[1], match[2], match[3]
    clock = ":".join(clock[at : at + 2] for at in range(0, len(clock), 2))
    return f"{day_[:4]}-{day_[4:6]}-{day_[6:]}T{clock}{rest}"


def _zone(name: str) -> tzinfo:
    offset = _OFFSET.fullmatch(name)
    if offset is not None:
        behind = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        return timezone(-behind if offset[1] == "-" else behind)
    if name not in _ZONES:
        raise ValueError("a zone that isn't known")
    return _ZONES[name]


def _in_utc(time: datetime) -> datetime:
    try:
        return (time if time.tzinfo else time.replace(tzinfo=EASTERN)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("not a time") from error
