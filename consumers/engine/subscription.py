"""The only door to aiokafka: a group's subscription, a producer for letters, a group's offsets.

Rule 1: the group's offset is committed by hand, and last; it's a lower bound, never the truth.
Rule 2: aiokafka hands out records before a rebalance callback has finished, and swallows what it
        raises: callbacks only count. Whose a partition is, is asked between two polls.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from petstream.codec import Headers
from petstream.kafka.client import client_options
from petstream.settings import KafkaAccess
from petstream.topics import MAX_MESSAGE_BYTES

TROUBLE: Final = (KafkaError, OSError, TimeoutError)
"""What Kafka's being away looks like: try again."""

_DEADLINE_S: Final = 40.0
_COMMIT_S: Final = 5.0
_STOP_S: Final = 10.0


class Place(NamedTuple):
    """A partition of a topic, under its full name."""

    topic: str
    partition: int


class Record(NamedTuple):
    """One record, as bytes."""

    place: Place
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Counts rebalances: each puts all partitions back to the group's offsets, kept ones too."""

    def __init__(self) -> None:
        """Begin with none."""
        self.count = 0

    def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ARG002  aiokafka's interface
        """Count."""
        self.count += 1

    def on_partitions_assigned(self, assigned: Any) -> None:  # noqa: ARG002  aiokafka's interface
        """Count; called before the first record of the new assignment is fetched."""
        self.count += 1


class Subscription:
    """A member of a consumer group."""

    def __init__(self, consumer: Any, rebalances: Rebalances) -> None:
        """Wrap a started consumer; use `subscribed`."""
        self._consumer, self._rebalances = consumer, rebalances

    @property
    def rebalances(self) -> int:
        """How often partitions were taken or given: if it changed, seek all of them again."""
        return self._rebalances.count

    def assigned(self) -> frozenset[Place]:
        """Return the partitions that are ours now."""
        return frozenset(Place(*one) for one in self._consumer.assignment())

    async def poll(self, timeout_ms: int = 500, max_records: int = 1_000) -> list[Record]:
        """Return the next records of our partitions; each one's in order."""
        batches = await self._consumer.getmany(timeout_ms=timeout_ms, max_records=max_records)
        return [
            Record(place, one.offset, one.key, one.value, one.headers)
            for where, records in batches.items()
            for place in (Place(*where),)
            for one in records
        ]

    async def committed(self, place: Place) -> int | None:
        """Return the group's offset."""
        async with asyncio.timeout(_DEADLINE_S):
            offset = await self._consumer.committed(TopicPartition(*place))
        return None if offset is None else int(offset)

    async def bounds(self, places: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        """Return where each partition begins and ends now; raises if Kafka is away."""
        wanted = [TopicPartition(*place) for place in places]
        async with asyncio.timeout(_DEADLINE_S):
            begin = await self._consumer.beginning_offsets(wanted)
            end = await self._consumer.end_offsets(wanted)
        return {Place(*one): (int(begin[one]), int(end[one])) for one in wanted}

    def seek(self, place: Place, offset: int) -> bool:
        """Go to an offset; False if the partition was taken from us meanwhile."""
        try:
            self._consumer.seek(TopicPartition(*place), offset)
        except IllegalStateError:
            return False
        return True

    async def position(self, place: Place) -> int | None:
        """Return the offset of the next record; None if the partition isn't ours."""
        try:
            async with asyncio.timeout(_DEADLINE_S):
                return int(await self._consumer.position(TopicPartition(*place)))
        except IllegalStateError:
            return None

    async def commit(self, offsets: Mapping[Place, int]) -> None:
        """Commit the group's offsets if that can be; the next commit makes up for a failed one."""
        with suppress(*TROUBLE):
            async with asyncio.timeout(_COMMIT_S):
                await self._consumer.commit(
                    {TopicPartition(*place): offset for place, offset in offsets.items()}
                )

    async def places(self, topics: Sequence[str]) -> list[Place]:
        """Return all partitions of the topics; one just made takes a moment to be known."""
        found: dict[str, set[int]] = {}
        async with asyncio.timeout(_DEADLINE_S):
            for topic in topics:
                while not (partitions := self._consumer.partitions_for_topic(topic)):  # noqa: ASYNC110  aiokafka has no event for it
                    await asyncio.sleep(0.05)
                found[topic] = partitions
        return [Place(topic, one) for topic, some in found.items() for one in sorted(some)]


@asynccontextmanager
async def subscribed(
    access: KafkaAccess, group: str, topics: Sequence[str]
) -> AsyncGenerator[Subscription, None]:
    """Be a member of a group."""
    rebalances = Rebalances()
    consumer = AIOKafkaConsumer(
        **client_options(access),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=MAX_MESSAGE_BYTES,
        max_partition_fetch_bytes=2 * 1024 * 1024,
        # few large transactions cost Postgres less than many small ones
        fetch_min_bytes=512 * 1024,
        fetch_max_wait_ms=300,
    )
    consumer.subscribe(topics, listener=rebalances)
    try:
        await _seen_through(consumer.start(), _DEADLINE_S)
        yield Subscription(consumer, rebalances)
    finally:
        await _stopped(consumer)


async def send_all(
    access: KafkaAccess, topic: str, letters: Sequence[tuple[bytes, bytes | None, Headers]]
) -> None:
    """Send keyed records and wait until each is durable."""
    producer = AIOKafkaProducer(
        **client_options(access), acks="all", max_request_size=MAX_MESSAGE_BYTES
    )
    try:
        await _seen_through(producer.start(), _DEADLINE_S)
        async with asyncio.timeout(_DEADLINE_S):
            for key, value, headers in letters:
                await producer.send_and_wait(topic, value, key=key, headers=list(headers))
    finally:
        await _stopped(producer)


async def ends(access: KafkaAccess, topics: Sequence[str]) -> dict[Place, tuple[int, int]]:
    """Return where each partition of the topics begins and ends."""
    consumer = AIOKafkaConsumer(*topics, **client_options(access), group_id=None)
    try:
        await _seen_through(consumer.start(), _DEADLINE_S)
        subscription = Subscription(consumer, Rebalances())
        return await subscription.bounds(await subscription.places(topics))
    finally:
        await _stopped(consumer)


async def _stopped(client: Any) -> None:
    with suppress(*TROUBLE):
        await _seen_through(client.stop(), _STOP_S)


async def _seen_through(work: Coroutine[Any, Any, None], deadline_s: float) -> None:
    """Await a start or a stop to its end, cancelled or not: cut off, it leaks connections."""
    task = asyncio.create_task(work)
    try:
        async with asyncio.timeout(deadline_s):
            await asyncio.shield(task)
    finally:
        if not task.done():
            await asyncio.wait({task}, timeout=_STOP_S)
        if not task.cancel() and not task.cancelled():
            task.exception()  # whoever cancelled us doesn't want it
