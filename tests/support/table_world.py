"""Kafka and Postgres in memory, as far as the consumer tables asks them; killed when told to.

The consumer's own code runs on it: only what reads and sends is replaced.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from consumers.audit.folded_log import Log
from consumers.engine.queries import query
from consumers.tables import comparison, table_writer
from petstream import topics
from petstream.kafka.positions import end_behind
from petstream.kafka.reader import partition_of
from petstream.kafka.records import Bounds, ConsumerRecord, ProducerRecord, TopicPartition
from petstream.settings import KafkaAccess, TableFormat

PREFIX: Final = "t."
_PARTITIONS: Final = {
    topics.PETS.full_name(PREFIX): 3,
    topics.ORGS.full_name(PREFIX): 1,
    topics.EXPORTS.full_name(PREFIX): 1,
    topics.PET_TABLE.full_name(PREFIX): 4,
    topics.ORGANIZATION_TABLE.full_name(PREFIX): 1,
}
_READ: Final = tuple(
    topic.full_name(PREFIX) for topic in (topics.PETS, topics.ORGS, topics.EXPORTS)
)


class KilledError(Exception):
    """The process was killed here."""


class TableWorld:
    """Topics, the consumer's positions, and what Postgres lists still."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Begin with empty topics."""
        self.records: dict[TopicPartition, list[ConsumerRecord]] = {
            TopicPartition(topic, number): []
            for topic, partitions in _PARTITIONS.items()
            for number in range(partitions)
        }
        self.ends: dict[TopicPartition, int] = dict.fromkeys(self.records, 0)
        self.positions: dict[TopicPartition, tuple[int, str | None]] = {}
        self.listed_in_postgres: set[int] = set()
        self.asked = 0
        self.sent = 0
        self.dies_after: int | None = None
        self._clock = 0
        for module, name, stand_in in (
            (comparison, "bounds", self._bounds),
            (comparison, "read", self._read),
            (comparison, "last_completed", self._last_completed),
            (table_writer, "send_batch", self._send_batch),
            (table_writer, "send_all", self._send_all),
            (table_writer, "ensure_topics", self._ensure_topics),
        ):
            monkeypatch.setattr(module, name, stand_in)

    # ---- what a test does ----------------------------------------------------------------------

    def append(self, record: ProducerRecord) -> None:
        """Append a record, in the partition of its key."""
        assert record.key is not None
        place = TopicPartition(record.topic, partition_of(record.key, _PARTITIONS[record.topic]))
        self._clock += 1
        self.records[place].append(
            ConsumerRecord(
                place, self.ends[place], record.key, record.value, record.headers, self._clock
            )
        )
        self.ends[place] += 1

    def lose_tail(self, place: TopicPartition, count: int) -> None:
        """Lose the last records of a partition."""
        self.ends[place] = max(0, self.ends[place] - count)
        self.records[place] = [
            record for record in self.records[place] if record.offset < self.ends[place]
        ]

    def empty(self, topic: str) -> None:
        """Delete a topic, and make it anew."""
        for place in self.places(topic):
            self.records[place], self.ends[place] = [], 0

    def compact(self, topic: str, *, without_nulls: bool) -> None:
        """Keep the last record of each key; nulls go later."""
        for place in self.places(topic):
            last = {record.key: record for record in self.records[place]}
            self.records[place] = [
                record
                for record in self.records[place]
                if record is last[record.key] and not (without_nulls and record.value is None)
            ]

    def places(self, topic: str) -> list[TopicPartition]:
        """Return the partitions of a topic."""
        return [place for place in self.records if place.topic == topic]

    def table(self, topic: topics.Topic = topics.PET_TABLE) -> dict[int, bytes]:
        """Return what a sink holds that has read a table topic from its beginning."""
        rows: dict[int, bytes] = {}
        for place in self.places(topic.full_name(PREFIX)):
            for record in self.records[place]:
                assert record.key is not None
                if record.value is None:
                    rows.pop(int(record.key), None)
                else:
                    rows[int(record.key)] = record.value
        return rows

    def events(self) -> list[ConsumerRecord]:
        """Return the records of pets.v1."""
        return [
            record
            for place in self.places(topics.PETS.full_name(PREFIX))
            for record in self.records[place]
        ]

    async def connect(self, format_: TableFormat = "json") -> TableMember:
        """Begin a session of the consumer, as its runner does."""
        for place, (offset, ident) in list(self.positions.items()):
            before = self._at(place, offset - 1)
            if offset > self.ends[place] or (before and end_behind(before).record_id != ident):
                del self.positions[place]
        writer = table_writer.TableWriter(KafkaAccess("memory"), PREFIX, format_)
        await writer.compare(self.connection())
        return TableMember(self, writer)

    def connection(self) -> Any:
        """Return what stands for Postgres."""
        return _Connection(self)

    # ---- what stands in for Kafka --------------------------------------------------------------

    async def _bounds(self, _access: KafkaAccess, names: Sequence[str]) -> dict[Any, Bounds]:
        return {
            place: Bounds(records[0].offset if records else self.ends[place], self.ends[place])
            for place, records in self.records.items()
            if place.topic in names
        }

    async def _read(
        self,
        _access: KafkaAccess,
        ends: Mapping[TopicPartition, int],
        begins: Mapping[TopicPartition, int] | None = None,
    ) -> AsyncGenerator[list[ConsumerRecord], None]:
        for place, end in ends.items():
            first = (begins or {}).get(place, 0)
            records = [each for each in self.records[place] if first <= each.offset < end]
            for at in range(0, len(records), 5):
                yield records[at : at + 5]

    async def _last_completed(self, _access: KafkaAccess, prefix: str) -> Log:
        log = Log(prefix)
        log.take(self.records[TopicPartition(topics.EXPORTS.full_name(prefix), 0)])
        if log.snapshot is not None:
            log.is_snapshot_lost = any(
                self.ends[place] < end.offset
                or ((before := self._at(place, end.offset - 1)) is not None
                    and end_behind(before) != end)
                for place, end in log.snapshot.ends.items()
            )  # fmt: skip
        return log

    async def _send_batch(
        self, _access: KafkaAccess, records: Sequence[ProducerRecord]
    ) -> list[ProducerRecord]:
        assert len({(record.topic, record.key) for record in records}) == len(records)
        for record in records:
            if self.dies_after is not None:
                self.dies_after -= 1
                if self.dies_after < 0:
                    self.dies_after = None
                    raise KilledError
            self.append(record)
            self.sent += 1
        return []

    async def _send_all(self, _access: KafkaAccess, records: Sequence[ProducerRecord]) -> None:
        self.asked += len(records)

    async def _ensure_topics(self, *_arguments: Any, **_options: Any) -> None:
        pass

    def _at(self, place: TopicPartition, offset: int) -> ConsumerRecord | None:
        return next((each for each in self.records[place] if each.offset == offset), None)


class TableMember:
    """The consumer in a session; after a kill another one begins."""

    def __init__(self, world: TableWorld, writer: table_writer.TableWriter) -> None:
        """Go on from the positions."""
        self._world, self._writer = world, writer

    async def step(self, rng: random.Random, *, dies_before_commit: bool = False) -> bool:
        """Apply a batch as the runner does; False: there was nothing."""
        batch: dict[TopicPartition, list[ConsumerRecord]] = defaultdict(list)
        for place in self._world.records:
            if place.topic in _READ:
                start, _ = self._world.positions.get(place, (0, None))
                left = [each for each in self._world.records[place] if each.offset >= start]
                batch[place] = left[: rng.randint(1, 6)]
        records = [record for each in batch.values() for record in each]
        if not records:
            return False
        items = [item for record in records if (item := table_writer.read(record)) is not None]
        await self._writer.apply(self._world.connection(), items)
        if dies_before_commit:
            raise KilledError
        for place, each in batch.items():
            if each:
                end = end_behind(each[-1])
                self._world.positions[place] = end.offset, end.record_id
        await self._writer.settle(self._world.connection())
        return True

    async def drain(self, rng: random.Random) -> None:
        """Apply all there is."""
        while await self.step(rng):
            pass


class _Connection:
    def __init__(self, world: TableWorld) -> None:
        self._world = world

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield

    async def execute(self, *_arguments: Any) -> str:
        return ""

    async def fetch(self, text: str, *arguments: Any) -> list[dict[str, Any]]:
        if text == query("tables_lock"):
            return [
                {"topic": place.topic, "partition": place.partition, "next_offset": offset}
                for place, (offset, _) in self._world.positions.items()
            ]
        (keys,) = arguments
        return [{"key": key} for key in keys if key in self._world.listed_in_postgres]
