"""The console's door to Kafka: read partitions, follow topics, see where groups are.

Rule 1: no group is joined and nothing is committed: looking never disturbs a consumer.
Rule 2: a reading ends where the log ended when it began.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from petstream.codec import Headers
from petstream.errors import UnreachableError
from petstream.kafka.client import client_options
from petstream.settings import KafkaAccess

_DEADLINE_S: Final = 30.0
_STOP_DEADLINE_S: Final = 10.0


class Record(NamedTuple):
    """One record of a topic, with its place and when it was published."""

    topic: str
    partition: int
    offset: int
    published_at: datetime
    key: bytes
    value: bytes | None
    headers: Headers


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key, as Kafka's default partitioner chooses it (murmur2).

    >>> partition_of(b"22611034", 6)
    3
    """
    return int(DefaultPartitioner()(key, range(partitions), ()))


async def read_topic(access: KafkaAccess, topic: str, *, key: bytes | None = None) -> list[Record]:
    """Return a topic's records, or those of one key (only its partition is read)."""
    found: list[Record] = []
    async with _consumer(access) as consumer:
        partitions = await _partitions(consumer, topic)
        if key is not None:
            partitions = [partitions[partition_of(key, len(partitions))]]
        async for batch in _to_end(consumer, partitions):
            found.extend(one for one in batch if key is None or one.key == key)
    return found


async def follow(
    access: KafkaAccess, topic: str, *, from_beginning: bool, stopping: asyncio.Event
) -> AsyncGenerator[list[Record], None]:
    """Give a topic's records as they come, until `stopping`."""
    async with _consumer(access) as consumer:
        partitions = await _partitions(consumer, topic)
        consumer.assign(partitions)
        if from_beginning:
            await consumer.seek_to_beginning(*partitions)
        else:
            await consumer.seek_to_end(*partitions)
        while not stopping.is_set():
            batches = await consumer.getmany(timeout_ms=300, max_records=1_000)
            records = [_record(one) for batch in batches.values() for one in batch]
            if records:
                yield sorted(records, key=lambda one: one.published_at)


async def committed(access: KafkaAccess, prefix: str, topic: str, partition: int) -> dict[str, int]:
    """Return the committed offset of every group of ours that reads this partition."""
    admin = AIOKafkaAdminClient(**client_options(access), request_timeout_ms=10_000)
    place = TopicPartition(topic, partition)
    found: dict[str, int] = {}
    try:
        async with asyncio.timeout(_DEADLINE_S):
            await admin.start()
            groups = sorted({one[0] for one in await admin.list_consumer_groups()})
            for group in groups:
                if group.startswith(prefix):
                    offsets = await admin.list_consumer_group_offsets(group)
                    if place in offsets and offsets[place].offset >= 0:
                        found[group] = offsets[place].offset
    except (KafkaError, OSError, TimeoutError) as error:
        raise _away(access, error) from error
    finally:
        await admin.close()
    return found


@asynccontextmanager
async def _consumer(access: KafkaAccess) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        **client_options(access),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=16 * 1024 * 1024,
        max_partition_fetch_bytes=8 * 1024 * 1024,
    )
    try:
        async with asyncio.timeout(_DEADLINE_S):
            await consumer.start()
        yield consumer
    except (KafkaError, TimeoutError) as error:
        raise _away(access, error) from error
    finally:
        async with asyncio.timeout(_STOP_DEADLINE_S):
            await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    """Ask until the topic's metadata is there: a topic just made takes a moment to be known."""
    async with asyncio.timeout(_DEADLINE_S):
        while True:
            cluster = await consumer._client.fetch_all_metadata()  # noqa: SLF001  no public refresh
            found = cluster.partitions_for_topic(topic)
            if found:
                return [TopicPartition(topic, partition) for partition in sorted(found)]
            await asyncio.sleep(0.1)


async def _to_end(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
) -> AsyncGenerator[list[Record], None]:
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    starts = await consumer.beginning_offsets(partitions)
    await consumer.seek_to_beginning(*partitions)
    behind = {one for one in partitions if ends[one] > starts[one]}
    while behind:
        async with asyncio.timeout(_DEADLINE_S):
            batches = await consumer.getmany(timeout_ms=1_000, max_records=5_000)
        for records in batches.values():
            yield [_record(one) for one in records]
        for one in tuple(behind):
            if await consumer.position(one) >= ends[one]:
                behind.remove(one)


def _record(record: Any) -> Record:
    return Record(
        record.topic,
        record.partition,
        record.offset,
        datetime.fromtimestamp(record.timestamp / 1000, UTC),
        record.key or b"",
        record.value,
        tuple(record.headers),
    )


def _away(access: KafkaAccess, error: BaseException) -> UnreachableError:
    return UnreachableError(
        f"Kafka at {access.bootstrap} went away while it was read ({type(error).__name__}): "
        "start it and run this again"
    )
