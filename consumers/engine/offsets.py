"""How far a consumer is, in Postgres.

Rule 1: a position moves in the transaction of the data, only from the value it was read as.
"""

from __future__ import annotations

from collections.abc import Mapping

from consumers.engine.postgres import Connection
from consumers.engine.queries import query
from petstream.kafka.records import TopicPartition


class MovedError(Exception):
    """Somebody else moved a position: another member, a replay, or a restored database."""


async def stored(connection: Connection, consumer: str) -> dict[TopicPartition, int]:
    """Return the positions of a consumer."""
    rows = await connection.fetch(query("read_positions"), consumer)
    return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def move(
    connection: Connection,
    consumer: str,
    held: Mapping[TopicPartition, int | None],
    ends: Mapping[TopicPartition, int],
) -> bool:
    """Move positions from those held to the new ones; False if one isn't what is held."""
    for place, end in sorted(ends.items()):
        before = held[place]
        if before is None:
            begin = query("begin_position")
            row = await connection.fetchrow(begin, consumer, *place, end)
        else:
            row = await connection.fetchrow(query("move_position"), consumer, *place, end, before)
        if row is None:
            return False
    return True


def stalled(
    ends: Mapping[TopicPartition, int], positions: Mapping[TopicPartition, int | None]
) -> list[TopicPartition]:
    """Return the partitions that are still before the ends they had at the last probe.

    >>> stalled({TopicPartition("pets.v1", 0): 9}, {TopicPartition("pets.v1", 0): 8})
    [TopicPartition(topic='pets.v1', partition=0)]
    """
    return [place for place, at in positions.items() if at is not None and at < ends.get(place, 0)]
