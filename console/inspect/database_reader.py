"""Reads Postgres for the console: rows of the views, or the reason why there are none.

Rule 1: an absent database is an answer, not an error: status and explain must work without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import asyncpg

_CONNECT_S: Final = 5.0
_QUERY_S: Final = 30.0

Rows = dict[str, list[dict[str, Any]]]
"""The rows of each query, by its name."""


class Unavailable(NamedTuple):
    """Postgres can't be asked, and why."""

    reason: str


async def fetch_rows(
    database_url: str | None, queries: Mapping[str, tuple[str, tuple[Any, ...]]]
) -> Rows | Unavailable:
    """Return the rows of each query, all seen at one moment; or why that can't be."""
    if database_url is None:
        return Unavailable("not reachable (none is running, or PETSTREAM_DATABASE_URL isn't set)")
    try:
        connection = await asyncpg.connect(
            database_url, timeout=_CONNECT_S, command_timeout=_QUERY_S
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return Unavailable(f"not reachable ({type(error).__name__})")
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return {
                name: [dict(row) for row in await connection.fetch(sql, *arguments)]
                for name, (sql, arguments) in queries.items()
            }
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return Unavailable("reachable, but without petstream's tables: run 'petstream migrate'")
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return Unavailable(f"went away while it was read ({type(error).__name__})")
    finally:
        await _close(connection)


async def _close(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    try:
        await connection.close(timeout=_CONNECT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()
