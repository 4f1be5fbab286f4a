"""`table-topics rebuild`: the table topics made anew, and a line for each."""

from __future__ import annotations

from console.runtime.output import print_document, say
from consumers.admin import table_rebuild
from petstream.kafka.client import ensure_topics
from petstream.settings import KafkaAccess, Settings


async def rebuild(settings: Settings, *, kafka: KafkaAccess, dry_run: bool, as_json: bool) -> int:
    """Make the table topics anew, or say what they would hold; return the exit status."""
    await ensure_topics(kafka, settings.topic_prefix)
    tables = await table_rebuild.rebuild(
        kafka, settings.topic_prefix, settings.table_format, dry_run=dry_run
    )
    if as_json:
        print_document({
            "rebuilt": not dry_run,
            "format": settings.table_format,
            "tables": [table._asdict() for table in tables],
        })  # fmt: skip
        return 0
    for table in tables:
        verb = "would hold" if dry_run else "holds"
        say(f"{table.topic} {verb} {table.rows:,} rows, and {table.removed:,} keys that left")
    say("Nothing was changed." if dry_run else "Rebuilt. Whoever reads them reads them anew.")
    return 0
