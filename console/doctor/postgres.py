"""`doctor` on Postgres: is it there, of this version, and may we write? Changes nothing.

Rule 1: it goes through the door that the parts go through, and says what they would say.
Rule 2: rights are asked for, not tried out.
"""

from __future__ import annotations

from typing import Final

from console.doctor.check_result import CheckResult
from consumers.engine.migrate import lacking, migrations, unwritable
from consumers.engine.postgres import TROUBLE, Connection, NotWritableError, connected, in_words
from consumers.engine.queries import query
from petstream.postgres import url as postgres_url

_VERSION: Final = "SELECT current_setting('server_version')"
_APPLIED: Final = "SELECT name, checksum FROM petstream.schema_migration"
_AREA: Final = "postgres"


async def check_postgres(database_url: str) -> list[CheckResult]:
    """Check the server, the schema and our rights."""
    results: list[CheckResult] = []
    try:
        try:
            async with connected(database_url) as connection:
                results += await _looked_at(connection, database_url)
        except NotWritableError as error:  # the rest is looked at all the same
            results.append(_failed(str(error)))
            async with connected(database_url, only_reads=True) as connection:
                results += await _looked_at(connection, database_url)
    except TROUBLE as error:
        results.append(_failed(in_words(error)))
    return results


async def _looked_at(connection: Connection, database_url: str) -> list[CheckResult]:
    url = postgres_url.read(database_url)
    version = await connection.fetchval(_VERSION)
    results = [CheckResult(_AREA, "pass", f"version {version} answers at {url}")]
    results += [
        CheckResult(_AREA, "warn", line, "take it out of PETSTREAM_DATABASE_URL, or leave it")
        for line in url.passed_over
    ]
    if not await connection.fetchval("SELECT to_regclass('petstream.schema_migration')"):
        return [*results, _schema({})]
    applied = {row["name"]: row["checksum"] for row in await connection.fetch(_APPLIED)}
    results.append(_schema(applied))
    refused = [row["name"] for row in await connection.fetch(query("unwritable_tables"))]
    if refused:
        return [*results, _failed(unwritable(refused))]
    return [*results, CheckResult(_AREA, "pass", "this user may write petstream's tables")]


def _failed(what: str, mend: str = "mend what the line names") -> CheckResult:
    return CheckResult(_AREA, "fail", what, mend)


def _schema(applied: dict[str, str]) -> CheckResult:
    expected = {migration.name: migration.checksum for migration in migrations()}
    newer = sorted(applied.keys() - expected.keys())
    if newer:
        return _failed(
            f"the database is of a newer petstream (it has {newer[-1]})", "update this one"
        )
    missing = [name for name in expected if name not in applied]
    if missing:
        return _failed(lacking(missing), "run 'petstream migrate'")
    if applied != expected:
        return _failed(
            "a migration was edited after it was applied",
            "restore the files of consumers/sql/migrations",
        )
    return CheckResult(_AREA, "pass", f"all {len(expected)} migrations are applied")
