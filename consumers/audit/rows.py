"""The tables beneath the views at one moment: each row's event, and how far consumers are.

Rule 1: rows and positions are of one snapshot: a batch moves both in one transaction.
Rule 2: the snapshot is short, and over before the log is measured: so the log can't be behind it,
        and no row is newer than it but where the log lost records.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final, NamedTuple

from consumers.engine.postgres import Connection
from consumers.engine.queries import query
from consumers.engine.subscription import Place

_AT_ONCE: Final = 2_000


class Row(NamedTuple):
    """Which event a row is of, and whether it is on the lists."""

    sequence: int
    digest: str
    listed: bool


class Tables(NamedTuple):
    """The rows of each query by key, and the positions of each consumer."""

    rows: dict[str, dict[int, Row]]
    positions: dict[str, dict[Place, int]]


async def looked_at(connection: Connection, names: list[str]) -> Tables:
    """Return what the queries of these names find, all at one moment; raises as asyncpg does."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        positions: dict[str, dict[Place, int]] = defaultdict(dict)
        for row in await connection.fetch(query("audit_positions")):
            positions[row["consumer"]][Place(row["topic"], row["partition"])] = row["next_offset"]
        rows = {name: await _rows(connection, name) for name in names}
    return Tables(rows, dict(positions))


async def _rows(connection: Connection, name: str) -> dict[int, Row]:
    found: dict[int, Row] = {}
    async for row in connection.cursor(query(name), prefetch=_AT_ONCE):
        found[row["key"]] = Row(row["sequence"], row["digest"], row["listed"])
    return found
