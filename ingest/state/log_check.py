"""Is the log still the one that the last completed export knew? Whoever appends asks here first.

Rule 1: a completed export says where each partition ended, and which record was its last there.
        What isn't there any more, though it was acknowledged, was lost: the log owes a snapshot.
Rule 2: a debt is published by whoever finds it and leads, before anything else is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec import UNSET

from petstream.events import DebtEvent, ExportEvent, LogEnd, Owed
from petstream.kafka.client import unreachable
from petstream.kafka.positions import standings
from petstream.kafka.records import TopicPartition
from petstream.settings import KafkaAccess

_NAMED: Final = 3  # partitions in a line for a person; the event has all of them


def ends_of(completed: ExportEvent | None) -> dict[TopicPartition, LogEnd]:
    """Return where the log ended for an export; that of 0.1 doesn't know the last records."""
    if completed is None:
        return {}
    if completed.ends is not UNSET:
        return {_partition(name): end for name, end in completed.ends.items()}
    return {_partition(name): LogEnd(end) for name, end in completed.end_offsets.items()}


def fold_ends_of(completed: ExportEvent | None) -> dict[TopicPartition, int]:
    """Return where the log ended when an export's run began; for 0.1, when it was completed."""
    if completed is None:
        return {}
    ends = completed.end_offsets if completed.fold_ends is UNSET else completed.fold_ends
    return {_partition(name): end for name, end in ends.items()}


async def lost_since(kafka: KafkaAccess, completed: ExportEvent | None) -> list[TopicPartition]:
    """Return the partitions that lost what was acknowledged when an export was completed."""
    return await lost_behind(kafka, ends_of(completed))


async def lost_behind(
    kafka: KafkaAccess, ends: Mapping[TopicPartition, LogEnd]
) -> list[TopicPartition]:
    """Return the partitions in which the record before a position isn't there any more."""
    async with unreachable(kafka, "its log was checked"):
        now = await standings(kafka, ends)
    return sorted(partition for partition, standing in now.items() if standing == "lost")


def loss(export_id: str, base: int, partitions: list[TopicPartition], when: str) -> DebtEvent:
    """Return the debt of records that were acknowledged, and aren't there any more.

    Args:
        export_id: of the run that found it, or of the last one that was completed.
        base: the highest that is known.
        partitions: where.
        when: they were acknowledged.
    """
    names = tuple(map(str, partitions))
    where = ", ".join(names[:_NAMED]) + (f", … {len(names)} partitions" if names[_NAMED:] else "")
    reason = f"the log lost records that were acknowledged {when} ({where})"
    return debt(export_id, base, "snapshot", reason, names)


def debt(
    export_id: str, base: int, owes: Owed, reason: str, partitions: tuple[str, ...] = ()
) -> DebtEvent:
    """Return a debt that was found now."""
    return DebtEvent(
        export_id=export_id,
        owes=owes,
        at=datetime.now(UTC).replace(microsecond=0),
        reason=reason,
        base=base,
        partitions=partitions,
    )


def _partition(name: str) -> TopicPartition:
    topic, _, number = name.rpartition("/")
    return TopicPartition(topic, int(number))
