"""The table topics and the log read from their beginnings and compared: what is owed, and why.

Rule 1: positions first, then what was written, then the log: so what lies before a position was
        written by somebody, and is among what was read.
Rule 2: a snapshot settles something only while the records that its *completed* names are there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing
from typing import NamedTuple

from consumers.audit.folded_log import Log, last_completed
from consumers.tables.columns import SHAPES, TableShape
from consumers.tables.keys import (
    LoggedKey,
    Owed,
    SettlingSnapshot,
    TableKeys,
    WrittenTable,
    logged,
    owed,
    unstated_of,
)
from petstream import fold
from petstream.kafka.reader import bounds, read
from petstream.kafka.records import ConsumerRecord, TopicPartition
from petstream.settings import KafkaAccess, TableFormat


class ComparedTable(NamedTuple):
    """One table topic: what is known of its keys, and what it owes."""

    shape: TableShape
    logged: Mapping[int, LoggedKey]
    keys: TableKeys
    owed: Owed
    misplaced: int


class TableComparison(NamedTuple):
    """All table topics; the snapshot is the one that the log's newest *completed* names."""

    tables: tuple[ComparedTable, ...]
    log: Log


async def compare(
    access: KafkaAccess,
    prefix: str,
    format_: TableFormat,
    reached: Mapping[TopicPartition, int],
) -> TableComparison:
    """Compare all table topics with the log, as far as `reached`; raises as aiokafka does."""
    written = [await written_table(access, shape.topic.full_name(prefix)) for shape in SHAPES]
    log = await last_completed(access, prefix)
    tables = []
    for shape, table in zip(SHAPES, written, strict=True):
        newest = await logged_keys(access, shape.source.full_name(prefix))
        mark = shape.mark(format_)
        due = owed(newest, table.keys, reached=reached, shape=mark, snapshot=_snapshot(log, shape))
        keys = TableKeys(newest, table.keys, mark)
        tables.append(ComparedTable(shape, newest, keys, due, table.misplaced))
    return TableComparison(tuple(tables), log)


async def written_table(access: KafkaAccess, topic: str) -> WrittenTable:
    """Return what a table topic holds; raises as aiokafka does."""
    ends = {partition: end for partition, (_, end) in (await bounds(access, [topic])).items()}
    table = WrittenTable(len(ends))
    async with aclosing(read(access, ends)) as batches:
        async for records in batches:
            table.take(records)
    return table


async def logged_keys(access: KafkaAccess, topic: str) -> dict[int, LoggedKey]:
    """Return the newest event of each key of pets.v1 or orgs.v1; raises as aiokafka does."""
    ends = {partition: end for partition, (_, end) in (await bounds(access, [topic])).items()}
    newest: dict[int, LoggedKey] = {}
    async with aclosing(read(access, ends)) as batches:
        async for records in batches:
            for record in records:
                key = fold.key_of(record.key)
                if key is not None:
                    known = logged(newest.get(key), record)
                    if known is not None:
                        newest[key] = known
    return newest


async def events_of(
    access: KafkaAccess, keys: Collection[LoggedKey]
) -> AsyncGenerator[list[ConsumerRecord], None]:
    """Give the records that these events lie in; raises as aiokafka does."""
    places: dict[TopicPartition, set[int]] = {}
    for key in keys:
        places.setdefault(key.place, set()).add(key.offset)
    ends = {place: max(offsets) + 1 for place, offsets in places.items()}
    begins = {place: min(offsets) for place, offsets in places.items()}
    async with aclosing(read(access, ends, begins)) as batches:
        async for batch in batches:
            yield [record for record in batch if record.offset in places[record.topic_partition]]


def _snapshot(log: Log, shape: TableShape) -> SettlingSnapshot | None:
    if log.snapshot is None or log.is_snapshot_lost:
        return None
    return SettlingSnapshot(
        log.snapshot.sequence, unstated_of(log.snapshot.unstated, shape.source.name)
    )
