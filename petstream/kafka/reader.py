"""Topics read without a group: to their end, between offsets, by key, by time, or as they grow.

Rule 1: no group is joined and nothing is committed: reading never disturbs a consumer.
Rule 2: a reading ends where the log ended when it began.
Rule 3: a reading that makes no progress fails: a poll never does when Kafka is away.
Rule 4: a reading that is put back to an earlier offset fails: that isn't the topic any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as ClientPartition
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from petstream.codec import Headers
from petstream.kafka import client
from petstream.kafka.kept import lent
from petstream.kafka.records import Bounds, ConsumerRecord, TopicPartition
from petstream.settings import KafkaAccess

_DEADLINE_S: Final = 30.0  # a command that waits for Kafka has a minute in all
_POLL_MS: Final = 1_000
_MAX_RECORDS: Final = 5_000  # of one poll
_READ: Final = "its topics were read"


class LogRewrittenError(KafkaError):  # type: ignore[misc]  # aiokafka ships no types
    """A topic was made anew, or lost its tail, while it was read: read it again."""


class RecordAt(NamedTuple):
    """Where a partition begins and ends, and the record of an offset, if it is there."""

    bounds: Bounds
    record: ConsumerRecord | None


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key, as Kafka's default partitioner chooses it (murmur2).

    >>> partition_of(b"22611034", 6)
    3
    """
    return int(DefaultPartitioner()(key, range(partitions), ()))


async def read_to_end(
    access: KafkaAccess, topics: Sequence[str], *, key: bytes | None = None
) -> AsyncGenerator[list[ConsumerRecord], None]:
    """Read topics from their beginnings to where they end now, or only the partitions of a key.

    Each batch is of one partition, in the order of its log.

    Raises:
        UnreachableError: Kafka went away.
    """
    async with client.unreachable(access, _READ), _consumer(access) as consumer:
        partitions = await _partitions(consumer, topics, key)
        between = await bounds_of(consumer, partitions)
        async with aclosing(_between(consumer, between)) as batches:
            async for records in batches:
                yield records


async def read_topic(
    access: KafkaAccess, topic: str, *, key: bytes | None = None
) -> list[ConsumerRecord]:
    """Return a topic's records, or those of one key (only its partition is read)."""
    async with aclosing(read_to_end(access, [topic], key=key)) as batches:
        return [
            record
            async for records in batches
            for record in records
            if key is None or record.key == key
        ]


async def read(
    access: KafkaAccess,
    ends: Mapping[TopicPartition, int],
    begins: Mapping[TopicPartition, int] | None = None,
    *,
    at_once: int = _MAX_RECORDS,
) -> AsyncGenerator[list[ConsumerRecord], None]:
    """Read partitions from their beginnings (or `begins`) up to `ends`; raises as aiokafka does.

    Each batch is of one partition, in the order of its log, and of `at_once` records at most.
    """
    async with _consumer(access) as consumer:
        first = await _beginnings(consumer, ends)
        between = {
            partition: Bounds(max(first[partition], (begins or {}).get(partition, 0)), end)
            for partition, end in ends.items()
        }
        async with aclosing(_between(consumer, between, at_once)) as batches:
            async for records in batches:
                yield records


class LogReading(NamedTuple):
    """Topics that are about to be read: where each partition begins and ends now."""

    bounds: Mapping[TopicPartition, Bounds]
    consumer: AIOKafkaConsumer

    def batches(
        self, begins: Mapping[TopicPartition, int]
    ) -> AsyncGenerator[list[ConsumerRecord], None]:
        """Read from their beginnings (or `begins`) to these ends; raises as aiokafka does.

        Each batch is of one partition, in the order of its log.
        """
        between = {
            partition: Bounds(max(begin, begins.get(partition, 0)), end)
            for partition, (begin, end) in self.bounds.items()
        }
        return _between(self.consumer, between)


@asynccontextmanager
async def reading(access: KafkaAccess, topics: Sequence[str]) -> AsyncIterator[LogReading]:
    """Hold a client that reads topics to their ends; raises as aiokafka does."""
    async with _consumer(access) as consumer:
        partitions = await _partitions(consumer, topics, None)
        yield LogReading(await bounds_of(consumer, partitions), consumer)


async def follow(
    access: KafkaAccess, topic: str, *, from_beginning: bool, stopping: asyncio.Event
) -> AsyncGenerator[list[ConsumerRecord], None]:
    """Give a topic's records as they come, until `stopping`.

    Raises:
        UnreachableError: Kafka went away.
    """
    async with client.unreachable(access, _READ), _consumer(access) as consumer:
        partitions = client_partitions(await _partitions(consumer, [topic], None))
        consumer.assign(partitions)
        if from_beginning:
            await consumer.seek_to_beginning(*partitions)
        else:
            await consumer.seek_to_end(*partitions)
        while not stopping.is_set():
            batches = await consumer.getmany(timeout_ms=300, max_records=1_000)
            records = [
                record
                for partition, batch in batches.items()
                for record in records_of(TopicPartition(*partition), batch)
            ]
            if records:
                yield sorted(records, key=lambda record: record.timestamp_ms)


async def record_at(
    access: KafkaAccess, partition: TopicPartition, offset: int
) -> ConsumerRecord | None:
    """Return the record of an offset, if it is still there; raises as aiokafka does."""
    return (await records_at(access, {partition: offset}))[partition].record


async def records_at(
    access: KafkaAccess, offsets: Mapping[TopicPartition, int]
) -> dict[TopicPartition, RecordAt]:
    """Return the record of an offset of each partition; raises as aiokafka does.

    A partition that isn't there (any more) begins and ends at 0.
    """
    async with _consumer(access) as consumer:
        topics = sorted({partition.topic for partition in offsets})
        existing = set(await _partitions(consumer, topics, None))
        bounds = await bounds_of(consumer, existing & offsets.keys())
        records: dict[TopicPartition, ConsumerRecord] = {}
        between = {
            partition: Bounds(offsets[partition], end)
            for partition, (begin, end) in bounds.items()
            if begin <= offsets[partition] < end
        }
        async with aclosing(_between(consumer, between, 1, only_first=True)) as batches:
            async for first, *_ in batches:
                # after a compaction it may be a later one
                if first.offset == offsets[first.topic_partition]:
                    records[first.topic_partition] = first
    return {
        partition: RecordAt(bounds.get(partition, Bounds(0, 0)), records.get(partition))
        for partition in offsets
    }


async def bounds(access: KafkaAccess, topics: Sequence[str]) -> dict[TopicPartition, Bounds]:
    """Return where each partition of the topics begins and ends; raises as aiokafka does."""
    async with _consumer(access) as consumer:
        return await bounds_of(consumer, await _partitions(consumer, topics, None))


async def offsets_since(
    access: KafkaAccess, partitions: Collection[TopicPartition], time: datetime
) -> dict[TopicPartition, int]:
    """Return the first offset of each partition that was published at this time or later.

    A partition without one isn't in it. Raises as aiokafka does.
    """
    times = dict.fromkeys(client_partitions(partitions), int(time.timestamp() * 1000))
    async with _consumer(access) as consumer, asyncio.timeout(_DEADLINE_S):
        offsets = await consumer.offsets_for_times(times)
    return {TopicPartition(*partition): at.offset for partition, at in offsets.items() if at}


async def first_offsets(
    access: KafkaAccess,
    ends: Mapping[TopicPartition, int],
    wanted: Callable[[Headers], bool],
) -> dict[TopicPartition, int]:
    """Return the first offset of each partition whose headers are wanted; reads up to `ends`.

    A partition without one isn't in it. Raises as aiokafka does.
    """
    first: dict[TopicPartition, int] = {}
    async with aclosing(read(access, ends)) as batches:
        async for records in batches:
            if records[0].topic_partition in first:
                continue
            match = next((record for record in records if wanted(record.headers)), None)
            if match is not None:
                first[match.topic_partition] = match.offset
    return first


def client_partitions(partitions: Collection[TopicPartition]) -> list[ClientPartition]:
    """Return partitions as the client wants them: it insists on its own type."""
    return [ClientPartition(*partition) for partition in partitions]


def records_of(partition: TopicPartition, batch: Sequence[Any]) -> list[ConsumerRecord]:
    """Return what the client read of a partition."""
    return [
        ConsumerRecord(
            partition, record.offset, record.key, record.value, record.headers, record.timestamp
        )
        for record in batch
    ]


async def bounds_of(
    consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]
) -> dict[TopicPartition, Bounds]:
    """Return where partitions begin and end; raises as aiokafka does."""
    begins = await _beginnings(consumer, partitions)
    async with asyncio.timeout(_DEADLINE_S):
        ends = await consumer.end_offsets(client_partitions(partitions))
    # as tuples, the client's partitions are equal to ours
    return {partition: Bounds(begins[partition], int(ends[partition])) for partition in partitions}


async def _beginnings(
    consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]
) -> dict[TopicPartition, int]:
    async with asyncio.timeout(_DEADLINE_S):
        begins = await consumer.beginning_offsets(client_partitions(partitions))
    return {partition: int(begins[partition]) for partition in partitions}


async def _partitions(
    consumer: AIOKafkaConsumer, topics: Sequence[str], key: bytes | None
) -> list[TopicPartition]:
    """Return the partitions of topics; a topic just made takes a moment to be known."""
    known = consumer.partitions_for_topic
    async with asyncio.timeout(_DEADLINE_S):
        consumer._client.set_topics(topics)  # noqa: SLF001  in public only by subscribing, which fetches at once
        await consumer._client.force_metadata_update()  # noqa: SLF001  as above; a kept client knew them a while ago
        while not all(map(known, topics)):
            await asyncio.sleep(0.05)
            await consumer._client.force_metadata_update()  # noqa: SLF001  as above
    partitions: list[TopicPartition] = []
    for topic in topics:
        numbers = sorted(known(topic))
        if key is not None:
            numbers = [numbers[partition_of(key, len(numbers))]]
        partitions += [TopicPartition(topic, number) for number in numbers]
    return partitions


async def _between(
    consumer: AIOKafkaConsumer,
    bounds: Mapping[TopicPartition, Bounds],
    at_once: int = _MAX_RECORDS,
    *,
    only_first: bool = False,
) -> AsyncGenerator[list[ConsumerRecord], None]:
    """Read partitions between bounds, or only the first records there are."""
    clock = asyncio.get_running_loop()
    unread = {
        ClientPartition(*partition): between
        for partition, between in bounds.items()
        if between.begin < between.end
    }
    if not unread:
        return
    consumer.assign(list(unread))
    for partition, between in unread.items():
        consumer.seek(partition, between.begin)
    next_offsets = {partition: between.begin for partition, between in bounds.items()}
    progress_s = clock.time()
    while unread:
        batches = await consumer.getmany(*unread, timeout_ms=_POLL_MS, max_records=at_once)
        for partition, batch in batches.items():
            records = records_of(TopicPartition(*partition), batch)
            _go_on(next_offsets, records)
            while records and records[-1].offset >= unread[partition].end:
                records.pop()
            if records:
                yield records
        async with asyncio.timeout(_DEADLINE_S):
            read_up_to = {partition: await consumer.position(partition) for partition in unread}
        done = [
            partition
            for partition, at in read_up_to.items()
            if at >= unread[partition].end or (only_first and partition in batches)
        ]
        if batches or done:
            progress_s = clock.time()
        elif clock.time() - progress_s > _DEADLINE_S:
            raise TimeoutError
        for partition in done:
            del unread[partition]


def _go_on(next_offsets: dict[TopicPartition, int], records: Sequence[ConsumerRecord]) -> None:
    """Note how far a partition was read (rule 4)."""
    partition = records[0].topic_partition
    if records[0].offset < next_offsets[partition]:
        raise LogRewrittenError(str(partition))
    next_offsets[partition] = records[-1].offset + 1


@asynccontextmanager
async def _consumer(access: KafkaAccess) -> AsyncIterator[AIOKafkaConsumer]:
    """Hold a client to which partitions are given by hand."""

    async def start() -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            **client.reading_options(access),
            fetch_max_wait_ms=50,  # a poll that waits at the end of a topic would hold up a run
        )
        try:
            await client.start(consumer)
        except BaseException:
            await client.stop(consumer)
            raise
        return consumer

    async with lent(access, "reader", start, client.stop) as consumer:
        yield consumer
        consumer._subscription.unsubscribe()  # noqa: SLF001  in public it asks for all topics; while assigned, it fetches
