"""The ingester's door to Kafka: read a topic to its end, and publish with every send acknowledged.

Rule 1: a send counts only when the broker acknowledged it (``acks=all``); `flush` waits for all.
Rule 2: after any error the producer is thrown away, and what wasn't acknowledged is sent again, in
        order, by a new one: an event twice in the log is harmless, a lost one is not.
Rule 3: what is in flight is bounded: a slow broker stops the caller, who stops reading the FTP.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from contracts.cluster import client_options
from contracts.codec import Headers
from contracts.errors import PetstreamError, UnreachableError
from contracts.settings import KafkaAccess
from contracts.topics import MAX_MESSAGE_BYTES

_IN_FLIGHT: Final = 4_000
_SETTLED_AT_ONCE: Final = 1_000
_SEND_DEADLINE_S: Final = 30.0
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
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    try:
        await consumer.start()
        partitions = await _assigned(consumer, topics)
        ends = await consumer.end_offsets(partitions)
        starts = await consumer.beginning_offsets(partitions)
        await consumer.seek_to_beginning(*partitions)
        behind = {one for one in partitions if ends[one] > starts[one]}
        while behind:
            async with asyncio.timeout(_SEND_DEADLINE_S):
                batches = await consumer.getmany(timeout_ms=1_000, max_records=5_000)
            for records in batches.values():
                yield [_record(record) for record in records]
            for one in tuple(behind):
                if await consumer.position(one) >= ends[one]:
                    behind.remove(one)
    except (KafkaError, OSError, TimeoutError) as error:
        raise UnreachableError(
            f"Kafka at {access.bootstrap} went away while its topics were read "
            f"({type(error).__name__}): start it and run this again"
        ) from error
    finally:
        await consumer.stop()


async def _assigned(consumer: AIOKafkaConsumer, topics: Sequence[str]) -> list[TopicPartition]:
    """Wait until every topic's partitions are assigned: it takes a moment."""
    async with asyncio.timeout(_SEND_DEADLINE_S):
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


class Publisher:
    """Sends records, keyed, in order per key, and knows which were acknowledged."""

    def __init__(self, access: KafkaAccess, *, patience_s: float | None = 60.0) -> None:
        """Make a publisher that gives up after `patience_s` without Kafka (None: never)."""
        self.sent = 0
        self._access = access
        self._patience_s = patience_s
        self._producer: AIOKafkaProducer | None = None
        self._pending: deque[tuple[Record, asyncio.Future[object]]] = deque()

    async def __aenter__(self) -> Self:
        """Connect."""
        await self._connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, _: object, __: TracebackType | None
    ) -> None:
        """Flush if all went well, and close; on an error what is in flight is given up."""
        try:
            if kind is None:
                await self.flush()
        finally:
            await self._drop()

    async def send(self, topic: str, key: str, value: bytes, headers: Headers) -> None:
        """Send one record; returns when there is room for more, not when it is acknowledged."""
        one = Record(topic, 0, 0, key.encode("ascii"), value, headers)
        if len(self._pending) >= _IN_FLIGHT:
            await self._settle(_SETTLED_AT_ONCE)
        await self._start_send(one)
        self.sent += 1

    async def flush(self) -> None:
        """Return when everything sent so far was acknowledged."""
        await self._settle(len(self._pending))

    async def _start_send(self, one: Record) -> None:
        try:
            async with asyncio.timeout(_SEND_DEADLINE_S):
                future = await self._hand_over(one)
        except MessageSizeTooLargeError as error:
            raise PetstreamError(
                f"the record of key {one.key.decode()} is too large for Kafka "
                f"({len(one.value):,} bytes)"
            ) from error
        except (KafkaError, OSError, TimeoutError):
            await self._send_again([one])
        else:
            self._pending.append((one, future))

    async def _settle(self, how_many: int) -> None:
        waiting = [self._pending[index][1] for index in range(how_many)]
        if not waiting:
            return
        try:
            async with asyncio.timeout(_SEND_DEADLINE_S):
                await asyncio.gather(*waiting)
        except (KafkaError, OSError, TimeoutError):
            await self._send_again([])
        else:
            for _ in waiting:
                self._pending.popleft()

    async def _send_again(self, further: list[Record]) -> None:
        """Send all that wasn't acknowledged by a new producer, until it is, or patience ends."""
        unacknowledged = [one for one, _ in self._pending] + further
        self._pending.clear()
        started = asyncio.get_running_loop().time()
        while True:
            await self._drop()
            try:
                await self._connect()
                async with asyncio.timeout(_SEND_DEADLINE_S):
                    futures = [await self._hand_over(one) for one in unacknowledged]
                    await asyncio.gather(*futures)
            except (KafkaError, OSError, TimeoutError) as error:
                waited_s = asyncio.get_running_loop().time() - started
                if self._patience_s is not None and waited_s > self._patience_s:
                    raise UnreachableError(
                        f"Kafka at {self._access.bootstrap} is away ({type(error).__name__}): "
                        "start it and run this again; nothing is lost"
                    ) from error
                await asyncio.sleep(1.0)
            else:
                return

    async def _connect(self) -> None:
        self._producer = AIOKafkaProducer(
            **client_options(self._access),
            acks="all",
            compression_type="zstd",
            linger_ms=20,
            max_batch_size=256 * 1024,
            max_request_size=MAX_MESSAGE_BYTES,
            request_timeout_ms=20_000,
        )
        await self._producer.start()

    async def _hand_over(self, one: Record) -> asyncio.Future[object]:
        if self._producer is None:
            raise UnreachableError("the publisher isn't connected to Kafka")
        future: asyncio.Future[object] = await self._producer.send(
            one.topic, one.value, key=one.key, headers=list(one.headers)
        )
        return future

    async def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(_STOP_DEADLINE_S):
                await producer.stop()
        except (KafkaError, OSError, TimeoutError):
            return  # it is thrown away either way; what it held is sent again by the next one
