"""The consumer tables: keeps the table topics in step with the log, and puts right what isn't.

Rule 1: a record is written only for a key's newest event, and only if it isn't there: duplicates,
        late events and rewinds write nothing.
Rule 2: at the beginning of each session, and behind each completed export, the whole table topic is
        compared with the log, and what is owed is written: after a crash, where the table topic
        lost records or was deleted, where rows are of another shape.
Rule 3: what only the table topic lists has left once a snapshot says so; whom Postgres still lists
        then (a sweep is held, or a person kept them), stays. What the log doesn't know and no
        snapshot settles stands, and a snapshot is asked for.
Rule 4: rows are durable before the position moves; it is locked meanwhile, so of two members one
        writes.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final, NamedTuple

from consumers.engine.batch import newest
from consumers.engine.postgres import Connection
from consumers.engine.queries import query
from consumers.engine.runner import Consumer
from consumers.pets import current
from consumers.registry import CONSUMERS, group_of
from consumers.tables.columns import PET_TABLE, SHAPES, TableShape
from consumers.tables.comparison import ComparedTable, TableComparison, compare, events_of
from consumers.tables.keys import LoggedKey, TableKeys
from consumers.tables.rows import null_record, row_record, shape_of, time_text
from petstream import codec
from petstream.codec import Envelope, UndecodableError
from petstream.events import SnapshotRequest
from petstream.fold import Rank
from petstream.kafka.client import ensure_topics
from petstream.kafka.records import ConsumerRecord, ProducerRecord, TopicPartition
from petstream.kafka.requests import request_record
from petstream.kafka.writer import send_all, send_batch
from petstream.metrics import TABLE_KEYS_KEPT, TABLE_KEYS_MISPLACED, TABLE_MENDED, TABLE_RECORDS
from petstream.settings import KafkaAccess, TableFormat
from petstream.topics import EXPORTS, TABLES

_AT_ONCE: Final = 1_000
_LISTED: Final = {True: "tables_listed_pets", False: "tables_listed_organizations"}

_log = logging.getLogger(__name__)


class ExportCompleted(NamedTuple):
    """An export was completed: compare."""


class _TableWrite(NamedTuple):
    """A record to write, and what is known of its key once it is durable."""

    shape: TableShape
    key: int
    rank: Rank
    listed: bool
    changed: str
    record: ProducerRecord


Item = Envelope | ExportCompleted


def consumer(access: KafkaAccess, prefix: str, format_: TableFormat) -> Consumer[Item]:
    """Return the consumer tables."""
    writer = TableWriter(access, prefix, format_)
    return Consumer(
        "tables", CONSUMERS["tables"].topics, read, writer.apply, begin=writer.compare,
        after=writer.settle, position_first=True,
    )  # fmt: skip


def read(record: ConsumerRecord) -> Item | None:
    """Return a change of a pet or an organisation, or that an export was completed."""
    if record.topic.endswith(EXPORTS.name):
        type_ = dict(record.headers).get("ce_type", b"")
        return ExportCompleted() if type_.endswith(b"export.completed") else None
    return codec.decode(record.headers, record.value)


class TableWriter:
    """Writes the table topics, and knows what of each key is written."""

    def __init__(self, access: KafkaAccess, prefix: str, format_: TableFormat) -> None:
        """Know where; `compare` comes before anything is applied."""
        self._access, self._prefix, self._format = access, prefix, format_
        self._keys: dict[str, TableKeys] = {}
        self._is_export_completed = False

    async def apply(self, _connection: Connection, items: Sequence[Item]) -> None:
        """Write what is due of a batch."""
        changes = [item for item in items if isinstance(item, Envelope)]
        self._is_export_completed |= len(changes) < len(items)
        for shape in SHAPES:
            of_shape = [change for change in changes if shape_of(change) is shape]
            latest = newest(of_shape, key=current.key_of, rank=current.rank_of)
            await self._write(list(self._due(shape, of_shape, latest)))

    async def settle(self, connection: Connection) -> None:
        """Compare, if an export was completed since."""
        if self._is_export_completed:
            await self.compare(connection)

    async def compare(self, connection: Connection) -> None:
        """Compare the table topics with the log, and write what is owed (rules 2 and 3)."""
        self._is_export_completed = False
        await ensure_topics(self._access, self._prefix, wanted=TABLES)
        async with connection.transaction():
            await connection.execute(query("audit_may_last"))
            reached = {
                TopicPartition(row["topic"], row["partition"]): row["next_offset"]
                for row in await connection.fetch(query("tables_lock"))
            }
            comparison = await compare(self._access, self._prefix, self._format, reached)
            for table in comparison.tables:
                await self._pay(connection, comparison, table)
        await self._ask(comparison)

    async def _pay(
        self, connection: Connection, comparison: TableComparison, table: ComparedTable
    ) -> None:
        name = table.shape.topic.name.partition(".")[0]
        self._keys[table.shape.topic.name] = table.keys
        kept = await self._kept(connection, table)
        left = [key for key in table.owed.left if key not in kept]
        rows = await self.pay(table, left, comparison)
        TABLE_KEYS_KEPT.labels(name).set(len(kept))
        TABLE_KEYS_MISPLACED.labels(name).set(table.misplaced)
        TABLE_MENDED.labels(name).inc(rows)
        if rows:
            _log.warning("%s wasn't as the log says: %s records mended it", name, f"{rows:,}")
        if table.misplaced:
            _log.warning(
                "%s has %s records in partitions where their keys don't belong: its partitions "
                "were raised; make it anew with 'petstream table-topics rebuild'",
                name, f"{table.misplaced:,}",
            )  # fmt: skip

    async def pay(
        self, table: ComparedTable, left: Sequence[int], comparison: TableComparison
    ) -> int:
        """Write what a table topic owes, and null for what has left; return how many records."""
        self._keys[table.shape.topic.name] = table.keys
        nulls = list(self._nulls(table, left, comparison))
        for start in range(0, len(nulls), _AT_ONCE):
            await self._write(nulls[start : start + _AT_ONCE])
        written = len(nulls)
        if table.owed.rows:
            async with aclosing(events_of(self._access, table.owed.rows.values())) as batches:
                async for records in batches:
                    changes = list(_readable(records))
                    for start in range(0, len(changes), _AT_ONCE):
                        part = changes[start : start + _AT_ONCE]
                        due = list(self._due(table.shape, part, part))
                        await self._write(due)
                        written += len(due)
        return written

    def _nulls(
        self, table: ComparedTable, left: Sequence[int], comparison: TableComparison
    ) -> Iterator[_TableWrite]:
        for key, removed in table.owed.removed.items():
            yield self._null(table.shape, key, removed)
        snapshot = comparison.log.snapshot
        for key in left:
            sequence, export_id = (
                (0, "") if snapshot is None else (snapshot.sequence, snapshot.export_id)
            )
            yield self._null_of(table.shape, key, (sequence, ""), export_id)

    def _null(self, shape: TableShape, key: int, removed: LoggedKey) -> _TableWrite:
        return self._null_of(shape, key, removed.rank, removed.export_id)

    def _null_of(self, shape: TableShape, key: int, rank: Rank, export_id: str) -> _TableWrite:
        record = null_record(shape, key, rank, export_id, prefix=self._prefix)
        return _TableWrite(shape, key, rank, listed=False, changed="", record=record)

    def _due(
        self,
        shape: TableShape,
        changes: Sequence[Envelope],
        latest: Sequence[Envelope],
    ) -> Iterator[_TableWrite]:
        """Give the records that are to be written; learn from all changes, oldest first."""
        keys = self._keys[shape.topic.name]
        changed: dict[int, str] = {}
        for change in sorted(changes, key=current.rank_of):
            key, rank = current.key_of(change), change.rank
            listed = current.op_of(change) != "removed"
            changed[key] = keys.changed_at(
                key, rank, restated=change.restated, digest=change.digest,
                time=time_text(change.time),
            )  # fmt: skip
            keys.learn(key, rank, listed=listed, changed=changed[key])
        for change in latest:
            key, rank = current.key_of(change), change.rank
            listed = current.op_of(change) != "removed"
            if not keys.is_due(key, rank, listed=listed):
                continue
            if not listed:
                yield self._null_of(shape, key, rank, change.export_id)
                continue
            record = row_record(change, changed[key], prefix=self._prefix, format_=self._format)
            yield _TableWrite(shape, key, rank, listed=True, changed=changed[key], record=record)

    async def _write(self, writings: Sequence[_TableWrite]) -> None:
        """Write records, and note them once they are durable."""
        if not writings:
            return
        too_large = await send_batch(self._access, [writing.record for writing in writings])
        refused = {(record.topic, record.key) for record in too_large}
        for writing in writings:
            name = writing.shape.topic.name.partition(".")[0]
            if (writing.record.topic, writing.record.key) in refused:
                _log.error("the row of %s %s is too large for Kafka", name, writing.key)
                TABLE_RECORDS.labels(name, "refused").inc()
                continue
            TABLE_RECORDS.labels(name, "row" if writing.listed else "null").inc()
            self._keys[writing.shape.topic.name].wrote(
                writing.key, writing.rank, listed=writing.listed, changed=writing.changed
            )

    async def _kept(self, connection: Connection, table: ComparedTable) -> Collection[int]:
        """Return whom Postgres still lists of what has left by a snapshot."""
        if not table.owed.left:
            return frozenset()
        rows = await connection.fetch(query(_LISTED[table.shape is PET_TABLE]), table.owed.left)
        return frozenset(row["key"] for row in rows)

    async def _ask(self, comparison: TableComparison) -> None:
        """Ask for a snapshot above what only a table topic knows."""
        ahead = [table.owed.ahead for table in comparison.tables if table.owed.ahead is not None]
        if ahead:
            request = SnapshotRequest(
                asked_by=group_of("tables", self._prefix), sequence=max(ahead),
                at=datetime.now(UTC), reason="rows of the table topics aren't in the log",
            )  # fmt: skip
            _log.warning("table topics hold what the log doesn't know: a snapshot is asked for")
            export_id = comparison.log.newest_export_id
            await send_all(self._access, [request_record(request, export_id, self._prefix)])


def _readable(records: Sequence[ConsumerRecord]) -> Iterator[Envelope]:
    """Give the events of records; one that can't be read is a dead letter already."""
    for record in records:
        try:
            change = read(record)
        except UndecodableError:
            continue
        if isinstance(change, Envelope):
            yield change
