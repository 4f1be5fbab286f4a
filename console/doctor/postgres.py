"""What `doctor` asks of Postgres: is it there, of this version, and may we write? Changes nothing.

Rule 1: rights are asked for, not tried out.
"""

from __future__ import annotations

from typing import Final

from console.doctor.finding import Finding
from console.inspect.database_reader import Away, look
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


async def postgres(database_url: str) -> list[Finding]:
    """Look at the server, the schema and our rights."""
    seen = await look(database_url, {"server": (_SERVER, ())})
    if isinstance(seen, Away):
        mend = "start it, or mend PETSTREAM_DATABASE_URL"
        return [Finding("postgres", "fail", seen.why, mend)]
    server = seen["server"][0]
    found = [Finding("postgres", "pass", f"version {server['version']} answers")]
    if server["read_only"]:
        what = "it is read-only: a standby, or default_transaction_read_only is on"
        found.append(Finding("postgres", "fail", what, "connect to the primary"))
    tables = await look(database_url, {"applied": (_APPLIED, ()), "refused": (_REFUSED, ())})
    if isinstance(tables, Away):
        return [*found, Finding("postgres", "fail", tables.why, "run 'petstream migrate'")]
    found.append(_schema({row["name"]: row["checksum"] for row in tables["applied"]}))
    refused = [row["name"] for row in tables["refused"]]
    if refused:
        what = f"this user may not write {', '.join(refused[:4])}"
        return [*found, Finding("postgres", "fail", what, "connect as the schema's owner")]
    return [*found, Finding("postgres", "pass", "this user may write petstream's tables")]


def _schema(applied: dict[str, str]) -> Finding:
    known = {one.name: one.checksum for one in migrations()}
    newer = sorted(applied.keys() - known.keys())
    if newer:
        what = f"the database is of a newer petstream (it has {newer[-1]})"
        return Finding("postgres", "fail", what, "update this one")
    lacking = [name for name in known if name not in applied]
    if lacking:
        what = f"migrations are missing: {', '.join(lacking)}"
        return Finding("postgres", "fail", what, "run 'petstream migrate'")
    if applied != known:
        what = "a migration was edited after it was applied"
        return Finding("postgres", "fail", what, "restore the files of consumers/sql/migrations")
    return Finding("postgres", "pass", f"all {len(known)} migrations are applied")
