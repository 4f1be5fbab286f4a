"""Bring the database to this version: numbered SQL files, each applied once, in one transaction.

Rule 1: what was applied is never edited: its checksum is compared.
Rule 2: two at once wait for each other (an advisory lock), and never long for a table's lock.
Rule 3: roles have their rights on what was made, in the same transaction (see `roles`). Where
        nothing is missing, whoever may only write is no obstacle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Final, NamedTuple

from consumers.engine.postgres import Connection, connected, in_words, kind_of
from consumers.engine.queries import query
from consumers.engine.roles import grant_rights, make_roles
from petstream.errors import PetstreamError, UnreachableError

_LOCK: Final = 0x70657473
_LOCK_TIMEOUT: Final = "10s"
_TABLE: Final = """
CREATE SCHEMA IF NOT EXISTS petstream;
CREATE TABLE IF NOT EXISTS petstream.schema_migration (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
"""


class Migration(NamedTuple):
    """One file of consumers/sql/migrations."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """The SHA-256 of the text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


async def migrate(
    database_url: str, *, say: Callable[[str], None] = lambda _line: None
) -> list[str]:
    """Apply what is missing, and see to the roles; return the names of what was applied now.

    Args:
        database_url: the owner's, or the one of whoever is to own the schema.
        say: takes a line about what this user may not do.
    """
    try:
        async with connected(database_url) as connection, connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            if await connection.fetchval(query("is_others")):
                missing = await _missing(connection)
                if not missing:
                    _require_writable(await _unwritable_tables(connection))
                    return []
            await connection.execute(_TABLE)
            missing = await _missing(connection)
            for migration in missing:
                await connection.execute(migration.sql)
                await connection.execute(
                    "INSERT INTO petstream.schema_migration (name, checksum) VALUES ($1, $2)",
                    migration.name,
                    migration.checksum,
                )
            await make_roles(connection, say)
            await grant_rights(connection)
            return [migration.name for migration in missing]
    except Exception as error:
        raise _explained(error) from error


async def check_migrated(database_url: str, *, only_reads: bool = False) -> None:
    """Return if the database is at this version and ours to write.

    Raises:
        PetstreamError: it isn't.
        UnreachableError: Postgres is away.
    """
    try:
        async with connected(database_url, only_reads=only_reads) as connection:
            missing = await _missing_in(connection)
            refused = [] if only_reads else await _unwritable_tables(connection)
    except Exception as error:
        raise _explained(error) from error
    if missing:
        raise PetstreamError(lacking(missing))
    _require_writable(refused)


async def missing_migrations(database_url: str) -> list[str]:
    """Return the names of the migrations that were not applied yet; changes nothing."""
    try:
        async with connected(database_url, only_reads=True) as connection:
            return await _missing_in(connection)
    except Exception as error:
        raise _explained(error) from error


def lacking(names: Sequence[str]) -> str:
    """Return what is wrong where these migrations were not applied."""
    return f"the database lacks {', '.join(names)}: run 'petstream migrate'"


async def _unwritable_tables(connection: Connection) -> list[str]:
    return [row["name"] for row in await connection.fetch(query("unwritable_tables"))]


def _require_writable(refused: Sequence[str]) -> None:
    if refused:
        raise PetstreamError(unwritable(refused))


def unwritable(tables: Sequence[str]) -> str:
    """Return what is wrong where these tables may not be written."""
    shown = ", ".join(tables[:4]) + (", …" if len(tables) > 4 else "")  # noqa: PLR2004  a line has room for so many
    return (
        f"this user may not write petstream's tables ({shown}): connect as the owner of the schema "
        "petstream; mend the user in PETSTREAM_DATABASE_URL"
    )


def migrations() -> list[Migration]:
    """Return all there are, in order."""
    directory = files("consumers") / "sql" / "migrations"
    sql_files = [file for file in directory.iterdir() if file.name.endswith(".sql")]
    return [
        Migration(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        for file in sorted(sql_files, key=lambda file: file.name)
    ]


async def _missing_in(connection: Connection) -> list[str]:
    if await connection.fetchval("SELECT to_regclass('petstream.schema_migration')"):
        return [migration.name for migration in await _missing(connection)]
    return [migration.name for migration in migrations()]


async def _missing(connection: Connection) -> list[Migration]:
    rows = await connection.fetch("SELECT name, checksum FROM petstream.schema_migration")
    applied = {row["name"]: row["checksum"] for row in rows}
    known = {migration.name: migration for migration in migrations()}
    newer = sorted(applied.keys() - known.keys())
    if newer:
        raise PetstreamError(
            f"the database is of a newer petstream (it has {newer[-1]}): update this one"
        )
    for name, checksum in applied.items():
        if known[name].checksum != checksum:
            raise PetstreamError(
                f"migration {name} was edited after it was applied: restore the file, "
                "and put the change into a new migration"
            )
    return [migration for name, migration in known.items() if name not in applied]


def _explained(error: Exception) -> Exception:
    if kind_of(error) == "transient" and not isinstance(error, UnreachableError):
        return UnreachableError(in_words(error))
    return error
