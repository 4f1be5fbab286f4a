"""The door to Kafka for groups: members and offsets; for replays: where records lie in time.

Rule 1: a group's offsets are moved as Kafka's own tools do it: by a commit from outside the group,
        which Kafka refuses while the group has members.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import datetime
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CommitFailedError, GroupCoordinatorNotAvailableError

from consumers.engine.subscription import TROUBLE, Place, Record
from petstream.codec import Headers
from petstream.kafka.client import client_options
from petstream.settings import KafkaAccess
from petstream.topics import MAX_MESSAGE_BYTES

_DEADLINE_S: Final = 40.0
_STOP_S: Final = 10.0
_POLL_MS: Final = 1_000


class InUseError(Exception):
    """The group has members: its offsets are theirs."""


async def check_idle(access: KafkaAccess, group: str) -> None:
    """Make sure that nobody is in a group; one that never was has nobody.

    Raises:
        InUseError: the group has members.
    """
    told = await _asked(access, lambda admin: admin.describe_consumer_groups([group]))
    # a group is (error, group, state, protocol type, protocol, members, …)
    if any(found[5] for response in told for found in response.groups):
        raise InUseError


async def group_offsets(access: KafkaAccess, group: str) -> dict[Place, int]:
    """Return what a group has committed."""
    found = await _asked(access, lambda admin: admin.list_consumer_group_offsets(group))
    return {Place(*one): meta.offset for one, meta in found.items() if meta.offset >= 0}


async def _asked(access: KafkaAccess, question: Callable[[Any], Any]) -> Any:
    admin = AIOKafkaAdminClient(**client_options(access), request_timeout_ms=10_000)
    try:
        async with asyncio.timeout(_DEADLINE_S):
            await admin.start()
            while True:
                try:
                    return await question(admin)
                except GroupCoordinatorNotAvailableError:  # while Kafka makes its first group
                    await asyncio.sleep(0.2)
    finally:
        await admin.close()


async def move(access: KafkaAccess, group: str, offsets: Mapping[Place, int]) -> None:
    """Set a group's offsets, all at once.

    Raises:
        InUseError: the group has members.
    """
    async with _consumer(access, offsets, group) as consumer:
        try:
            async with asyncio.timeout(_DEADLINE_S):
                await consumer.commit({TopicPartition(*one): at for one, at in offsets.items()})
        except CommitFailedError as error:
            raise InUseError from error


async def since(
    access: KafkaAccess, places: Collection[Place], time: datetime
) -> dict[Place, int | None]:
    """Return the first offset of each partition that was published at this time or later."""
    wanted = {TopicPartition(*one): int(time.timestamp() * 1000) for one in places}
    async with _consumer(access, places) as consumer, asyncio.timeout(_DEADLINE_S):
        found = await consumer.offsets_for_times(wanted)
    return {Place(*one): at.offset if at else None for one, at in found.items()}


async def first(
    access: KafkaAccess, ends: Mapping[Place, int], wanted: Callable[[Headers], bool]
) -> dict[Place, int]:
    """Return the first offset of each partition whose headers are wanted; reads up to the ends."""
    found: dict[Place, int] = {}
    async with aclosing(_to_ends(access, ends)) as batches:
        async for place, records in batches:
            if place not in found:
                hits = (record.offset for record in records if wanted(record.headers))
                offset = next(hits, None)
                if offset is not None:
                    found[place] = offset
    return found


async def look_through(
    access: KafkaAccess, ends: Mapping[Place, int], look: Callable[[Place, bytes, Headers], None]
) -> None:
    """Show every record's key and headers, up to the ends."""
    async with aclosing(_to_ends(access, ends)) as batches:
        async for place, records in batches:
            for record in records:
                look(place, record.key or b"", record.headers)


async def records(
    access: KafkaAccess, ends: Mapping[Place, int], begins: Mapping[Place, int] | None = None
) -> AsyncGenerator[list[Record], None]:
    """Give every record from where each partition begins (or `begins`) up to the ends."""
    async with aclosing(_to_ends(access, ends, begins or {})) as batches:
        async for place, found in batches:
            yield [
                Record(place, one.offset, one.key, one.value, tuple(one.headers))
                for one in found
                if one.offset < ends[place]
            ]


async def record_at(access: KafkaAccess, place: Place, offset: int) -> Record | None:
    """Return the record at a place, if it is still there."""
    async with _consumer(access, [place]) as consumer:
        partition = TopicPartition(*place)
        async with asyncio.timeout(_DEADLINE_S):
            begin = (await consumer.beginning_offsets([partition]))[partition]
            end = (await consumer.end_offsets([partition]))[partition]
            if not begin <= offset < end:
                return None
            consumer.seek(partition, offset)
            found = await consumer.getone(partition)
    if found.offset != offset:
        return None  # compacted away: this is the next one
    return Record(place, offset, found.key, found.value, tuple(found.headers))


async def send_back(access: KafkaAccess, record: Record) -> None:
    """Append a record to its partition once more, and wait until it is durable."""
    producer = AIOKafkaProducer(
        **client_options(access),
        acks="all",
        max_request_size=8 * MAX_MESSAGE_BYTES,  # before compression; the broker has the last word
        compression_type="zstd",
    )
    try:
        async with asyncio.timeout(_DEADLINE_S):
            await producer.start()
            await producer.send_and_wait(
                record.place.topic,
                record.value,
                key=record.key,
                partition=record.place.partition,
                headers=list(record.headers),
            )
    finally:
        await _stopped(producer)


async def _to_ends(
    access: KafkaAccess, ends: Mapping[Place, int], begins: Mapping[Place, int] | None = None
) -> AsyncGenerator[tuple[Place, Sequence[Any]], None]:
    clock = asyncio.get_running_loop()
    async with _consumer(access, ends) as consumer:
        partitions = [TopicPartition(*one) for one in ends]
        async with asyncio.timeout(_DEADLINE_S):
            await consumer.seek_to_beginning(*partitions)
        for one, at in (begins or {}).items():
            consumer.seek(TopicPartition(*one), at)
        left = {one for one in partitions if ends[Place(*one)] > 0}
        heard = clock.time()
        while left:
            batches = await consumer.getmany(*left, timeout_ms=_POLL_MS, max_records=5_000)
            for one, records in batches.items():
                yield Place(*one), records
            async with asyncio.timeout(_DEADLINE_S):
                done = {one for one in left if await consumer.position(one) >= ends[Place(*one)]}
            if batches or done:
                heard = clock.time()
            elif clock.time() - heard > _DEADLINE_S:  # a poll never fails when Kafka is away
                raise TimeoutError
            left -= done


@asynccontextmanager
async def _consumer(
    access: KafkaAccess, places: Collection[Place], group: str | None = None
) -> AsyncIterator[Any]:
    """Hold a client to which the partitions are given by hand: it joins no group."""
    consumer = AIOKafkaConsumer(
        **client_options(access),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=MAX_MESSAGE_BYTES,
        max_partition_fetch_bytes=2 * 1024 * 1024,
    )
    consumer.assign([TopicPartition(*one) for one in places])
    try:
        async with asyncio.timeout(_DEADLINE_S):
            await consumer.start()
        yield consumer
    finally:
        await _stopped(consumer)


async def _stopped(client: Any) -> None:
    with suppress(*TROUBLE):
        async with asyncio.timeout(_STOP_S):
            await client.stop()
