"""The ingester's door to Kafka: read topics to their end, and send batches of records.

Rule 1: records are put into batches here and not by the client: a future, a task switch and a
        queue for each record would cost more than everything else that is done to send it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import InvalidTimestampError, KafkaError, MessageSizeTooLargeError
from aiokafka.partitioner import DefaultPartitioner

from petstream.codec import Headers
from petstream.errors import UnreachableError
from petstream.kafka.client import client_options
from petstream.settings import KafkaAccess
from petstream.topics import MAX_MESSAGE_BYTES

TROUBLE: Final = (KafkaError, OSError, TimeoutError)
"""What Kafka's being away looks like: try again with a new producer."""

TooLargeError: Final = MessageSizeTooLargeError
"""The broker refuses a batch for its size: trying again is no use."""

StaleError: Final = InvalidTimestampError
"""The broker refuses a batch for its age, by its own clock: stamp it anew."""

BATCH_BYTES: Final = 256 * 1024

_READ_DEADLINE_S: Final = 30.0
_STOP_DEADLINE_S: Final = 10.0


class Record(NamedTuple):
    """One record of a topic."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: Headers


async def read_to_end(
    access: KafkaAccess, topics: Sequence[str]
) -> AsyncGenerator[list[Record], None]:
    """Read topics from their beginning to where they ended when this began, in each one's order."""
    consumer = AIOKafkaConsumer(
        *topics,
        **client_options(access),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=16 * 1024 * 1024,
        fetch_max_wait_ms=50,  # a poll that waits at the end of a topic would hold up the run
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    try:
        await consumer.start()
        partitions = await _assigned(consumer, topics)
        ends = await consumer.end_offsets(partitions)
        starts = await consumer.beginning_offsets(partitions)
        behind = {one for one in partitions if ends[one] > starts[one]}
        while behind:
            async with asyncio.timeout(_READ_DEADLINE_S):
                batches = await consumer.getmany(timeout_ms=1_000, max_records=5_000)
            for records in batches.values():
                yield [_record(record) for record in records]
            for one in tuple(behind):
                if await consumer.position(one) >= ends[one]:
                    behind.remove(one)
    except TROUBLE as error:
        raise UnreachableError(
            f"Kafka at {access.bootstrap} went away while its topics were read "
            f"({type(error).__name__}): start it and run this again"
        ) from error
    finally:
        await consumer.stop()


async def _assigned(consumer: AIOKafkaConsumer, topics: Sequence[str]) -> list[TopicPartition]:
    """Wait until every topic's partitions are assigned: it takes a moment."""
    async with asyncio.timeout(_READ_DEADLINE_S):
        while not _all_there(consumer, topics):  # noqa: ASYNC110  aiokafka has no event for it
            await asyncio.sleep(0.05)
    return sorted(consumer.assignment())


def _all_there(consumer: AIOKafkaConsumer, topics: Sequence[str]) -> bool:
    return {one.topic for one in consumer.assignment()} == set(topics)


def _record(record: Any) -> Record:
    return Record(
        record.topic,
        record.partition,
        record.offset,
        record.key or b"",
        record.value or b"",
        tuple(record.headers),
    )


class Batch:
    """Records of one partition that go to Kafka together, and stay known until acknowledged."""

    def __init__(self, topic: str, partition: int, builder: Any) -> None:
        """Begin an empty batch; use `Producer.batch`."""
        self.topic, self.partition, self.builder = topic, partition, builder
        self.records: list[Record] = []
        self._sent: asyncio.Future[object] | None = None
        self.begun_s = asyncio.get_running_loop().time()

    def take(self, one: Record) -> bool:
        """Add a record; False if the batch is full (the first one always fits)."""
        told = self.builder.append(
            timestamp=None, key=one.key, value=one.value, headers=list(one.headers)
        )
        if told is None:
            return False
        self.records.append(one)
        return True

    def sent(self, acknowledgement: asyncio.Future[object]) -> None:
        """Know what will tell that the broker has it."""
        self._sent = acknowledgement

    async def acknowledged(self) -> None:
        """Wait until the broker has it."""
        assert self._sent is not None  # noqa: S101  it was handed over
        await self._sent

    def forget(self) -> None:
        """Don't wait for it any more."""
        if self._sent is not None:
            self._sent.cancel()


class Producer:
    """A connected producer that sends whole batches; after an error, make another one."""

    def __init__(self, access: KafkaAccess) -> None:
        """Make a producer; `start` connects it."""
        self._producer = AIOKafkaProducer(
            **client_options(access),
            acks="all",
            compression_type="zstd",
            max_batch_size=BATCH_BYTES,
            max_request_size=2 * MAX_MESSAGE_BYTES,
            request_timeout_ms=20_000,
        )
        self._partitions: dict[str, list[int]] = {}
        self._partitioner = DefaultPartitioner()

    async def start(self) -> None:
        """Connect."""
        await self._producer.start()

    async def partition(self, topic: str, key: bytes) -> int:
        """Return the partition of a key, as every Kafka client would choose it."""
        partitions = self._partitions.get(topic)
        if partitions is None:
            partitions = sorted(await self._producer.partitions_for(topic))
            self._partitions[topic] = partitions
        return int(self._partitioner(key, partitions, partitions))

    def batch(self, topic: str, partition: int) -> Batch:
        """Begin a batch."""
        return Batch(topic, partition, self._producer.create_batch())

    async def send(self, batch: Batch) -> None:
        """Hand a batch over; `Batch.acknowledged` waits for the broker to have it."""
        batch.sent(
            await self._producer.send_batch(batch.builder, batch.topic, partition=batch.partition)
        )

    async def stop(self) -> None:
        """Close, whatever state it is in: what wasn't acknowledged is sent again by another one."""
        with suppress(*TROUBLE):
            async with asyncio.timeout(_STOP_DEADLINE_S):
                await self._producer.stop()
                return
        await self.abandon()

    async def abandon(self) -> None:
        """Close without sending what is still queued: nothing of it may arrive later."""
        sender = self._producer._sender  # noqa: SLF001  aiokafka flushes otherwise, for ever
        if sender is not None and sender.sender_task is not None:
            sender.sender_task.cancel()
        with suppress(*TROUBLE, asyncio.CancelledError):
            async with asyncio.timeout(_STOP_DEADLINE_S):
                await self._producer.client.close()
