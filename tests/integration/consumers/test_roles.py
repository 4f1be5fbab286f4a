"""Roles of Postgres: what each may do, whatever was made anew, and what goes without them."""

from __future__ import annotations

import asyncio
import secrets
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from console.embedded.postgres_logins import logins
from consumers.engine import roles
from consumers.engine.migrate import check_migrated, migrate, migrations
from petstream.errors import PetstreamError

pytestmark = pytest.mark.servers

RELATIONS = """
    SELECT relname, relkind::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = 'petstream' AND relkind IN ('r', 'v')"""


async def execute(url: str, *statements: str) -> list[Any]:
    """Return the rows of each statement."""
    connection = await asyncpg.connect(url)
    try:
        return [await connection.fetch(statement) for statement in statements]
    finally:
        await connection.close()


@asynccontextmanager
async def member(url: str, role: str | None, options: str = "") -> AsyncIterator[str]:
    """Make somebody who has the rights of a role, or none; give the URL of the database."""
    name = f"member_{secrets.token_hex(4)}"
    belongs = f"IN ROLE {role}" if role else ""
    await execute(url, f"CREATE ROLE {name} LOGIN PASSWORD 'x' {options} {belongs}")
    parts = urlsplit(url)
    try:
        yield parts._replace(netloc=f"{name}:x@{parts.hostname}:{parts.port}").geturl()
    finally:
        await execute(url, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


async def relations(url: str, kind: str) -> list[str]:
    """Return the names of the tables (r) or the views (v)."""
    (rows,) = await execute(url, RELATIONS)
    return [row["relname"] for row in rows if row["relkind"] == kind]


async def refused(url: str, *statements: str) -> list[str]:
    """Return which of these statements this user has no right to."""
    wrong = []
    for statement in statements:
        try:
            await execute(url, statement)
        except asyncpg.InsufficientPrivilegeError:
            wrong.append(statement)
    return wrong


async def readable(url: str, names: list[str]) -> list[str]:
    """Return which of these relations this user may read."""
    asked = {f"SELECT FROM petstream.{name} LIMIT 1": name for name in names}
    wrong = await refused(url, *asked)
    return [name for statement, name in asked.items() if statement not in wrong]


CHANGES = (
    "DELETE FROM petstream.pet",
    "UPDATE petstream.pet SET listed = false",
    "INSERT INTO petstream.picture_sweep VALUES (now())",
    "TRUNCATE petstream.pet",
    "DROP VIEW petstream.pets",
    "CREATE TABLE petstream.mine (id int)",
    "DELETE FROM petstream.schema_migration",
)


async def test_who_reads_for_the_pages_reads_everything_and_changes_nothing(
    database_url: str,
) -> None:
    names = await relations(database_url, "r") + await relations(database_url, "v")
    async with member(database_url, roles.CONSOLE) as url:
        assert await readable(url, names) == names
        assert await refused(url, *CHANGES) == list(CHANGES)


async def test_a_site_sees_the_views_and_nothing_else(database_url: str) -> None:
    tables, views = [await relations(database_url, kind) for kind in "rv"]
    async with member(database_url, roles.READER) as url:
        assert await readable(url, tables + views) == views
        assert await refused(url, *CHANGES) == list(CHANGES)


async def test_a_consumer_writes_rows_and_changes_no_schema(database_url: str) -> None:
    """What `up` does with a URL that isn't the owner's is nothing, where nothing is missing."""
    async with member(database_url, roles.WRITER) as url:
        await check_migrated(url)
        assert await migrate(url) == []
        assert await refused(url, *CHANGES) == list(CHANGES[3:])


async def test_a_user_who_has_no_role_sees_nothing(database_url: str) -> None:
    async with member(database_url, None) as url:
        assert await readable(url, await relations(database_url, "v")) == []
        with pytest.raises(PetstreamError):
            await check_migrated(url)


async def test_what_is_made_anew_is_seen_as_before(database_url: str) -> None:
    """A view by a migration, all of it by a rebuild."""
    (shown,) = await execute(
        database_url, "SELECT pg_get_viewdef('petstream.organizations'::regclass) AS view"
    )
    anew = [
        ["DROP VIEW petstream.organizations",
         f"CREATE VIEW petstream.organizations AS {shown[0]['view']}"],
        ["DROP SCHEMA petstream CASCADE"],
    ]  # fmt: skip
    async with member(database_url, roles.READER) as url:
        for statements in anew:
            await execute(database_url, *statements)
            await migrate(database_url)
            views = await relations(database_url, "v")
            assert await readable(url, views) == views
            assert "organizations" in views


async def test_without_the_right_to_make_roles_it_goes_on_and_says_what_makes_them(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = f"absent_{secrets.token_hex(4)}"
    monkeypatch.setattr(roles, "ROLES", {absent: "is on no server"})
    said: list[str] = []
    async with member(empty_database, None) as url:
        name = urlsplit(url).username
        database = urlsplit(url).path[1:]
        await execute(empty_database, f"GRANT CREATE ON DATABASE {database} TO {name}")
        assert await migrate(url, say=said.append) == [each.name for each in migrations()]
        (line,) = said
        assert f"CREATE ROLE {absent} NOLOGIN" in line
        assert "petstream migrate" in line
        await check_migrated(url)


async def test_roles_that_several_migrations_make_at_once_are_made_once(
    postgres: str, database_url: str, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = f"absent_{secrets.token_hex(4)}"
    monkeypatch.setattr(roles, "ROLES", {absent: "is on no server yet"})
    await asyncio.gather(migrate(database_url), migrate(empty_database))
    (rows,) = await execute(postgres, f"SELECT FROM pg_roles WHERE rolname = '{absent}'")
    await execute(postgres, f"DROP ROLE {absent}")
    assert len(rows) == 1


async def test_the_parts_of_up_come_in_with_few_rights_by_passwords_in_closed_files(
    tmp_path: Path, database_url: str
) -> None:
    made = await logins(tmp_path, database_url)
    assert made == await logins(tmp_path, database_url), "they stay"
    assert await refused(made.console, *CHANGES) == list(CHANGES)
    assert await refused(made.writer, *CHANGES) == list(CHANGES[3:])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"petstream_console.password": 0o600, "petstream_writer.password": 0o600}
