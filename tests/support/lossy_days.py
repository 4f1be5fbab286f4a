"""A simulated feed, day by day, on a Kafka that loses records: is the log what the feed says?"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from days_of_a_feed import Days
from lossy_kafka import LossyKafka
from members import Feed

from console.inspect.database_reader import Unavailable, fetch_rows
from consumers.app import consume
from consumers.registry import NAMES
from ingest.changes.event import ORGS, PETS, Kind
from ingest.parse import normalise
from ingest.run import Result, ingest
from ingest.state.restore import fold_exports
from lab.expectations import QUERIES, judge
from lab.simulator import History, Row, expected, serve_ftp, write_export
from petstream import codec, failpoints
from petstream.codec import decode
from petstream.events import ExportEvent
from petstream.kafka.reader import bounds, read_topic
from petstream.kafka.records import TopicPartition
from petstream.model import Organization, Pet
from petstream.settings import FtpUrl
from petstream.topics import EXPORTS, Topic

USER, PASSWORD = "apikey-Ab3dEf9h", "canary-password"
HISTORY: Final = "history"
"""What differences of the history begin with."""


class LossyFeed(Feed):
    """A history that is published day by day to a Kafka that loses what it is told to."""

    def __init__(
        self, made: History, home: Path, ftp: FtpUrl, kafka: LossyKafka, **places: str
    ) -> None:
        """Know where everything is; nothing is published yet."""
        super().__init__(made, home, ftp=ftp, kafka=kafka.access.bootstrap, **places)
        self.lossy = kafka
        self.unseen: set[int] = set()
        """Days that were lost before anybody read them: who left since is unknown."""
        self.topics = Days(home, self.settings, kafka.access.bootstrap)

    def beside(self, prefix: str) -> LossyFeed:
        """Return the same feed with topics of its own."""
        ftp, url = self.settings.ftp, self.database_url
        assert ftp is not None
        made = LossyFeed(self.history, self.home, ftp, self.lossy, database_url=url, prefix=prefix)
        made.settings = replace(made.settings, data_dir=self.settings.data_dir / prefix)
        return made

    def on(self, database_url: str) -> LossyFeed:
        """Return the same feed and topics, with other tables."""
        ftp, prefix = self.settings.ftp, self.settings.topic_prefix
        assert ftp is not None
        return LossyFeed(
            self.history, self.home, ftp, self.lossy, database_url=database_url, prefix=prefix
        )

    def put_out(self, day: int, *faults: str) -> None:
        """Lay a day's export on the server, with faults."""
        write_export(self.home, self.history, day, part_rows=100, faults=faults)
        self.days = day + 1

    async def look(self, **options: Any) -> Result:
        """Ingest what lies on the server."""
        return await ingest(self.settings, self.kafka, **options)

    async def ends_of(self, *kinds: Topic) -> dict[TopicPartition, int]:
        """Return where topics end now."""
        names = [topic.full_name(self.settings.topic_prefix) for topic in kinds]
        return {place: end for place, (_, end) in (await bounds(self.kafka, names)).items()}

    async def lose_since(self, ends: dict[TopicPartition, int], *, torn: bool = False) -> None:
        """Lose all that came behind these ends."""
        assert await asyncio.to_thread(self.lossy.cut_back, ends, torn=torn), "nothing was lost"

    async def completed(self) -> list[ExportEvent]:
        """Return what completed exports said, in order."""
        records = await read_topic(self.kafka, EXPORTS.full_name(self.settings.topic_prefix))
        events = [decode(record.headers, record.value).event for record in records]
        return [
            event
            for event in events
            if isinstance(event, ExportEvent) and event.state == "completed"
        ]

    async def snapshots(self) -> set[int]:
        """Return the snapshots that completed exports name."""
        return {
            event.snapshot for event in await self.completed() if isinstance(event.snapshot, int)
        }

    async def assert_whole(self) -> None:
        """The log is as the feed says, nothing is owed, and looking again finds nothing to do."""
        assert await self.log_differences() == {}
        history = await fold_exports(self.kafka, self.settings.topic_prefix)
        assert history.debts == []
        assert (await self.look()).outcome is None

    async def restated(self) -> Counter[int]:
        """Return how many events of each key only state it again."""
        times = Counter[int]()
        for kind in (PETS, ORGS):
            name = kind.topic.full_name(self.settings.topic_prefix)
            times.update(
                int(record.key or b"")
                for record in await read_topic(self.kafka, name)
                if codec.RESTATED in dict(record.headers)
            )
        return times

    async def log_differences(self) -> dict[str, set[int]]:
        """Return where the folded log isn't what the feed of the last day says, by kind."""
        wanted = expected(self.history, self.days - 1)
        differences = {}
        for kind, rows in ((PETS, wanted.pets), (ORGS, wanted.orgs)):
            ledger = await self.topics.ledger(kind.topic)
            held = {}
            for key in ledger.listed():
                entry = ledger.get(key)
                assert entry is not None
                held[key] = entry.event()[kind.record]
            should = {key: _normalised(kind, row) for key, row in rows.items()}
            differences[kind.plural] = {
                key for key in held.keys() | should if held.get(key) != should.get(key)
            }
        return {name: keys for name, keys in differences.items() if keys}

    async def drain(self) -> None:
        """Let all consumers apply all there is."""
        await consume(
            NAMES, self.settings, kafka=self.kafka, database_url=self.database_url, drain=True,
            stopping=asyncio.Event(),
        )  # fmt: skip

    @asynccontextmanager
    async def consuming(self) -> AsyncIterator[None]:
        """Let all consumers run meanwhile, as a daemon's do."""
        stopping = asyncio.Event()
        running = asyncio.create_task(consume(
            NAMES, self.settings, kafka=self.kafka, database_url=self.database_url,
            stopping=stopping,
        ))  # fmt: skip
        try:
            yield
        finally:
            stopping.set()
            await running

    async def table_differences(self) -> tuple[str, ...]:
        """Let all consumers apply all; return where the tables aren't as the feed says.

        Their history isn't restored by a snapshot: it is not looked at.
        """
        await self.drain()
        rows = await fetch_rows(self.database_url, QUERIES)
        assert not isinstance(rows, Unavailable)
        wanted = expected(self.history, self.days - 1)
        known = {
            key: day
            for key, day in wanted.removed.items()
            if wanted.pet_history[key][0][0] not in self.unseen
        }
        differences = judge(replace(wanted, removed=known), rows).differences
        return tuple(each for each in differences if not each.startswith(HISTORY))


def run_apart(work: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Run something to its end in a loop of its own, while ours stands still."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(work())).result()


def at_place(
    monkeypatch: pytest.MonkeyPatch, name: str, do: Callable[[], object], *, nth: int = 1
) -> None:
    """Do something once, when a place of `failpoints` is passed the n-th time."""
    passed = 0

    def point(passing: str) -> None:
        nonlocal passed
        passed += passing == name
        if passing == name and passed == nth:
            do()

    monkeypatch.setattr(failpoints, "point", point)


def _normalised(kind: Kind, row: Row) -> Any:
    record: Pet | Organization | normalise.Rejection
    record = normalise.normalise_pet(row) if kind is PETS else normalise.normalise_organization(row)
    assert not isinstance(record, normalise.Rejection)
    return msgspec.json.decode(codec.encode(record))


@asynccontextmanager
async def lossy_feed(
    made: History, home: Path, kafka: LossyKafka, prefix: str, database_url: str = ""
) -> AsyncIterator[LossyFeed]:
    """Serve a history over FTP, with topics of its own on a lossy Kafka."""
    home.mkdir()
    with serve_ftp(home, user=USER, password=PASSWORD) as server:
        ftp = FtpUrl(USER, PASSWORD, "127.0.0.1", server.port, "", tls=False)
        yield LossyFeed(made, home, ftp, kafka, database_url=database_url, prefix=prefix)
