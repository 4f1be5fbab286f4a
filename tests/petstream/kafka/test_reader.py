"""Topics read up to where they ended: a partition without Kafka, that may change meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, NamedTuple

import pytest

from petstream.kafka import client, reader
from petstream.kafka.kept import kept_connected
from petstream.kafka.reader import LogRewrittenError, read, record_at
from petstream.kafka.records import TopicPartition
from petstream.settings import KafkaAccess

ACCESS, HERE = KafkaAccess("nowhere:1"), TopicPartition("t", 0)


class Message(NamedTuple):
    """A record as the client gives it."""

    offset: int
    key: bytes = b"1"
    value: bytes = b"{}"
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int = 1


class Partition:
    """A client of one partition; `meanwhile` happens before each poll."""

    _client: Any
    _subscription: Any

    def __init__(self, *offsets: int) -> None:
        """Hold records at these offsets."""
        self.offsets = list(offsets)
        self.at = 0
        self.meanwhile: Callable[[], None] = lambda: None
        self.is_assigned = self.is_informed = False
        self._client = self._subscription = self

    def set_topics(self, _topics: Any) -> None:
        """Know the topics."""
        self.is_informed = False

    async def force_metadata_update(self) -> None:
        """Learn what partitions they have now."""
        self.is_informed = True

    def partitions_for_topic(self, _topic: str) -> set[int]:
        """Return the only one."""
        assert self.is_informed, "it may have changed since the client was connected"
        return {HERE.partition}

    async def beginning_offsets(self, partitions: Any) -> dict[Any, int]:
        """Return where it begins."""
        return dict.fromkeys(partitions, self.offsets[0])

    async def end_offsets(self, partitions: Any) -> dict[Any, int]:
        """Return where it ends."""
        return dict.fromkeys(partitions, self.offsets[-1] + 1)

    def assign(self, _partitions: Any) -> None:
        """Read this one."""
        self.is_assigned = True

    def unsubscribe(self) -> None:
        """Read nothing any more."""
        self.is_assigned = False

    def seek(self, _partition: Any, offset: int) -> None:
        """Go there."""
        self.at = offset

    async def position(self, _partition: Any) -> int:
        """Return where we are."""
        return self.at

    async def getmany(self, *partitions: Any, timeout_ms: int, max_records: int) -> dict[Any, Any]:
        """Return the next records, at most two at a time."""
        assert timeout_ms
        self.meanwhile()
        there = [offset for offset in self.offsets if offset >= self.at][: min(2, max_records)]
        if not there:
            return {}
        self.at = there[-1] + 1
        return {partitions[0]: [Message(offset) for offset in there]}


@pytest.fixture
def partition(monkeypatch: pytest.MonkeyPatch) -> Partition:
    held = Partition(2, 3, 5, 6)

    @asynccontextmanager
    async def consumer(_access: KafkaAccess) -> AsyncIterator[Partition]:
        yield held

    monkeypatch.setattr(reader, "_consumer", consumer)
    return held


async def offsets(end: int, begin: int = 0) -> list[int]:
    """Return the offsets that are read up to an end."""
    async with aclosing(read(ACCESS, {HERE: end}, {HERE: begin})) as batches:
        return [record.offset async for records in batches for record in records]


async def test_a_reading_ends_where_the_log_ended_when_it_began(partition: Partition) -> None:
    partition.meanwhile = lambda: partition.offsets.append(partition.offsets[-1] + 1)
    assert await offsets(end=7) == [2, 3, 5, 6]
    assert await offsets(end=6, begin=3) == [3, 5]
    assert await offsets(end=6) == [2, 3, 5], "though 6 comes with the same poll"


async def test_a_reading_that_is_put_back_fails(partition: Partition) -> None:
    """The topic was made anew: what was read before is of another one."""
    polls = iter((None, lambda: partition.seek(HERE, 0)))

    def meanwhile() -> None:
        if (put_back := next(polls, None)) is not None:
            put_back()

    partition.meanwhile = meanwhile
    with pytest.raises(LogRewrittenError):
        await offsets(end=7)


async def test_a_record_that_was_compacted_away_is_none_whatever_lies_behind_it(
    partition: Partition,
) -> None:
    assert partition.offsets == [2, 3, 5, 6]
    there = await record_at(ACCESS, HERE, 3)
    assert there is not None
    assert there.offset == 3
    for gone in (0, 4, 7, 100):
        assert await record_at(ACCESS, HERE, gone) is None


async def test_a_reading_without_an_offset_begins_at_the_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kafka has many words for it; at the end, all that is there would be passed over."""
    options = await asked_for(monkeypatch, lambda: reader.bounds(ACCESS, []))
    assert options["auto_offset_reset"] == "earliest"
    assert options["enable_auto_commit"] is False


async def test_a_client_that_is_kept_fetches_nothing_of_what_was_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = Partition(2, 3, 5, 6)

    async def nothing(_client: Any) -> None:
        pass

    monkeypatch.setattr(reader, "AIOKafkaConsumer", lambda **_options: held)
    monkeypatch.setattr(client, "start", nothing)
    monkeypatch.setattr(client, "stop", nothing)
    async with kept_connected(ACCESS):
        for _ in range(2):
            assert await offsets(end=7) == [2, 3, 5, 6]
            assert not held.is_assigned
            held.at = 0


def test_a_record_counts_when_every_broker_in_sync_has_it() -> None:
    """One that only the leader has is lost with it, though it was acknowledged."""
    assert client.producer_options(ACCESS)["acks"] == "all"


async def asked_for(monkeypatch: pytest.MonkeyPatch, work: Callable[[], Any]) -> dict[str, Any]:
    """Return the options that a client is made with."""
    asked: dict[str, Any] = {}

    def made(**options: Any) -> Partition:
        asked.update(options)
        return Partition(0)

    async def nothing(_client: Any) -> None:
        pass

    monkeypatch.setattr(reader, "AIOKafkaConsumer", made)
    monkeypatch.setattr(client, "start", nothing)
    monkeypatch.setattr(client, "stop", nothing)
    await work()
    return asked
