"""Records sent and durable: a few one after the other, or a batch at once; a producer for each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from petstream.kafka import client
from petstream.kafka.records import ProducerRecord
from petstream.settings import KafkaAccess
from petstream.topics import MAX_MESSAGE_BYTES

_DEADLINE_S: Final = 40.0
_BATCH_BYTES: Final = 512 * 1024


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


async def send_batch(
    access: KafkaAccess, records: Sequence[ProducerRecord]
) -> list[ProducerRecord]:
    """Send records of different keys at once, and wait until all are durable.

    Returns:
        Those that Kafka finds too large. Raises as aiokafka does where any other isn't durable.
    """
    if not records:
        return []
    producer = AIOKafkaProducer(
        **client.producer_options(access),
        max_request_size=8 * MAX_MESSAGE_BYTES,
        max_batch_size=_BATCH_BYTES,
        enable_idempotence=True,
        linger_ms=5,
    )
    too_large: list[ProducerRecord] = []
    try:
        await client.start(producer)
        async with asyncio.timeout(_DEADLINE_S):
            sent = [
                await producer.send(
                    record.topic, record.value, key=record.key, headers=list(record.headers)
                )
                for record in records
            ]
            for record, acknowledged in zip(records, sent, strict=True):
                try:
                    await acknowledged
                except MessageSizeTooLargeError:
                    too_large.append(record)
    finally:
        await client.stop(producer)
    return too_large
