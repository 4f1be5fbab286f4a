"""How far a consumer is, in Postgres.

Rule 1: a position moves in the transaction of the data, only from the value it was read as.
"""

from __future__ import annotations

from collections.abc import Mapping

from consumers.kafka import Place
from consumers.postgres import Connection
from consumers.queries import query


class MovedError(Exception):
    """Somebody else moved a position: another member, a replay, or a restored database."""


async def stored(connection: Connection, consumer: str) -> dict[Place, int]:
    """Return the positions of a consumer."""
    rows = await connection.fetch(query("read_positions"), consumer)
    return {Place(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def move(
    connection: Connection,
    consumer: str,
    held: Mapping[Place, int | None],
    ends: Mapping[Place, int],
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
