"""A few records sent, each durable before the next: what isn't worth a producer of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaProducer

from petstream.kafka import client
from petstream.kafka.records import ProducerRecord
from petstream.settings import KafkaAccess
from petstream.topics import MAX_MESSAGE_BYTES

_DEADLINE_S: Final = 40.0


async def send_all(access: KafkaAccess, records: Sequence[ProducerRecord]) -> None:
    """Send records and wait until each is durable; raises as aiokafka does."""
    await _send(access, records, max_request_size=MAX_MESSAGE_BYTES)


async def send_compressed(access: KafkaAccess, record: ProducerRecord) -> None:
    """Send a record that may be too large for Kafka otherwise; raises as aiokafka does."""
    await _send(
        access,
        [record],
        compression_type="zstd",
        max_request_size=8 * MAX_MESSAGE_BYTES,  # before compression; the broker has the last word
    )


async def _send(
    access: KafkaAccess, records: Sequence[ProducerRecord], **options: str | int
) -> None:
    producer = AIOKafkaProducer(**client.client_options(access), acks="all", **options)
    try:
        await client.start(producer)
        async with asyncio.timeout(_DEADLINE_S):
            for record in records:
                await producer.send_and_wait(
                    record.topic,
                    record.value,
                    key=record.key,
                    partition=record.partition,
                    headers=list(record.headers),
                )
    finally:
        await client.stop(producer)
