"""A rebuild of the table topics: made anew, and written from the log alone.

Rule 1: whoever reads them learns who left: a tombstone for each key that was a row before and isn't
        now, and for each that the log says was removed. So a table of theirs has no ghosts after
        it, also where an earlier rebuild was killed.
Rule 2: the consumer isn't running meanwhile; killed, it is run again.
"""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

from msgspec.structs import replace

from consumers.registry import group_of
from consumers.tables.columns import SHAPES
from consumers.tables.comparison import compare, written_table
from consumers.tables.keys import WrittenKey
from consumers.tables.table_writer import TableWriter
from petstream.errors import PetstreamError, UnreachableError
from petstream.kafka import groups
from petstream.kafka.admin import delete_topics, topic_names
from petstream.kafka.client import KAFKA_ERRORS, ensure_topics
from petstream.kafka.groups import InUseError
from petstream.kafka.reader import bounds
from petstream.settings import KafkaAccess, TableFormat
from petstream.topics import TABLES

_FOR_A_REBUILD: Final = "stop it (petstream up, petstream consume), then rebuild"


class RebuiltTable(NamedTuple):
    """A table topic: how many rows it has, and how many records say that a key left."""

    topic: str
    rows: int
    removed: int


async def rebuild(
    access: KafkaAccess, prefix: str, format_: TableFormat, *, dry_run: bool = False
) -> list[RebuiltTable]:
    """Make the table topics anew; return what they hold then (`dry_run`: would hold).

    Raises:
        PetstreamError: the consumer is running.
        UnreachableError: Kafka is away.
    """
    try:
        await groups.check_idle(access, group_of("tables", prefix))
        return await _rebuild(access, prefix, format_, dry_run=dry_run)
    except InUseError:
        raise PetstreamError(f"the consumer tables is running: {_FOR_A_REBUILD}") from None
    except KAFKA_ERRORS as error:
        raise UnreachableError(
            f"Kafka at {access.bootstrap} went away ({type(error).__name__}): start it, and "
            "rebuild again"
        ) from error


async def _rebuild(
    access: KafkaAccess, prefix: str, format_: TableFormat, *, dry_run: bool
) -> list[RebuiltTable]:
    names = [topic.full_name(prefix) for topic in TABLES]
    existing = await topic_names(access) & set(names)
    before: dict[str, dict[int, WrittenKey]] = {
        name: (await written_table(access, name)).keys for name in sorted(existing)
    }
    if not dry_run:
        await delete_topics(access, sorted(existing))
        await _made(access, prefix)
    sources = [shape.source.full_name(prefix) for shape in SHAPES]
    ends = {place: end for place, (_, end) in (await bounds(access, sources)).items()}
    comparison = await compare(access, prefix, format_, ends)
    writer = TableWriter(access, prefix, format_)
    rebuilt = []
    for table in comparison.tables:
        name = table.shape.topic.full_name(prefix)
        was_listed = {key for key, last in before.get(name, {}).items() if last.listed}
        gone = {key: logged for key, logged in table.logged.items() if not logged.listed}
        left = sorted(was_listed - table.logged.keys())
        rows = sum(logged.listed for logged in table.logged.values())
        if not dry_run:
            owed = replace(table.owed, removed=gone)
            await writer.pay(table._replace(owed=owed), left, comparison)
        rebuilt.append(RebuiltTable(name, rows, len(gone) + len(left)))
    return rebuilt


async def _made(access: KafkaAccess, prefix: str) -> None:
    """Make the topics; Kafka may still be at deleting one that it no longer lists."""
    async with asyncio.timeout(30):
        while True:
            await ensure_topics(access, prefix, wanted=TABLES)
            if {topic.full_name(prefix) for topic in TABLES} <= await topic_names(access):
                return
            await asyncio.sleep(0.2)
