"""The schema petstream counted for a purge, then dropped whole.

Rule 1: it works on any version of the schema, also on none: nothing is migrated for it.
Rule 2: no message holds the database's URL.
"""

from __future__ import annotations

from typing import NamedTuple

from consumers.engine.postgres import TROUBLE, connected, kind_of
from consumers.engine.queries import query
from petstream.errors import PetstreamError, UnreachableError


class InTables(NamedTuple):
    """What there is: rows by table, views, and what others have made of them."""

    schema: bool
    rows: dict[str, int]
    views: list[str]
    dependents: list[str]

    def __bool__(self) -> bool:
        """Tell whether anything is left."""
        return self.schema


async def survey(database_url: str) -> InTables:
    """Return what there is to drop.

    Raises:
        UnreachableError: Postgres is away.
        PetstreamError: it refuses.
    """
    rows: dict[str, int] = {}
    views: list[str] = []
    try:
        async with connected(database_url) as connection:
            schema = await connection.fetchval(query("purge_schema"))
            for name, counting in await connection.fetch(query("purge_relations")):
                if counting is None:
                    views.append(name)
                else:
                    rows[name] = await connection.fetchval(counting)
            dependents = [one["name"] for one in await connection.fetch(query("purge_dependents"))]
    except TROUBLE as error:
        raise _told(error) from None  # the cause may name the database's user
    return InTables(bool(schema), rows, views, dependents)


async def drop(database_url: str) -> None:
    """Drop the schema and all that depends on it.

    Raises:
        UnreachableError: Postgres is away, or somebody holds a table for long.
        PetstreamError: it refuses.
    """
    try:
        async with connected(database_url) as connection:
            await connection.execute(query("purge_drop"))
    except TROUBLE as error:
        raise _told(error) from None  # the cause may name the database's user


def _told(error: Exception) -> PetstreamError:
    name = type(error).__name__
    if kind_of(error) == "transient":
        return UnreachableError(
            f"Postgres can't be reached or is busy ({name}): "
            "start it, or mend PETSTREAM_DATABASE_URL, and run this again"
        )
    return PetstreamError(
        f"Postgres refuses ({name}): only the owner of the schema petstream may drop it; "
        "mend the user in PETSTREAM_DATABASE_URL, and run this again"
    )
