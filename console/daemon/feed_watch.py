"""`ingest --watch`: look for the day's export, read it, wait for the next day's.

Rule 1: the schedule decides: from the window's start on it looks often, after its end the export
        is late, which is said once a day, whatever the clock does.
Rule 2: once the day's export is completed it looks rarely, but looks: one may be republished.
Rule 3: what isn't ready, and a server that is away or refuses, is said once, and waited for: no FTP
        server can end it; what is wrong on our side does.
Rule 4: a feed without a new export for 30 hours is said so once a day, and nothing else is done.
Rule 5: how long it waits, and how long something lasts, no step of the clock changes.
Rule 6: while it rests, Kafka is asked each minute what is owed (`console.daemon.debt_watch`), also
        outside the window: whoever asks for a snapshot doesn't wait for a day.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from console.daemon.debt_watch import DebtWatch
from console.daemon.watch_presence import WatchPresence
from console.inspect import summary
from console.inspect.schedule import NEW_YORK, landing, schedule, today
from ingest import metrics
from ingest.run import Result, ingest
from ingest.source.ftp import RefusedError
from ingest.state.debts import MISSED_AFTER, Wanted
from ingest.state.export_history import start_of, started_at
from ingest.state.restore import fold_exports
from petstream.errors import BrokenFileError, NotReadyError, UnreachableError
from petstream.kafka.client import ensure_topics
from petstream.metrics import EXPORT_LATE, EXPORT_STARTED, ROWS_READ
from petstream.settings import KafkaAccess, Settings
from petstream.waiting import unless_stopped

LASTS_AFTER_S: Final = 1_800.0
"""How long an export may be unready in the same way before it's said to have failed."""

Say = Callable[[str], None]
ReportProgress = Callable[[str, int], None]


class PollIntervals(NamedTuple):
    """How long it waits between two looks."""

    often_s: float = 60.0
    rarely_s: float = 300.0
    broken_s: float = 600.0
    away_s: float = 15.0
    debts_s: float = 60.0


async def watch(  # noqa: PLR0913  what a daemon depends on, each by name
    settings: Settings,
    kafka: KafkaAccess,
    *,
    stopping: asyncio.Event,
    say: Say,
    progress: ReportProgress,
    wanted: Wanted = "auto",
    intervals: PollIntervals = PollIntervals(),  # noqa: B008  frozen
    presence: WatchPresence | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Read every export as it comes, until `stopping`."""
    watcher = _Watcher(settings, say, clock, monotonic)
    seen = presence or WatchPresence(clock)
    debts = DebtWatch(kafka, settings.topic_prefix, clock)
    while not stopping.is_set():
        seen.looking()
        rows = _RowCounter(progress, seen)
        try:
            look = ingest(
                settings, kafka, wanted=wanted, progress=rows.report, say=watcher.detail,
                publish_failure_if=watcher.lasts,
            )  # fmt: skip
            result = await unless_stopped(look, stopping)
        except (NotReadyError, UnreachableError) as error:
            wait_s = watcher.after_failure(error, intervals)
            seen.resting(str(error))
            if isinstance(error, NotReadyError):
                await unless_stopped(watcher.remember(settings, kafka), stopping)
        else:
            if result is None:
                return
            wanted = "auto"
            watcher.report(result)
            seen.resting()
            wait_s = intervals.rarely_s if watcher.resting() else intervals.often_s
        if watcher.is_late():
            await unless_stopped(watcher.warn_of_lateness(settings, kafka), stopping)
        watcher.warn_if_missed()
        await debts.rest(stopping, wait_s, intervals.debts_s)


class _Watcher:
    """What was said already, and which day's export was completed last."""

    def __init__(
        self, settings: Settings, say: Say, clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:  # fmt: skip
        self._schedule = schedule(settings.window)
        self._say, self._clock, self._monotonic = say, clock, monotonic
        self._said = ""
        self._looked = False
        self._newest: datetime | None = None
        self._warned: set[date] = set()
        self._warned_of_gap: set[date] = set()
        self._reported: str | None = None
        self._not_ready: tuple[str, float] | None = None

    def detail(self, line: str) -> None:
        """Keep what a look says to itself: it looks all day long."""

    def say_once(self, line: str) -> None:
        """Say a line, unless it is what was said last."""
        if line != self._said:
            self._say(line)
            self._said = line

    def report(self, result: Result) -> None:
        """Say what a look came to, if it came to something new."""
        metrics.count_run(result.outcome, len(result.held))
        started = min(start_of(result.export_id), self._clock())  # a server's may be ahead
        self._newest = started if self._newest is None else max(started, self._newest)
        if result.outcome is not None or self._reported is None:
            for line in summary.lines(result):
                self._say(line)
        self._reported = result.export_id
        self._said = ""

    def after_failure(
        self, error: NotReadyError | UnreachableError, intervals: PollIntervals
    ) -> float:
        """Say what went wrong, and return how long to wait."""
        metrics.count_failure(error)
        if isinstance(error, NotReadyError) and self._not_ready_for(str(error)) is None:
            self._not_ready = None  # another reason: the one before doesn't last any more
        if isinstance(error, BrokenFileError):
            self.say_once(
                f"{error}; nothing was completed or removed, and it is read again every "
                f"{intervals.broken_s / 60:g} min until the files are whole"
            )
            return intervals.broken_s
        self.say_once(str(error))
        if isinstance(error, RefusedError):
            return intervals.broken_s  # a login that is tried again all the time gets locked
        if isinstance(error, UnreachableError):
            return intervals.away_s
        return intervals.rarely_s if self.resting() else intervals.often_s

    def resting(self) -> bool:
        """Tell whether today's export is done, or isn't due yet."""
        return self._schedule.resting(self._clock(), self._newest)

    def is_late(self) -> bool:
        """Tell whether today's export should have been there, and nobody was warned yet."""
        now = self._clock()
        late = self._schedule.late(now, self._newest)
        EXPORT_LATE.set(late)
        if self._newest is not None:
            EXPORT_STARTED.set(self._newest.timestamp())
        return late and today(now) not in self._warned

    async def warn_of_lateness(self, settings: Settings, kafka: KafkaAccess) -> None:
        """Say that the export should have been there, and when it usually is."""
        now = self._clock()
        self._warned.add(today(now))
        try:
            lands = landing((await fold_exports(kafka, settings.topic_prefix)).completed.values())
        except UnreachableError:
            lands = None  # the next look says so
        usual = "" if lands is None else f"; {lands}"
        self._say(
            f"today's export is late: it is {now.astimezone(NEW_YORK):%H:%M} in New York, and "
            f"PETSTREAM_WINDOW ends at {self._schedule.last:%H:%M}; still looking{usual}"
        )

    def lasts(self, reason: str) -> bool:
        """Tell whether this has been so for so long that it's no export being written any more."""
        since = self._not_ready_for(reason)
        now = self._monotonic()
        if since is None:
            self._not_ready = (reason, now)
            return False
        return now - since >= LASTS_AFTER_S

    def _not_ready_for(self, reason: str) -> float | None:
        """Return since when the export isn't ready for a reason; None: it wasn't for this one."""
        if self._not_ready is None or self._not_ready[0] != reason:
            return None
        return self._not_ready[1]

    async def remember(self, settings: Settings, kafka: KafkaAccess) -> None:
        """Look once which export was completed last, before this process began."""
        if self._newest is not None or self._looked:
            return
        try:
            await ensure_topics(kafka, settings.topic_prefix)
            newest = (await fold_exports(kafka, settings.topic_prefix)).newest
        except UnreachableError:
            return  # the next look says so
        self._looked = True
        self._newest = None if newest is None else started_at(newest)

    def warn_if_missed(self) -> None:
        """Say once a day that no export came for so long that a day was missed."""
        now = self._clock()
        if self._newest is None or now - self._newest <= MISSED_AFTER:
            return
        if today(now) not in self._warned_of_gap:
            self._warned_of_gap.add(today(now))
            hours = (now - self._newest) // timedelta(hours=1)
            self._say(
                f"no export for {hours} h: the newest completed one started "
                f"{self._newest:%F %H:%M} UTC; nothing is removed for that, and the next one will "
                "be read whole"
            )


class _RowCounter:
    """Counts the rows of one look as they are read, and passes them on."""

    def __init__(self, progress: ReportProgress, presence: WatchPresence) -> None:
        self._progress, self._presence = progress, presence
        self._read: dict[str, int] = {}

    def report(self, file: str, rows: int) -> None:
        ROWS_READ.inc(max(0, rows - self._read.get(file, 0)))
        self._read[file] = rows
        self._presence.read(file, rows)
        self._progress(file, rows)
