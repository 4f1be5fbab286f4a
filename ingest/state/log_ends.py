"""How long the topics of pets and organisations are: the log must not be shorter than it was.

Rule 1: `export.completed` records it. A log that is shorter at the next look has lost records that
        were acknowledged: everything is read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from aiokafka import AIOKafkaConsumer

from ingest.publish.producer import TROUBLE
from petstream import topics
from petstream.errors import UnreachableError
from petstream.events import ExportEvent
from petstream.kafka.client import client_options
from petstream.settings import KafkaAccess

Measure = Callable[[], Awaitable[dict[str, int]]]
"""Gives the end offsets as they are now, by ``topic/partition``."""

_DEADLINE_S: Final = 30.0


async def end_offsets(kafka: KafkaAccess, prefix: str) -> dict[str, int]:
    """Return where every partition of pets and organisations ends, by ``topic/partition``."""
    names = {topic.full_name(prefix) for topic in (topics.ORGS, topics.PETS)}
    consumer = AIOKafkaConsumer(
        *names, **client_options(kafka), group_id=None, enable_auto_commit=False
    )
    try:
        async with asyncio.timeout(_DEADLINE_S):
            await consumer.start()
            while not _assigned(consumer, names):  # noqa: ASYNC110  aiokafka has no event for it
                await asyncio.sleep(0.02)
            ends = await consumer.end_offsets(sorted(consumer.assignment()))
    except TROUBLE as error:
        raise UnreachableError(
            f"Kafka at {kafka.bootstrap} went away while its topics were measured "
            f"({type(error).__name__}): start it and run this again"
        ) from error
    finally:
        await consumer.stop()
    return {f"{one.topic}/{one.partition}": end for one, end in ends.items()}


def _assigned(consumer: AIOKafkaConsumer, names: AbstractSet[str]) -> bool:
    return {one.topic for one in consumer.assignment()} == names


async def lost_since(kafka: KafkaAccess, prefix: str, newest: ExportEvent | None) -> str | None:
    """Say what the topics lost since the newest export was completed; None: nothing."""
    if newest is None or not newest.end_offsets:
        return None
    shorter = lost(newest.end_offsets, await end_offsets(kafka, prefix))
    if not shorter:
        return None
    return (
        f"records were lost: topics are shorter than when {newest.export_id} was completed "
        f"({'; '.join(shorter)}): pets_n is read"
    )


def lost(recorded: Mapping[str, int], now: Mapping[str, int]) -> list[str]:
    """Say which partitions are shorter than was recorded."""
    return [
        f"{place} ends at {now.get(place, 0):,}, not at {end:,} or behind"
        for place, end in sorted(recorded.items())
        if now.get(place, 0) < end
    ]
