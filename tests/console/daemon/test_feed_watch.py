"""The watch of the feed: what it says, how often, and how long it waits."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from console.daemon import debt_watch, feed_watch
from console.inspect import summary
from ingest.export import Outcome
from ingest.run import Result
from ingest.source.ftp import RefusedError
from ingest.state.debts import Requests
from ingest.state.export_history import ExportHistory
from petstream import metrics
from petstream.errors import (
    BrokenFileError,
    LostRecordsError,
    NoRoomError,
    NotReadyError,
    UnreachableError,
    UsageError,
)
from petstream.events import Counts, ExportCounts, ExportEvent, FileRead
from petstream.kafka.records import TopicPartition
from petstream.settings import KafkaAccess, Settings

KAFKA = KafkaAccess("127.0.0.1:1")
OUTCOME = Outcome(
    "2026-11-02T08:23:43Z",
    "daily",
    ExportCounts(pets=Counts(read=47, added=15, removed=2), orgs=Counts(read=49)),
    (),
    ("something was found",),
)


class PlayedFeed:
    """Plays the ingester: a list of what each look comes to."""

    def __init__(self, looks: list[Result | Exception], stopping: asyncio.Event) -> None:
        """Play these looks, then stop."""
        self.looks, self.stopping, self.modes = looks, stopping, list[str]()
        self.memory = ExportHistory()

    async def nothing(self, *_: object) -> None:
        """Make no topics."""

    async def remember(self, *_: object) -> ExportHistory:
        """Return what exports.v1 says."""
        return self.memory

    async def requests(self, *_: object) -> Requests:
        """Return what is asked for."""
        return Requests({})

    async def lost(self, *_: object) -> list[TopicPartition]:
        """Return where the log lost records."""
        return []

    def publish(self, reason: str) -> None:
        """Publish that the export can't be read."""

    async def ingest(
        self,
        *_: object,
        wanted: str,
        publish_failure_if: Callable[[str], bool] = lambda _reason: False,
        **__: object,
    ) -> Result:
        """Play the next look."""
        self.modes.append(wanted)
        if not self.looks:
            self.stopping.set()
            await asyncio.sleep(60)
        look = self.looks.pop(0)
        if isinstance(look, NotReadyError) and publish_failure_if(str(look)):
            self.publish(str(look))
        if isinstance(look, Exception):
            raise look
        return look


async def watched(
    monkeypatch: pytest.MonkeyPatch,
    looks: list[Result | Exception],
    now: datetime | Callable[[], datetime],
    *past: ExportEvent,
    monotonic: Callable[[], float] = time.monotonic,
    feed_of: type[PlayedFeed] = PlayedFeed,
) -> tuple[list[str], list[str]]:
    stopping = asyncio.Event()
    feed = feed_of(looks, stopping)
    for event in past:
        feed.memory.fold(event)
    said: list[str] = []
    monkeypatch.setattr(feed_watch, "ingest", feed.ingest)
    monkeypatch.setattr(feed_watch, "ensure_topics", feed.nothing)
    monkeypatch.setattr(feed_watch, "fold_exports", feed.remember)
    monkeypatch.setattr(debt_watch, "ensure_topics", feed.nothing)
    monkeypatch.setattr(debt_watch, "fold_exports", feed.remember)
    monkeypatch.setattr(debt_watch, "fold_requests", feed.requests)
    monkeypatch.setattr(debt_watch, "lost_since", feed.lost)
    await feed_watch.watch(
        Settings(),
        KAFKA,
        stopping=stopping,
        say=said.append,
        progress=lambda _name, _total: None,
        wanted="scrub",
        intervals=feed_watch.PollIntervals(0, 0, 0, 0, 0),
        clock=now if callable(now) else lambda: now,
        monotonic=monotonic,
    )
    return said, feed.modes


async def test_the_watch_says_once_what_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Result | Exception] = [NotReadyError("nothing there")] * 3
    looks += [UnreachableError("FTP is away")] * 2 + [BrokenFileError("cut")]
    said, _ = await watched(monkeypatch, looks, datetime(2026, 11, 2, 10, tzinfo=UTC))
    assert said[:2] == ["nothing there", "FTP is away"]
    assert len(said) == 3
    assert said[2].startswith("cut; nothing was completed or removed, and it is read again every")


async def test_a_late_export_is_told_once_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    said, _ = await watched(
        monkeypatch, [NotReadyError("nothing there")] * 3, datetime(2026, 11, 2, 17, 1, tzinfo=UTC)
    )
    assert [line.partition(":")[0] for line in said] == ["nothing there", "today's export is late"]


@pytest.mark.parametrize(("hours", "warned"), [(30, False), (31, True)])
async def test_t4_no_export_for_30_hours_is_told_once_a_day(
    monkeypatch: pytest.MonkeyPatch, hours: int, *, warned: bool
) -> None:
    """T4: also by a process that never completed one itself."""
    start = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
    past = ExportEvent(
        export_id="2026-11-02T02:00:00Z", mode="daily", state="completed", at=start,
        counts=ExportCounts(Counts(), Counts()), base=int(start.timestamp()),
    )  # fmt: skip
    looks: list[Result | Exception] = [NotReadyError("nothing there")] * 3
    said, _ = await watched(monkeypatch, looks, start + timedelta(hours=hours), past)
    lines = [line for line in said if line.startswith("no export for 31 h: the newest completed")]
    assert len(lines) == warned
    alert = re.search(r"^petstream_export_started_timestamp_seconds (\S+)$",
                      metrics.exposition().decode(), re.MULTILINE)  # fmt: skip
    assert alert is not None
    assert float(alert[1]) == start.timestamp(), "what an alert compares with the clock"


async def test_t38_whatever_the_clock_does_a_day_is_warned_of_once_and_an_export_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """T38: the clock steps back two hours, over midnight, ahead two days, and back again."""
    late = datetime(2026, 11, 3, 4, 30, tzinfo=UTC)  # 23:30 in New York, on the 2nd
    steps = [
        late, late - timedelta(hours=2), late + timedelta(days=2), late,
        late + timedelta(hours=1), late, late + timedelta(days=2),
    ]  # fmt: skip
    looks: list[Result | Exception] = [NotReadyError("nothing there")] * len(steps)
    now = iter(steps)
    moment = late

    def clock() -> datetime:
        return moment

    class Stepping(PlayedFeed):
        async def ingest(self, *_: object, wanted: str, **__: object) -> Result:
            nonlocal moment
            moment = next(now, moment)
            return await super().ingest(wanted=wanted)

    said, _ = await watched(monkeypatch, looks, clock, feed_of=Stepping)
    warned = [line for line in said if line.startswith("today's export is late")]
    assert len(warned) == 2, "the 2nd and the 4th; on the 3rd it was never late"
    assert len(said) == 3


async def test_t38_a_step_of_the_clock_makes_nothing_last_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """T38: an export that isn't ready is given its half hour by a steady clock."""
    published: list[str] = []

    class Publishing(PlayedFeed):
        def publish(self, reason: str) -> None:
            published.append(reason)

    begun = datetime(2026, 11, 2, 9, tzinfo=UTC)
    days = iter(begun + timedelta(days=number) for number in range(1_000))
    looks: list[Result | Exception] = [NotReadyError("half an export")] * 4
    await watched(monkeypatch, [*looks], lambda: next(days), feed_of=Publishing)
    assert published == []
    passed = iter(range(0, 100_000, 700))
    await watched(monkeypatch, [*looks], begun, monotonic=lambda: next(passed), feed_of=Publishing)
    assert published == ["half an export"], "after 2,100 s, and once"


async def test_how_late_it_is_is_said_with_when_it_usually_lands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    past = [
        ExportEvent(
            export_id=f"2026-10-{day}T07:00:00Z", mode="daily", state="completed",
            at=datetime(2026, 10, day, 9, tzinfo=UTC), base=day,
            files=(FileRead("pets_1.json", 1, datetime(2026, 10, day, 6, day, tzinfo=UTC), 1),),
            counts=ExportCounts(Counts(), Counts()),
        )
        for day in (20, 21, 25)
    ]  # fmt: skip
    now = datetime(2026, 11, 2, 17, 1, tzinfo=UTC)
    said, _ = await watched(monkeypatch, [NotReadyError("nothing there")], now, *past)
    (line,) = (line for line in said if line.startswith("today's export is late"))
    assert line.endswith("usually land at 02:21 in New York (latest 02:25, of the last 3)")


async def test_a_completed_export_is_told_once_and_isnt_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    again = Result(OUTCOME.export_id, None, ())
    looks: list[Result | Exception] = [Result(OUTCOME.export_id, OUTCOME, ()), again, again]
    said, modes = await watched(monkeypatch, looks, datetime(2026, 11, 2, 20, tzinfo=UTC))
    assert said == list(summary.lines(Result(OUTCOME.export_id, OUTCOME, ())))
    assert modes == ["scrub", "auto", "auto", "auto"]


async def test_wrong_settings_end_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError):
        await watched(monkeypatch, [UsageError("wrong")], datetime(2026, 11, 2, 9, tzinfo=UTC))


async def test_f2_a_server_that_refuses_ends_no_watch_and_is_not_asked_all_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """F2: a login may be refused while the server's own directory is away."""
    waits: list[float] = []

    async def rest(_self: object, _: asyncio.Event, seconds: float, _every: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(debt_watch.DebtWatch, "rest", rest)
    monkeypatch.setattr(
        feed_watch.PollIntervals, "__new__", lambda cls, *_: tuple.__new__(cls, (1, 2, 600, 3, 4))
    )
    looks: list[Result | Exception] = [RefusedError("the login is refused")] * 3
    looks += [UnreachableError("FTP is away")]
    said, _ = await watched(monkeypatch, looks, datetime(2026, 11, 2, 10, tzinfo=UTC))
    assert said == ["the login is refused", "FTP is away"]
    assert waits == [600, 600, 600, 3]


async def test_neither_records_that_kafka_loses_nor_a_full_disk_end_the_watch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []

    async def rest(_self: object, _: asyncio.Event, seconds: float, _every: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(debt_watch.DebtWatch, "rest", rest)
    monkeypatch.setattr(
        feed_watch.PollIntervals, "__new__", lambda cls, *_: tuple.__new__(cls, (1, 2, 600, 3, 4))
    )
    lost = "the log lost records (p/3): every key is stated again by the next run"
    looks: list[Result | Exception] = [LostRecordsError(lost), NoRoomError("full")]
    looks += [NoRoomError("full")] * 9 + [Result(OUTCOME.export_id, OUTCOME, ())]
    said, _ = await watched(monkeypatch, looks, datetime(2026, 11, 2, 10, tzinfo=UTC))
    assert said == [lost, "full", *summary.lines(Result(OUTCOME.export_id, OUTCOME, ()))]
    assert waits == [3] * 11 + [2]
    shown = metrics.exposition().decode()
    assert 'petstream_feed_looks_total{outcome="lost_records"} 1.0' in shown
    assert 'petstream_feed_looks_total{outcome="no_room"} 10.0' in shown
