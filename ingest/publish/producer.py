"""The ingester's producer: whole batches of records, each acknowledged by the broker.

Rule 1: records are put into batches here and not by the client: a future, a task switch and a
        queue for each record would cost more than everything else that is done to send it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTimestampError, MessageSizeTooLargeError
from aiokafka.partitioner import DefaultPartitioner

from ingest.publish.log_ends import Acknowledgement
from petstream.events import LogEnd
from petstream.kafka.client import KAFKA_ERRORS, producer_options
from petstream.kafka.records import ProducerRecord, TopicPartition
from petstream.settings import KafkaAccess
from petstream.topics import MAX_MESSAGE_BYTES

TooLargeError: Final = MessageSizeTooLargeError
"""The broker refuses a batch for its size: trying again is no use."""

StaleError: Final = InvalidTimestampError
"""The broker refuses a batch for its age, by its own clock: stamp it anew."""

BATCH_BYTES: Final = 256 * 1024

_STOP_DEADLINE_S: Final = 10.0
_LOG_APPEND_TIME: Final = 1


class RecordBatch:
    """Records of one partition that go to Kafka together, and stay known until acknowledged."""

    def __init__(self, topic: str, partition: int, builder: Any) -> None:
        """Begin an empty batch; use `Producer.batch`."""
        self.topic, self.partition, self.builder = topic, partition, builder
        self.records: list[ProducerRecord] = []
        self._last_timestamp_ms = 0
        self._sent: asyncio.Future[Any] | None = None
        self.begun_s = asyncio.get_running_loop().time()

    def add(self, record: ProducerRecord) -> bool:
        """Add a record; False if the batch is full (the first one always fits)."""
        appended = self.builder.append(
            timestamp=None, key=record.key, value=record.value, headers=list(record.headers)
        )
        if appended is None:
            return False
        self.records.append(record)
        self._last_timestamp_ms = int(appended.timestamp)
        return True

    def sent(self, acknowledgement: asyncio.Future[Any]) -> None:
        """Keep the future that is done when the broker has it."""
        self._sent = acknowledgement

    async def acknowledged(self) -> Acknowledgement:
        """Wait until the broker has it, and return where it lies."""
        assert self._sent is not None  # noqa: S101  it was handed over
        metadata = await self._sent
        timestamp_ms = self._last_timestamp_ms
        if metadata.timestamp_type == _LOG_APPEND_TIME:
            timestamp_ms = metadata.timestamp
        name = dict(self.records[-1].headers).get("ce_id")
        last_id = None if name is None else name.decode("ascii")
        end = metadata.offset + len(self.records)
        return Acknowledgement(
            TopicPartition(self.topic, self.partition),
            metadata.offset,
            LogEnd(end, last_id, timestamp_ms),
        )

    def forget(self) -> None:
        """Don't wait for it any more."""
        if self._sent is not None:
            self._sent.cancel()


class Producer:
    """A connected producer that sends whole batches; after an error, make another one."""

    def __init__(self, access: KafkaAccess) -> None:
        """Make a producer; `start` connects it."""
        self._producer = AIOKafkaProducer(
            **producer_options(access),
            max_batch_size=BATCH_BYTES,
            max_request_size=2 * MAX_MESSAGE_BYTES,
            request_timeout_ms=20_000,
        )
        self._partitions: dict[str, list[int]] = {}
        self._partitioner = DefaultPartitioner()

    async def start(self) -> None:
        """Connect."""
        await self._producer.start()

    async def partition(self, topic: str, key: bytes | None) -> int:
        """Return the partition of a key, as every Kafka client would choose it."""
        if topic not in self._partitions:
            self._partitions[topic] = sorted(await self._producer.partitions_for(topic))
        partitions = self._partitions[topic]
        return int(self._partitioner(key, partitions, partitions))

    def known_partition(self, topic: str, key: bytes | None) -> int | None:
        """Return the partition of a key; None: those of its topic aren't known yet."""
        partitions = self._partitions.get(topic)
        return None if partitions is None else int(self._partitioner(key, partitions, partitions))

    def batch(self, topic: str, partition: int) -> RecordBatch:
        """Begin a batch."""
        return RecordBatch(topic, partition, self._producer.create_batch())

    async def send(self, batch: RecordBatch) -> None:
        """Hand a batch over; `RecordBatch.acknowledged` waits for the broker to have it."""
        batch.sent(
            await self._producer.send_batch(batch.builder, batch.topic, partition=batch.partition)
        )

    async def stop(self) -> None:
        """Close, whatever state it is in: what wasn't acknowledged is sent again by another one."""
        with suppress(*KAFKA_ERRORS):
            async with asyncio.timeout(_STOP_DEADLINE_S):
                await self._producer.stop()
                return
        await self.abandon()

    async def abandon(self) -> None:
        """Close without sending what is still queued: nothing of it may arrive later."""
        sender = self._producer._sender  # noqa: SLF001  aiokafka flushes otherwise, for ever
        if sender is not None and sender.sender_task is not None:
            sender.sender_task.cancel()
        with suppress(*KAFKA_ERRORS, asyncio.CancelledError):
            async with asyncio.timeout(_STOP_DEADLINE_S):
                await self._producer.client.close()
