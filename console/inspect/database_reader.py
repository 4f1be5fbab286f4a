"""Reads Postgres for the console: rows of the views, or the reason why there are none.

Rule 1: an absent database is an answer, not an error: status and explain must work without it.
Rule 2: it is reached through the consumers' door, so what is said of it is said in their words.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from consumers.engine.postgres import TROUBLE, connected, in_words

_QUERY_S: Final = 30.0

Rows = dict[str, list[dict[str, Any]]]
"""The rows of each query, by its name."""


class Unavailable(NamedTuple):
    """Postgres can't be asked, and why: a line."""

    reason: str


async def fetch_rows(
    database_url: str | None,
    queries: Mapping[str, tuple[str, tuple[Any, ...]]],
    *,
    within_s: float | None = None,
) -> Rows | Unavailable:
    """Return the rows of each query, all seen at one moment; or why that can't be."""
    if database_url is None:
        return Unavailable("not reachable (none is running, or PETSTREAM_DATABASE_URL isn't set)")
    try:
        async with (
            asyncio.timeout(within_s),
            connected(database_url, only_reads=True, command_s=_QUERY_S) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            return {
                name: [dict(row) for row in await connection.fetch(sql, *arguments)]
                for name, (sql, arguments) in queries.items()
            }
    except TROUBLE as error:
        return Unavailable(in_words(error))
