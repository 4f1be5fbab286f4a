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
    producer = AIOKafkaProducer(
        **client.producer_options(access),
        max_request_size=8 * MAX_MESSAGE_BYTES,  # before compression; the broker has the last word
    )
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
