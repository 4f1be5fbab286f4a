"""How long the topics of pets and organisations are: the log must not be shorter than it was.

Rule 1: `export.completed` records it. A log that is shorter at the next look has lost records that
        were acknowledged: everything is read again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from petstream import topics
from petstream.events import ExportEvent
from petstream.fold import truncated
from petstream.kafka.client import unreachable
from petstream.kafka.reader import bounds
from petstream.settings import KafkaAccess

Measure = Callable[[], Awaitable[dict[str, int]]]
"""Gives the end offsets as they are now, by ``topic/partition``."""


async def end_offsets(kafka: KafkaAccess, prefix: str) -> dict[str, int]:
    """Return where every partition of pets and organisations ends, by ``topic/partition``."""
    names = [topic.full_name(prefix) for topic in (topics.PETS, topics.ORGS)]
    with unreachable(kafka, "its topics were measured"):
        measured = await bounds(kafka, names)
    return {str(partition): end for partition, (_, end) in measured.items()}


async def lost_since(kafka: KafkaAccess, prefix: str, newest: ExportEvent | None) -> str | None:
    """Say what the topics lost since the newest export was completed; None: nothing."""
    if newest is None or not newest.end_offsets:
        return None
    shorter = truncated(newest.end_offsets, await end_offsets(kafka, prefix))
    if not shorter:
        return None
    return (
        f"records were lost: topics are shorter than when {newest.export_id} was completed "
        f"({'; '.join(shorter)}): pets_n is read"
    )
