"""How far a consumer is: the offsets that are stored in Postgres with its data.

Rule 1: an offset moves in the transaction of the data, only from the value it was read as.
"""

from __future__ import annotations

from collections.abc import Mapping

from consumers.engine.postgres import Connection
from consumers.engine.queries import query
from petstream.kafka.records import TopicPartition


class MovedError(Exception):
    """Somebody else moved an offset: another member, a replay, or a restored database."""


async def stored(connection: Connection, consumer: str) -> dict[TopicPartition, int]:
    """Return the stored offsets of a consumer."""
    rows = await connection.fetch(query("read_positions"), consumer)
    return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def advance(
    connection: Connection,
    consumer: str,
    held: Mapping[TopicPartition, int | None],
    ends: Mapping[TopicPartition, int],
) -> None:
    """Store new offsets in place of those held.

    Raises:
        MovedError: an offset isn't what is held.
    """
    for partition, end in sorted(ends.items()):
        before = held[partition]
        key = consumer, partition.topic, partition.partition
        if before is None:
            row = await connection.fetchrow(query("begin_position"), *key, end)
        else:
            row = await connection.fetchrow(query("move_position"), *key, end, before)
        if row is None:
            raise MovedError


def begins_at(stored: int | None, committed: int | None, begin: int, end: int) -> int:
    """Return where a consumer begins: at the lower of both, if the log still holds that.

    >>> begins_at(40, 100, 0, 120), begins_at(None, 100, 0, 120), begins_at(500, 500, 7, 120)
    (40, 0, 7)
    """
    start = min(stored or 0, committed or 0)
    return start if begin <= start <= end else begin


def stalled(
    ends: Mapping[TopicPartition, int], positions: Mapping[TopicPartition, int | None]
) -> list[TopicPartition]:
    """Return the partitions that are still before the ends they had at the last probe.

    >>> stalled({TopicPartition("pets.v1", 0): 9}, {TopicPartition("pets.v1", 0): 8})
    [TopicPartition(topic='pets.v1', partition=0)]
    """
    return [
        partition
        for partition, position in positions.items()
        if position is not None and position < ends.get(partition, 0)
    ]
