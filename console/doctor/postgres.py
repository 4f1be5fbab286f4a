"""`doctor` on Postgres: is it there, of this version, and may we write? Changes nothing.

Rule 1: rights are asked for, not tried out.
"""

from __future__ import annotations

from typing import Final

from console.doctor.check_result import CheckResult
from console.embedded.endpoints import address_of
from console.inspect.database_reader import Unavailable, fetch_rows
from consumers.engine.migrate import migrations

_SERVER: Final = """
SELECT current_setting('server_version') AS version,
       pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool AS read_only
"""
_APPLIED: Final = "SELECT name, checksum FROM petstream.schema_migration"
_REFUSED: Final = """
SELECT relation.relname AS name
FROM pg_class AS relation JOIN pg_namespace AS space ON space.oid = relation.relnamespace
WHERE space.nspname = 'petstream' AND relation.relkind IN ('r', 'p')
  AND NOT (has_table_privilege(relation.oid, 'INSERT')
           AND has_table_privilege(relation.oid, 'UPDATE')
           AND has_table_privilege(relation.oid, 'DELETE'))
ORDER BY 1
"""


async def check_postgres(database_url: str) -> list[CheckResult]:
    """Check the server, the schema and our rights."""
    rows = await fetch_rows(database_url, {"server": (_SERVER, ())})
    if isinstance(rows, Unavailable):
        mend = "start it, or mend PETSTREAM_DATABASE_URL"
        return [CheckResult("postgres", "fail", rows.reason, mend)]
    server = rows["server"][0]
    results = [
        CheckResult(
            "postgres", "pass", f"version {server['version']} answers at {address_of(database_url)}"
        )
    ]
    if server["read_only"]:
        what = "it is read-only: a standby, or default_transaction_read_only is on"
        results.append(CheckResult("postgres", "fail", what, "connect to the primary"))
    tables = await fetch_rows(database_url, {"applied": (_APPLIED, ()), "refused": (_REFUSED, ())})
    if isinstance(tables, Unavailable):
        return [*results, CheckResult("postgres", "fail", tables.reason, "run 'petstream migrate'")]
    results.append(_schema({row["name"]: row["checksum"] for row in tables["applied"]}))
    refused = [row["name"] for row in tables["refused"]]
    if refused:
        what = f"this user may not write {', '.join(refused[:4])}"
        return [*results, CheckResult("postgres", "fail", what, "connect as the schema's owner")]
    return [*results, CheckResult("postgres", "pass", "this user may write petstream's tables")]


def _schema(applied: dict[str, str]) -> CheckResult:
    expected = {migration.name: migration.checksum for migration in migrations()}
    newer = sorted(applied.keys() - expected.keys())
    if newer:
        what = f"the database is of a newer petstream (it has {newer[-1]})"
        return CheckResult("postgres", "fail", what, "update this one")
    lacking = [name for name in expected if name not in applied]
    if lacking:
        what = f"migrations are missing: {', '.join(lacking)}"
        return CheckResult("postgres", "fail", what, "run 'petstream migrate'")
    if applied != expected:
        what = "a migration was edited after it was applied"
        return CheckResult(
            "postgres", "fail", what, "restore the files of consumers/sql/migrations"
        )
    return CheckResult("postgres", "pass", f"all {len(expected)} migrations are applied")
