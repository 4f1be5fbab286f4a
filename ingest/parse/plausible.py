"""What a time, a date or an epoch may be, for which field: the one place that decides. Pure.

Rule 1: what isn't plausible is unknown: the field is null, the raw value stays under `extra`, and
        it is counted as drift. It is never moved to something that would be plausible.
Rule 2: the bounds are the same whenever a row is read: they know no clock. Only what names or
        dates an export is compared with the clock, which its caller passes.
Rule 3: a number is an epoch only where the time it stands for is plausible for its field: of one
        number, seconds, milliseconds, microseconds and nanoseconds are never plausible together,
        and ``YYYYMMDD`` is a date.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

FIRST_DAY: Final = date(1901, 1, 1)
"""Nobody in the feed was born, found or killed before: ``0001-01-01``, ``1899-12-30`` and
``1900-01-01`` are what databases and spreadsheets make of nothing."""

LAST_DAY: Final = date(2099, 12, 31)
"""Postgres has no ``9999-12-31`` that its clients can show: they take it for infinity."""

FIRST_INSTANT: Final = datetime(1990, 1, 1, tzinfo=UTC)
"""No row and no picture was updated before: there was no feed, nor anything to feed it."""

FIRST_STAMP: Final = datetime(2005, 1, 1, tzinfo=UTC)
"""No export was started before."""

CLOCKS_DIFFER: Final = timedelta(minutes=10)
"""How far two clocks may be apart; what is later than now by more names and dates nothing."""

_AFTER_LAST: Final = datetime(LAST_DAY.year + 1, 1, 1, tzinfo=UTC)
_FIRST_S: Final = int(FIRST_INSTANT.timestamp())
_END_S: Final = int(_AFTER_LAST.timestamp())
_UNITS: Final = (1, 10**3, 10**6, 10**9)  # seconds, milli-, micro- and nanoseconds
_USUAL_DIGITS: Final = 10
_MOST_DIGITS: Final = 19
_FIRST_EPOCH_OF_DAY: Final = datetime.fromtimestamp(10**8, UTC)
"""What would be days before 1973 may as well be a date, a count or another unit."""

_DAY_DIGITS: Final = 8
_MINUTE_DIGITS: Final = 12
_SECOND_DIGITS: Final = 14


def is_plausible_day(day: date) -> bool:
    """Tell whether a pet may have been born, found or killed on a day."""
    return FIRST_DAY <= day <= LAST_DAY


def is_plausible_instant(time: datetime) -> bool:
    """Tell whether a row or a picture may have been updated at a time."""
    return FIRST_INSTANT <= time < _AFTER_LAST


def is_plausible_stamp(time: datetime, latest: datetime) -> bool:
    """Tell whether an export may have been started at a time.

    Args:
        time: what its files say.
        latest: when its files were written, or now: no export begins after that.
    """
    return FIRST_STAMP <= time <= latest


def is_plausible_file_time(time: datetime, now: datetime) -> bool:
    """Tell whether a server may be believed that a file was written at a time."""
    return FIRST_STAMP <= time <= now + CLOCKS_DIFFER


def usual_instant(text: str) -> datetime | None:
    """Return the time of ten digits, as the feed writes it; None: look closer."""
    if len(text) != _USUAL_DIGITS or not (text.isdigit() and text.isascii()):
        return None
    seconds = int(text)
    return datetime.fromtimestamp(seconds, UTC) if _FIRST_S <= seconds < _END_S else None


def instant_of(digits: str) -> datetime | None:
    """Return the time of an epoch in any unit; None: it is none that is plausible.

    >>> instant_of("1755230411"), instant_of("1755230411000") == instant_of("1755230411")
    (datetime.datetime(2025, 8, 15, 4, 0, 11, tzinfo=datetime.timezone.utc), True)
    >>> instant_of("20261120") is None
    True
    """
    return next(filter(is_plausible_instant, _epochs(digits)), None)


def day_of(digits: str) -> date | None:
    """Return the day of ``YYYYMMDD[HHMM[SS]]`` or of an epoch; None: it is none that is plausible.

    >>> day_of("20190704"), day_of("1562198400"), day_of("64000")
    (datetime.date(2019, 7, 4), datetime.date(2019, 7, 4), None)
    """
    written = compact_time(digits)
    if written is not None:
        return written.date()
    if len(digits) == _DAY_DIGITS:
        return None  # a date that there is not, and no epoch
    days = [time.date() for time in _epochs(digits) if time >= _FIRST_EPOCH_OF_DAY]
    return next(filter(is_plausible_day, days), None)


def compact_time(digits: str) -> datetime | None:
    """Return the zoneless time of ``YYYYMMDD``, with or without ``HHMM`` or ``HHMMSS`` behind it.

    >>> compact_time("20261120030001"), compact_time("20261120"), compact_time("1755230411")
    (datetime.datetime(2026, 11, 20, 3, 0, 1), datetime.datetime(2026, 11, 20, 0, 0), None)
    """
    if len(digits) not in {_DAY_DIGITS, _MINUTE_DIGITS, _SECOND_DIGITS}:
        return None
    try:
        time = datetime.strptime(digits.ljust(_SECOND_DIGITS, "0"), "%Y%m%d%H%M%S")  # noqa: DTZ007  zoneless
    except ValueError:
        return None
    return time if is_plausible_day(time.date()) else None


def _epochs(digits: str) -> list[datetime]:
    """Return the times that a number may stand for, in each unit."""
    if not (digits.isdigit() and digits.isascii() and len(digits) <= _MOST_DIGITS):
        return []
    seconds = [int(digits) // unit for unit in _UNITS]
    return [datetime.fromtimestamp(each, UTC) for each in seconds if each < _END_S]
