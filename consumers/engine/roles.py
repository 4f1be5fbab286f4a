"""The roles of Postgres: who writes, who reads everything, and who reads the views.

Rule 1: roles belong to the whole server, rights to a database: roles are made once, and each
        migration gives them what they lack, in its own transaction. So what is made anew has its
        rights at the moment it is seen.
Rule 2: whoever may not make roles goes without, and is told what to run.
Rule 3: nobody comes in as one of them, unless it is given a password, or somebody made a member.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from consumers.engine.postgres import Connection
from consumers.engine.queries import query

WRITER: Final = "petstream_writer"
CONSOLE: Final = "petstream_console"
READER: Final = "petstream_reader"
ROLES: Final = {
    WRITER: "applies events to the tables",
    CONSOLE: "reads tables and views, for the pages",
    READER: "reads the views, for sites",
}

_UNLESS_MADE: Final = """
DO $made$ BEGIN {};
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $made$
"""
"""The migration of another database may be making them as well."""


async def make_roles(connection: Connection, say: Callable[[str], None]) -> None:
    """Make the roles that aren't there yet, or say what makes them."""
    rows = await connection.fetch(query("missing_roles"), list(ROLES))
    if not rows:
        return
    statements = [f"CREATE ROLE {row['name']} NOLOGIN" for row in rows]
    if not rows[0]["may_make"]:
        say(
            "this user may not make roles, so nobody but the owner has rights; to have them, let "
            f"somebody who may run: {'; '.join(statements)}; and then run 'petstream migrate'"
        )
        return
    for statement in statements:
        await connection.execute(_UNLESS_MADE.format(statement))


async def grant_rights(connection: Connection) -> None:
    """Give the roles that there are what they lack (rule 1)."""
    await connection.execute(query("grant_rights"))


async def let_in(connection: Connection, role: str, password: str) -> None:
    """Let somebody come in as this role; letters, digits, `-` and `_` make a password."""
    await connection.execute(f"ALTER ROLE {role} LOGIN PASSWORD '{password}'")
