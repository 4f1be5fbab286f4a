"""Rows written by a query of ours, many in a statement: Postgres begins it once for all."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

from consumers.engine.postgres import Connection
from consumers.engine.queries import query, several

AT_ONCE: Final = 16
"""Rows of one statement, where there are as many: each costs Postgres a tenth less than alone."""


async def write_rows(
    connection: Connection,
    name: str,
    rows: Iterable[tuple[Any, ...]],
    together: int,
    *,
    fixed: int | None = None,
) -> None:
    """Write rows, one at least and none of another's key, in groups of `AT_ONCE`, the rest alone.

    Args:
        connection: in a transaction.
        name: of the query.
        rows: each one's parameters. Best no list: they are made while Postgres works.
        together: how many they are; 0: none is grouped.
        fixed: the parameter that is false for all of them, if there is one (see `several`).
    """
    left, groups = iter(rows), together // AT_ONCE
    if groups:
        joined = (_in_a_row(islice(left, AT_ONCE), fixed) for _ in range(groups))
        await connection.executemany(several(name, AT_ONCE, fixed), joined)
    if not together or together > groups * AT_ONCE:
        await connection.executemany(query(name), left)


def _in_a_row(group: Iterable[tuple[Any, ...]], fixed: int | None) -> list[Any]:
    """Return the parameters of several rows, without the one that is fixed."""
    if fixed is None:
        return [value for row in group for value in row]
    return [value for row in group for value in (*row[: fixed - 1], *row[fixed:])]
