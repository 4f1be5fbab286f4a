"""Between two looks at the feed: what is owed ends the rest, and is told to the metrics."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta

import pytest

from console.daemon import debt_watch
from console.daemon.debt_watch import DebtWatch
from ingest.state.debts import Requests
from ingest.state.export_history import ExportHistory
from petstream import metrics
from petstream.errors import UnreachableError
from petstream.events import Counts, DebtEvent, ExportCounts, ExportEvent, Mode
from petstream.kafka.records import TopicPartition
from petstream.sequence import PER_SECOND
from petstream.settings import KafkaAccess

NOW = datetime(2026, 11, 23, 22, tzinfo=UTC)
BASE = int(datetime(2026, 11, 23, 8, tzinfo=UTC).timestamp())
LOSS = DebtEvent(
    export_id="2026-11-23T08:00:00Z", owes="snapshot", at=NOW, base=BASE,
    reason="the log lost records", partitions=("petstream.pets.v1/3",),
)  # fmt: skip


class PlayedLog:
    """Plays Kafka: what exports.v1 and requests.v1 say, and what was lost."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand in for the functions that ask Kafka."""
        self.history = ExportHistory()
        self.asked: dict[str, int] = {}
        self.lost: list[TopicPartition] = []
        self.is_away = False
        self.looks = 0
        for name in ("ensure_topics", "fold_exports", "fold_requests", "lost_since"):
            monkeypatch.setattr(debt_watch, name, getattr(self, name))

    async def ensure_topics(self, *_: object) -> None:
        """Make no topics; count the looks."""
        self.looks += 1
        if self.is_away:
            raise UnreachableError("Kafka is away")

    async def fold_exports(self, *_: object) -> ExportHistory:
        """Return what exports.v1 says."""
        return self.history

    async def fold_requests(self, *_: object) -> Requests:
        """Return what is asked for."""
        return Requests(self.asked)

    async def lost_since(self, *_: object) -> list[TopicPartition]:
        """Return where the log lost records."""
        return self.lost


def completed(base: int, at: datetime, mode: Mode = "daily", *, restating: bool) -> ExportEvent:
    return ExportEvent(
        export_id=f"{at:%Y-%m-%dT%H:%M:%SZ}", mode=mode, state="completed", at=at, base=base,
        counts=ExportCounts(Counts(), Counts()), restated=base * PER_SECOND if restating else 0,
    )  # fmt: skip


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> PlayedLog:
    return PlayedLog(monkeypatch)


@pytest.fixture
def watch() -> DebtWatch:
    return DebtWatch(KafkaAccess("127.0.0.1:1"), "petstream.", lambda: NOW)


def shown(series: str) -> float:
    line = re.search(rf"^{re.escape(series)} (\S+)$", metrics.exposition().decode(), re.MULTILINE)
    assert line is not None
    return float(line[1])


async def test_a_quiet_log_lets_it_rest_to_the_end(log: PlayedLog, watch: DebtWatch) -> None:
    await watch.rest(asyncio.Event(), 0.1, 0.02)
    assert log.looks >= 3
    assert not await watch.owes_more()


async def test_a_request_ends_the_rest_at_once(log: PlayedLog, watch: DebtWatch) -> None:
    log.asked["audit"] = BASE * PER_SECOND
    began = time.monotonic()
    await watch.rest(asyncio.Event(), 60, 0.01)
    assert time.monotonic() - began < 10


async def test_a_debt_ends_the_rest_once_and_again_when_it_is_owed_anew(
    log: PlayedLog, watch: DebtWatch
) -> None:
    log.history.fold(LOSS)
    assert await watch.owes_more()
    assert not await watch.owes_more(), "it can't be paid yet: no listing of the feed each minute"
    paid = completed(BASE + 1, NOW, "scrub", restating=True)
    log.history.fold(paid)
    assert not await watch.owes_more()
    log.history.fold(LOSS)
    log.history.debts = [LOSS]
    assert await watch.owes_more()


async def test_what_the_log_lost_ends_the_rest_before_anybody_says_so(
    log: PlayedLog, watch: DebtWatch
) -> None:
    log.lost = [TopicPartition("petstream.pets.v1", 3)]
    assert await watch.owes_more()


async def test_a_request_that_cant_be_ends_nothing(log: PlayedLog, watch: DebtWatch) -> None:
    log.asked["stranger"] = int((NOW + timedelta(days=32)).timestamp()) * PER_SECOND
    assert not await watch.owes_more()


async def test_a_kafka_that_is_away_is_left_to_the_next_look(
    log: PlayedLog, watch: DebtWatch
) -> None:
    log.is_away = True
    assert not await watch.owes_more()


async def test_stopping_ends_the_rest(log: PlayedLog, watch: DebtWatch) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, stopping.set)
    await asyncio.wait_for(watch.rest(stopping, 60, 60), 10)
    assert log.looks == 0


async def test_metrics_say_what_is_owed_and_what_was_restated(
    log: PlayedLog, watch: DebtWatch
) -> None:
    log.history.fold(LOSS)
    await watch.owes_more()
    assert shown('petstream_debts{owes="snapshot"}') == 1
    assert shown('petstream_debts{owes="whole"}') == 0
    assert shown("petstream_snapshots_last_day") == 0
    for number, hours in enumerate((30, 20, 2)):
        at = NOW - timedelta(hours=hours)
        log.history.fold(completed(BASE + 1 + number, at, "scrub", restating=True))
    log.history.fold(completed(BASE + 9, NOW, restating=False))
    await watch.owes_more()
    assert shown('petstream_debts{owes="snapshot"}') == 0
    assert shown("petstream_snapshots_last_day") == 2
    newest = (NOW - timedelta(hours=2)).timestamp()
    assert shown("petstream_snapshot_completed_timestamp_seconds") == newest
