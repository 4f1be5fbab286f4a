"""One value of the feed to one typed value; `ValueError` where it doesn't fit.

Rule 1: strings, numbers and booleans are accepted alike; the caller has dealt with ``""`` and null.
Rule 2: nothing is computed from a number before its size is known (``int(Decimal("1e9999999"))``
        would take minutes).
Rule 3: a picture is its media id and time; a URL or a file name says nothing about sameness. Its
        inner objects (original, large, small) win over the older flat URLs.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from petstream.model import Picture, Rendition

EASTERN: Final = ZoneInfo("America/New_York")
"""Where the feed's zoneless times are."""

_ID = re.compile(r"\s*([0-9]{1,18})\s*", re.ASCII)
_SIZE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?", re.ASCII)
_DAY = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})", re.ASCII)
_AMERICAN = re.compile(
    r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})"
    r"(?:[ ,]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?\s*([AaPp][Mm])?)?",
    re.ASCII,
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_MILLISECONDS_FROM = 100_000_000_000  # as seconds this is the year 5138
_LONGEST_NUMBER = 64
_NOTHING = {"", "0", "0000-00-00", "0000-00-00 00:00:00"}
_LONGEST_ID = 18
_EPOCH_DIGITS = range(6, 15)
_LAST = 1 << 60
_LARGEST_ORDER = (1 << 31) - 1


class MisfitError(ValueError):
    """A value of the feed doesn't fit its field's type."""


def clean(value: str) -> str:
    """Return a string that every store takes: no NUL, no lone surrogate."""
    if "\0" in value:
        value = value.replace("\0", "")
    if value.isascii():
        return value
    try:
        value.encode()  # faster than to search: it's all that surrogates can't do
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", value)
    return value


def text(value: Any) -> str | None:
    """Return free text as sent; a number as its digits, a boolean as the feed would write it."""
    if isinstance(value, str):
        return clean(value) or None
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return _digits(value)


_FLAGS: Final = {
    "yes": True, "no": False, "1": True, "0": False, "true": True, "false": False, "": None,
}  # fmt: skip


def flag(value: Any) -> bool | None:
    """Return Yes or No as a boolean, whatever its case; ``1``, ``0`` and booleans too."""
    if value == "Yes":
        return True
    if value == "No":
        return False
    folded = _digits(value).strip().lower()
    if folded not in _FLAGS:
        raise MisfitError("neither Yes nor No")
    return _FLAGS[folded]


def identifier(value: Any) -> int:
    """Return an id of 1 to 18 ASCII digits."""
    if isinstance(value, str) and value.isdigit() and value.isascii() and len(value) <= _LONGEST_ID:
        return int(value)
    match = _ID.fullmatch(_digits(value))
    if match is None:
        raise MisfitError("not an id of 1 to 18 digits")
    return int(match[1])


def size(value: Any) -> float | None:
    """Return a size (the unit is a field of its own); the feed's 0 means unset."""
    digits = _digits(value).strip()
    if not _SIZE.fullmatch(digits):
        raise MisfitError("not a size")
    return float(digits) or None


def instant(value: Any) -> datetime | None:
    """Return a point in time: epoch seconds (or milliseconds), ISO, or M/D/YYYY in Eastern time."""
    digits = _digits(value).strip()
    if len(digits) in _EPOCH_DIGITS and digits.isdigit() and digits.isascii():
        return _from_epoch(int(digits))
    if digits in _NOTHING:
        return None
    american = _AMERICAN.fullmatch(digits)
    if american is not None:
        return _american(american)
    if not _DAY.match(digits):
        raise MisfitError("not a time")
    time = datetime.fromisoformat(digits)
    return _utc(time if time.tzinfo else time.replace(tzinfo=EASTERN))


def day(value: Any) -> date | None:
    """Return a date without a zone: YYYY-MM-DD, M/D/YYYY, ISO with a time, or epoch seconds."""
    digits = _digits(value).strip()
    if digits in _NOTHING:
        return None
    iso = _DAY.match(digits)
    if iso is not None:
        return date(int(iso[1]), int(iso[2]), int(iso[3]))
    american = _AMERICAN.fullmatch(digits)
    if american is not None:
        return date(int(american[3]), int(american[1]), int(american[2]))
    time = instant(digits)
    return time and time.date()


def sequence(value: Any) -> tuple[Any, ...]:
    """Return a list as sent, with what every store takes in it."""
    return tuple(plain(element) for element in elements(value))


def elements(value: Any) -> list[Any]:
    """Return the elements of a list, also where PHP made an object with indexes of it."""
    if isinstance(value, dict):
        return [value[key] for key in sorted(value, key=_index)]
    if isinstance(value, list):
        return value
    raise MisfitError("not a list")


def plain(value: Any) -> Any:
    """Return a JSON value of any shape with strings cleaned and numbers of a sensible size."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        return _number(value)
    if isinstance(value, dict):
        return {clean(key): plain(value[key]) for key in value}
    if isinstance(value, list | tuple):
        return [plain(element) for element in value]
    return value


def pictures(value: Any) -> tuple[Picture, ...]:
    """Return the pictures of a row by position: of a list, or of an object keyed by index."""
    by_media: dict[object, tuple[int, int, int, dict[str, Any]]] = {}
    for place, element in enumerate(elements(value)):
        if not isinstance(element, dict):
            raise MisfitError("a picture isn't an object")
        media = _whole_number(element.get("mediaID"))
        order = _whole_number(element.get("mediaOrder"))
        ranked = (_LAST if order is None else order, _LAST if media is None else media)
        by_media.setdefault(
            ("without id", place) if media is None else media, (*ranked, place, element)
        )
    ranks = sorted(by_media.values())  # never compares elements: no two have one place
    orders = {order for order, _media, _place, _element in ranks}
    ordered = len(orders) == len(ranks) and all(order <= _LARGEST_ORDER for order in orders)
    return tuple(
        _picture(element, order if ordered else rank)
        for rank, (order, _media, _place, element) in enumerate(ranks, start=1)
    )


def _index(key: str) -> tuple[int, str]:
    return (int(key), "") if key.isdecimal() and len(key) < _LONGEST_NUMBER else (1 << 62, key)


def _digits(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float | Decimal):
        digits = str(value)
        if len(digits) <= _LONGEST_NUMBER:
            return digits
    raise MisfitError("not a single value")


def _number(value: int | Decimal) -> int | float | str:
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    digits = str(value)
    if isinstance(value, Decimal) and len(digits) <= 17 and abs(value.adjusted()) < 300:  # noqa: PLR2004  what a float holds
        return float(value)
    return digits[:1_000]


def _from_epoch(seconds: int) -> datetime:
    """Return the time of an epoch of 6 to 14 digits: none is too large."""
    if seconds >= _MILLISECONDS_FROM:
        seconds //= 1_000
    return datetime.fromtimestamp(seconds, UTC)


def _utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise MisfitError("not a time") from error


def _american(match: re.Match[str]) -> datetime:
    month, day_, year = int(match[1]), int(match[2]), int(match[3])
    hour, minute, second = (int(match[group] or 0) for group in (4, 5, 6))
    if match[7]:
        hour = hour % 12 + (12 if match[7].lower() == "pm" else 0)
    return _utc(datetime(year, month, day_, hour, minute, second, tzinfo=EASTERN))


def _picture(element: dict[str, Any], position: int) -> Picture:
    return Picture(
        _whole_number(element.get("mediaID")),
        position,
        _time(element.get("lastUpdated")),
        _rendition(element, "original", ("originalUrl",)),
        _rendition(element, "large", ("largeUrl", "fullsizeUrl")),
        _rendition(element, "small", ("smallUrl", "thumbnailUrl")),
    )


def _rendition(element: dict[str, Any], name: str, flat_names: tuple[str, ...]) -> Rendition | None:
    inner = element.get(name)
    if not isinstance(inner, dict):
        inner = {}
    url = inner.get("url")
    if not (isinstance(url, str) and url):
        flat_urls = (element.get(flat) for flat in flat_names)
        url = next((flat for flat in flat_urls if isinstance(flat, str) and flat), None)
        if url is None:
            return None
    return Rendition(
        clean(url),
        _pixels(inner.get("resolutionX")),
        _pixels(inner.get("resolutionY")),
        _whole_number(inner.get("fileSize")),
    )


def _pixels(value: Any) -> int | None:
    number = _whole_number(value)
    return number if number is not None and number <= _LARGEST_ORDER else None


def _whole_number(value: Any) -> int | None:
    """Read a number inside a picture; what is none is unknown there, not a reason to refuse."""
    try:
        return identifier(value)
    except ValueError:
        return None


def _time(value: Any) -> datetime | None:
    try:
        return instant(value)
    except ValueError:
        return None
