"""Logins of the embedded Postgres with few rights, for the parts of `up`: one writes, one reads.

Rule 1: the owner, whose password is `postgres.password`, migrates and purges, and is who a person
        comes in as; no part of `up` has that password.
Rule 2: each has a generated password in a file of its own, its owner's alone.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from console.embedded.process import write_private
from consumers.engine.postgres import connected
from consumers.engine.roles import CONSOLE, WRITER, let_in


class Logins(NamedTuple):
    """The URL for the consumers, and the one for the pages."""

    writer: str
    console: str


async def logins(data_dir: Path, owners_url: str) -> Logins:
    """Let both in; return how they come in. The database is migrated: the roles are there."""
    passwords = {role: _password(data_dir, role) for role in (WRITER, CONSOLE)}
    async with connected(owners_url) as connection:
        for role, password in passwords.items():
            await let_in(connection, role, password)
    writer, console = (_url(owners_url, role, text) for role, text in passwords.items())
    return Logins(writer, console)


def _password(data_dir: Path, role: str) -> str:
    kept = data_dir / f"{role}.password"
    password = kept.read_text().strip() if kept.exists() else ""
    if not password:
        password = secrets.token_urlsafe(24)
        write_private(kept, password)
    return password


def _url(owners_url: str, role: str, password: str) -> str:
    owners = urlsplit(owners_url)
    return owners._replace(netloc=f"{role}:{password}@{owners.hostname}:{owners.port}").geturl()
