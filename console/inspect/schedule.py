"""The schedule: which day of New York an export belongs to; when it is due, late, usual. Pure.

Rule 1: the day counts in New York, whatever zone this machine is in, and moments are compared as
        moments: a night of 23 or 25 hours neither skips a day nor warns twice.
Rule 2: an export begun in the evening is the next day's: it is made overnight. Evening is from
        18:00 on, and never before PETSTREAM_WINDOW ends.
Rule 3: the window begins at the earlier and ends at the later of two moments, where the clock
        shows its time twice; where the clock skips it, likewise.
Rule 4: when exports usually land is learned from the times of their files: of the newest file of
        each of the last exports.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from statistics import median
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from petstream.events import ExportEvent

NEW_YORK: Final = ZoneInfo("America/New_York")
_EVENING: Final = time(18)
_LEARNED_FROM: Final = 30
_FEWEST: Final = 3
_MINUTES: Final = 24 * 60


class Landing(NamedTuple):
    """At what time in New York exports are there to be read, and of how many that was learned."""

    usual: time
    latest: time
    exports: int

    def __str__(self) -> str:
        """Return it in words.

        >>> str(Landing(time(2, 41), time(3, 20), 30))
        'exports usually land at 02:41 in New York (latest 03:20, of the last 30)'
        """
        return usually(f"{self.usual:%H:%M}", f"{self.latest:%H:%M}", self.exports)


class Schedule(NamedTuple):
    """When an export is looked for: PETSTREAM_WINDOW."""

    first: time = time(4)
    last: time = time(12)

    def day_of(self, began: datetime) -> date:
        """Return the day that an export begun at this moment is that of (rule 2)."""
        in_new_york = began.astimezone(NEW_YORK)
        evening = max(_EVENING, self.last)
        return in_new_york.date() + timedelta(days=in_new_york.time() > evening)

    def done(self, now: datetime, newest: datetime | None) -> bool:
        """Tell whether today's export is completed; `newest` is when the newest one was begun."""
        return newest is not None and self.day_of(newest) >= today(now)

    def resting(self, now: datetime, newest: datetime | None) -> bool:
        """Tell whether today's export is done, or isn't due yet."""
        return self.done(now, newest) or now < min(_moments(today(now), self.first))

    def late(self, now: datetime, newest: datetime | None) -> bool:
        """Tell whether today's export should have been there."""
        return not self.done(now, newest) and now > max(_moments(today(now), self.last))


def usually(usual: str, latest: str, exports: int) -> str:
    """Return in words when exports land."""
    return f"exports usually land at {usual} in New York (latest {latest}, of the last {exports})"


def schedule(window: tuple[str, str]) -> Schedule:
    """Return the schedule of a window as the settings hold it."""
    return Schedule(*map(time.fromisoformat, window))


def today(now: datetime) -> date:
    """Return New York's date."""
    return now.astimezone(NEW_YORK).date()


def landing(completed: Iterable[ExportEvent]) -> Landing | None:
    """Return when exports usually land; None as long as too few are known (rule 4)."""
    landed = [
        max(file.modified_at for file in event.files)
        for event in sorted(completed, key=lambda event: event.base)
        if event.files and event.export_id.endswith("Z")  # no republication
    ]
    minutes = [_minute(moment) for moment in landed[-_LEARNED_FROM:]]
    if len(minutes) < _FEWEST:
        return None
    return Landing(_time(median(minutes)), _time(max(minutes)), len(minutes))


def _minute(moment: datetime) -> int:
    """Return the minute of the day, counted from midnight; in the evening before it is negative."""
    in_new_york = moment.astimezone(NEW_YORK)
    minute = in_new_york.hour * 60 + in_new_york.minute
    return minute - _MINUTES if in_new_york.time() >= _EVENING else minute


def _time(minute: float) -> time:
    hours, minutes = divmod(int(minute) % _MINUTES, 60)
    return time(hours, minutes)


def _moments(day: date, at: time) -> tuple[datetime, datetime]:
    """Return both moments at which the clock shows this (rule 3); mostly they are the same."""
    in_new_york = datetime.combine(day, at, NEW_YORK)
    return in_new_york.astimezone(UTC), in_new_york.replace(fold=1).astimezone(UTC)
