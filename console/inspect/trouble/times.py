"""Moments and durations in words, the same on pages and in a terminal. Pure.

Rule 1: how long ago comes first; exact on demand: UTC, and New York's clock, by which the feed
        lives.
Rule 2: a moment that is a little ahead is "just now": clocks differ by seconds. One that is more
        than that ahead is said to be.
Rule 3: two units at the most, rounded down, and never a minus.
Rule 4: what is known to the second only has no tenths: two events of one second lie "under 1 s"
        apart.
Rule 5: a list of events in a terminal, as of `tail`, stands by the clock, in UTC (`to_minute`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

_NEW_YORK: Final = ZoneInfo("America/New_York")
_JUST_NOW_S: Final = 10
_MINUTE_S: Final = 60
_HOUR_S: Final = 60 * _MINUTE_S
_DAY_S: Final = 24 * _HOUR_S
_MONTH_S: Final = 30.44 * _DAY_S
_YEAR_S: Final = 365.25 * _DAY_S
_TENTHS_BELOW_S: Final = 10


def ago(moment: datetime | str, now: datetime) -> str:
    """Return how long ago a moment was, or how far ahead it is.

    >>> now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    >>> ago("2026-11-23T09:59:00Z", now), ago(now, now), ago("2026-11-23T12:45:00Z", now)
    ('2 h ago', 'just now', 'in 45 min')
    >>> [ago(day, now) for day in ("2026-11-01T09:59Z", "2026-08-10T09:59Z", "2024-11-01T09:59Z")]
    ['22 d ago', '3 months ago', '2 years ago']
    """
    seconds = (now - parsed(moment)).total_seconds()
    if abs(seconds) < _JUST_NOW_S:
        return "just now"
    words = _coarse(abs(seconds))
    return f"{words} ago" if seconds > 0 else f"in {words}"


def exact(moment: datetime | str) -> str:
    """Return a moment to the second, by both clocks.

    >>> exact("2026-11-23T08:12:04Z")
    '2026-11-23 08:12:04 UTC (03:12 in New York)'
    """
    time = parsed(moment)
    here, there = time.astimezone(UTC), time.astimezone(_NEW_YORK)
    day = "" if here.date() == there.date() else f"{there:%Y-%m-%d} "
    return f"{here:%Y-%m-%d %H:%M:%S} UTC ({day}{there:%H:%M} in New York)"


def to_minute(moment: datetime | str) -> str:
    """Return a moment by the clock, to the minute.

    >>> to_minute("2026-11-23T08:12:04Z")
    '2026-11-23 08:12 UTC'
    """
    return f"{parsed(moment).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def both(moment: datetime | str, now: datetime) -> str:
    """Return a moment for a terminal, which has no more on demand.

    >>> both("2026-11-23T08:12:04Z", datetime(2026, 11, 23, 12, tzinfo=UTC))
    '3 h ago (2026-11-23 08:12 UTC)'
    """
    return f"{ago(moment, now)} ({to_minute(moment)})"


def since(moment: datetime | str, now: datetime) -> str:
    """Return a moment since which something is so.

    >>> since("2026-11-23T08:12:04Z", datetime(2026, 11, 23, 12, tzinfo=UTC))
    '2026-11-23 08:12 UTC (3 h ago)'
    """
    return f"{to_minute(moment)} ({ago(moment, now)})"


def lasting(seconds: float, *, tenths: bool = True) -> str:
    """Return a duration; without `tenths`, one that is known to the second only.

    >>> [lasting(seconds) for seconds in (0.04, 3.26, 42, 185, 7_260, 100_000)]
    ['under 0.1 s', '3.2 s', '42 s', '3 min 5 s', '2 h 1 min', '1 d 3 h']
    >>> lasting(0, tenths=False), lasting(3, tenths=False)
    ('under 1 s', '3 s')
    """
    seconds = max(0.0, seconds)
    if not tenths and seconds < 1:
        return "under 1 s"
    if tenths and seconds < _TENTHS_BELOW_S:
        down = int(seconds * 10) / 10
        return f"{down:.1f} s" if down else "under 0.1 s"
    for unit_s, unit, smaller_s, smaller in (
        (_DAY_S, "d", _HOUR_S, "h"),
        (_HOUR_S, "h", _MINUTE_S, "min"),
        (_MINUTE_S, "min", 1, "s"),
    ):
        if seconds >= unit_s:
            whole, rest = divmod(int(seconds), unit_s)
            more = f" {rest // smaller_s} {smaller}" if rest // smaller_s else ""
            return f"{whole} {unit}{more}"
    return f"{int(seconds)} s"


def parsed(moment: datetime | str) -> datetime:
    """Return a moment that may still be text, in ISO 8601."""
    return datetime.fromisoformat(moment) if isinstance(moment, str) else moment


def _coarse(seconds: float) -> str:
    for unit_s, unit in ((_YEAR_S, "years"), (_MONTH_S, "months")):
        if seconds >= 2 * unit_s:  # so that it is always several
            return f"{int(seconds // unit_s)} {unit}"
    for unit_s, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= unit_s:
            whole = int(seconds) // unit_s
            if unit == "d" and whole == 1:  # 30 h is a limit of the feed's: "1 d" would hide it
                return f"{int(seconds) // _HOUR_S} h"
            return f"{whole} {unit}"
    return f"{int(seconds)} s"
