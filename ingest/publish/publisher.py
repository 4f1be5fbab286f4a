"""Publishes records, in order per key, and knows which were acknowledged.

Rule 1: a record counts only when the broker acknowledged it (``acks=all``); `flush` waits for all.
Rule 2: after any error the producer is thrown away, and what wasn't acknowledged is sent again, in
        order, by a new one: an event twice in the log is harmless, a lost one is not.
Rule 3: what is in flight is bounded: a slow broker stops the caller, who stops reading the FTP.
Rule 4: before every batch the lead is checked; whoever lost it sends nothing of what it still has.
Rule 5: no batch is kept open for long: its records would be too old for their topic.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from ingest.leadership.election import Leadership, NotLeadingError
from ingest.publish.log_ends import LogEnds
from ingest.publish.producer import Producer, RecordBatch, StaleError, TooLargeError
from petstream import failpoints
from petstream.codec import Headers
from petstream.errors import PetstreamError, UnreachableError
from petstream.kafka.client import KAFKA_ERRORS
from petstream.kafka.records import ProducerRecord
from petstream.settings import KafkaAccess
from petstream.waiting import Backoff, Delays

_BATCHES_IN_FLIGHT: Final = 32  # 8 MiB; less than that again is in batches that aren't full yet
_DEADLINE_S: Final = 30.0
_OPEN_S: Final = 60.0
_SEND_AGAIN: Final = Delays(1.0, factor=1.0)

_CLOCKS: Final = (
    "Kafka refuses what is sent now for its time: the clocks of this machine and of Kafka's are "
    "minutes apart; set them right (NTP) and run this again"
)


class Publisher:
    """Sends records in batches; use it as a context manager."""

    def __init__(
        self,
        access: KafkaAccess,
        lead: Leadership | None = None,
        *,
        patience_s: float | None = 60.0,
    ) -> None:
        """Make a publisher that gives up after `patience_s` without Kafka (None: never)."""
        self.log_ends = LogEnds()
        self._lead = lead
        self._closed_old_s = 0.0
        self._access = access
        self._patience_s = patience_s
        self._producer = Producer(access)
        self._filling: dict[tuple[str, int], RecordBatch] = {}
        self._in_flight: deque[RecordBatch] = deque()

    async def __aenter__(self) -> Self:
        """Connect."""
        try:
            await self._producer.start()
        except KAFKA_ERRORS:
            await self._send_again([])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, _: object, __: TracebackType | None
    ) -> None:
        """Flush if all went well, and close; on an error what is in flight is given up."""
        try:
            if kind is None:
                await self.flush()
        finally:
            self._forget()
            if kind is not None and issubclass(kind, NotLeadingError):
                await self._producer.abandon()
            else:
                await self._producer.stop()

    async def send(self, topic: str, key: str, value: bytes, headers: Headers) -> None:
        """Send one record; returns when there is room for more, not when it is acknowledged."""
        record = ProducerRecord(topic, key.encode("ascii"), value, headers)
        try:
            if not self._add(record):
                await self._put(record)
            now_s = asyncio.get_running_loop().time()
            if now_s - self._closed_old_s >= _OPEN_S / 2:
                await self._close_old(now_s)
        except KAFKA_ERRORS:
            await self._send_again([record])

    async def flush(self) -> None:
        """Return when everything sent so far was acknowledged."""
        try:
            await self._all_acknowledged()
        except KAFKA_ERRORS:
            await self._send_again([])

    def _add(self, record: ProducerRecord) -> bool:
        """Add a record to the open batch of its partition, if there is one and it has room.

        (Nearly every record goes this way: nothing is awaited on it.)
        """
        partition = self._producer.known_partition(record.topic, record.key)
        batch = None if partition is None else self._filling.get((record.topic, partition))
        return batch is not None and batch.add(record)

    async def _put(self, record: ProducerRecord) -> None:
        partition = await self._producer.partition(record.topic, record.key)
        batch = self._filling.get((record.topic, partition))
        if batch is not None and batch.add(record):
            return
        begun = self._producer.batch(record.topic, partition)
        self._filling[record.topic, partition] = begun
        begun.add(record)
        if batch is not None:
            await self._hand_over(batch)
        while len(self._in_flight) > _BATCHES_IN_FLIGHT:
            await self._acknowledged()

    async def _close_old(self, now_s: float) -> None:
        """Hand over what has been open for long (rule 5)."""
        self._closed_old_s = now_s
        for partition, batch in tuple(self._filling.items()):
            if now_s - batch.begun_s >= _OPEN_S:
                await self._hand_over(self._filling.pop(partition))

    async def _hand_over(self, batch: RecordBatch) -> None:
        self._in_flight.append(batch)
        failpoints.point("ingest.send.before")
        if self._lead is not None:
            await self._lead.check()
        async with asyncio.timeout(_DEADLINE_S):
            await self._producer.send(batch)
        failpoints.point("ingest.send.after")

    async def _acknowledged(self) -> None:
        """Wait for the oldest batch."""
        try:
            async with asyncio.timeout(_DEADLINE_S):
                acknowledgement = await self._in_flight[0].acknowledged()
        except TooLargeError as error:
            record = self._in_flight[0].records[0]
            raise PetstreamError(
                f"the record of key {(record.key or b'').decode()} is too large for Kafka "
                f"({len(record.value or b''):,} bytes): raise max.message.bytes of {record.topic}"
            ) from error
        failpoints.point("ingest.acknowledged")
        self._in_flight.popleft()
        self.log_ends.follow(acknowledgement)

    async def _all_acknowledged(self) -> None:
        for partition in tuple(self._filling):
            await self._hand_over(self._filling.pop(partition))
        while self._in_flight:
            await self._acknowledged()

    async def _send_again(self, further: Iterable[ProducerRecord]) -> None:
        """Send all that wasn't acknowledged by a new producer, until it is, or give up."""
        records = [record for batch in self._in_flight for record in batch.records]
        records += [record for batch in self._filling.values() for record in batch.records]
        known = {id(record) for record in records}
        records += [record for record in further if id(record) not in known]
        backoff = Backoff(_SEND_AGAIN, give_up_after_s=self._patience_s)
        while True:
            self._forget()
            await self._producer.stop()
            self._producer = Producer(self._access)
            try:
                async with asyncio.timeout(_DEADLINE_S):
                    await self._producer.start()
                for record in records:
                    await self._put(record)
                await self._all_acknowledged()
            except KAFKA_ERRORS as error:
                wait_s = backoff.failed()
                if wait_s is None:
                    if isinstance(error, StaleError):
                        raise PetstreamError(_CLOCKS) from error
                    raise UnreachableError(
                        f"Kafka at {self._access.bootstrap} is away ({type(error).__name__}): "
                        "start it and run this again; nothing is lost"
                    ) from error
                await asyncio.sleep(wait_s)
            else:
                return

    def _forget(self) -> None:
        for batch in self._in_flight:
            batch.forget()
        self._in_flight.clear()
        self._filling.clear()
