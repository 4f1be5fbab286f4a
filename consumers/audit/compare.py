"""The tables compared with the folded log: which rows aren't of their key's newest event.

Rule 1: an event that its consumer still has before it is lag, not a difference.
Rule 2: a row that is newer than the log, or that the log doesn't know, shows that the log lost
        records. It is reported and never touched: the next scrub publishes it again.
Rule 3: what rows hold isn't compared: a row of the newest event was derived from it alone.
Rule 4: rows and offsets are of one snapshot: a batch moves both in one transaction.
Rule 5: the snapshot is short, and over before the log is measured: so the log can't be behind it,
        and no row is newer than it but where the log lost records.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Literal, NamedTuple

from consumers.audit.folded_log import Completed, Log, Newest, folded
from consumers.engine.migrate import check_migrated
from consumers.engine.postgres import Connection, connected, kind_of
from consumers.engine.queries import query
from consumers.registry import NAMES, Name
from petstream.errors import UnreachableError
from petstream.kafka.client import KAFKA_ERRORS
from petstream.kafka.records import TopicPartition
from petstream.settings import KafkaAccess
from petstream.topics import ORGS, PETS, Topic

AuditedTable = Literal["pets", "organizations", "pictures"]
DifferenceKind = Literal["missing", "behind", "listing", "ahead"]

_PREFETCHED_ROWS: Final = 2_000


class _Writing(NamedTuple):
    """How a table comes from a topic: the query of its rows, and which consumers write them."""

    query: str
    topic: Topic
    adds: Name
    removes: Name


_TABLES: Final[Mapping[AuditedTable, _Writing]] = {
    "pets": _Writing("audit_pets", PETS, adds="pets", removes="deletions"),
    "organizations": _Writing("audit_organizations", ORGS, adds="pets", removes="deletions"),
    "pictures": _Writing("audit_picture_sets", PETS, adds="images", removes="images"),
}

WRITERS: Final[Mapping[AuditedTable, tuple[Name, ...]]] = {
    table: tuple(dict.fromkeys((writing.adds, writing.removes)))
    for table, writing in _TABLES.items()
}
"""Which consumers write what is compared."""


class Difference(NamedTuple):
    """A row that isn't of its key's newest event.

    `newest` is None where the log doesn't know the key; `refused_because` is the reason of the
    dead letter, if the event waits as one.
    """

    table: AuditedTable
    kind: DifferenceKind
    key: int
    newest: Newest | None
    refused_because: str | None = None


class ConsumerLag(NamedTuple):
    """How many records a consumer has before it; `begun`: it has applied some already."""

    records: int
    begun: bool


class Audit(NamedTuple):
    """What a comparison found."""

    keys: dict[AuditedTable, int]
    differences: list[Difference]
    lags: dict[Name, ConsumerLag]
    completed: Completed | None
    lost: list[str]
    passed_over: int

    @property
    def equal(self) -> bool:
        """Whether nothing differs, as far as the consumers have come."""
        return not (self.differences or self.lost)

    @property
    def repairable(self) -> list[Difference]:
        """What the log can put right; nothing while it is shorter than it was."""
        if self.lost:
            return []
        return [difference for difference in self.differences if difference.kind != "ahead"]


class TableRow(NamedTuple):
    """Which event a row is of, and whether it is on the lists."""

    sequence: int
    digest: str
    listed: bool


class TableSnapshot(NamedTuple):
    """The rows of each table by key, and the offsets of each consumer, at one moment."""

    rows: Mapping[AuditedTable, Mapping[int, TableRow]]
    offsets: Mapping[str, Mapping[TopicPartition, int]]

    def offset(self, consumer: Name, place: TopicPartition) -> int:
        """Return which record of a partition a consumer applies next."""
        return self.offsets.get(consumer, {}).get(place, 0)


async def audit(access: KafkaAccess, database_url: str, prefix: str) -> Audit:
    """Compare all tables with the log as it is now.

    Raises:
        PetstreamError: the database isn't migrated.
        UnreachableError: a server is away.
    """
    await check_migrated(database_url)
    with unreachable_if_away():
        return await compare(access, database_url, prefix)


@contextmanager
def unreachable_if_away() -> Iterator[None]:
    """Raise `UnreachableError` instead of a server's trouble."""
    try:
        yield
    except Exception as error:
        if isinstance(error, KAFKA_ERRORS) or kind_of(error) == "transient":
            raise UnreachableError(
                f"a server can't be reached ({type(error).__name__}): start it, and run this again"
            ) from None  # the cause may name the database's user
        raise


async def compare(access: KafkaAccess, database_url: str, prefix: str) -> Audit:
    """Compare as `audit` does; raises as aiokafka and asyncpg do."""
    async with connected(database_url) as connection:
        snapshot = await _snapshot(connection)
    log = await folded(access, prefix)
    return Audit(
        keys={
            table: len(log.newest[writing.topic.full_name(prefix)])
            for table, writing in _TABLES.items()
        },
        differences=[
            difference
            for table, writing in _TABLES.items()
            for difference in _differences(
                table, log, log.newest[writing.topic.full_name(prefix)], snapshot
            )
        ],
        lags={consumer: _lag(consumer, log, snapshot, prefix) for consumer in NAMES},
        completed=log.completed,
        lost=[*log.lost(), *_overtaken(log, snapshot)],
        passed_over=log.passed_over,
    )


async def _snapshot(connection: Connection) -> TableSnapshot:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        offsets: dict[str, dict[TopicPartition, int]] = defaultdict(dict)
        for row in await connection.fetch(query("audit_offsets")):
            offsets[row["consumer"]][TopicPartition(row["topic"], row["partition"])] = row[
                "next_offset"
            ]
        rows = {table: await _rows(connection, writing.query) for table, writing in _TABLES.items()}
    return TableSnapshot(rows, dict(offsets))


async def _rows(connection: Connection, name: str) -> dict[int, TableRow]:
    rows: dict[int, TableRow] = {}
    async for row in connection.cursor(query(name), prefetch=_PREFETCHED_ROWS):
        rows[row["key"]] = TableRow(row["sequence"], row["digest"], row["listed"])
    return rows


def _differences(
    table: AuditedTable, log: Log, newest: Mapping[int, Newest], snapshot: TableSnapshot
) -> Iterator[Difference]:
    writing, rows = _TABLES[table], snapshot.rows[table]
    for key in sorted(newest.keys() | rows.keys()):
        event = newest.get(key)
        if event is None:
            yield Difference(table, "ahead", key, None)
            continue
        kind = _difference(event, rows.get(key))
        if kind == "ahead":
            yield Difference(table, kind, key, event)
        elif kind is not None:
            consumer = writing.adds if event.listed else writing.removes
            if event.offset < snapshot.offset(consumer, event.topic_partition):
                yield Difference(table, kind, key, event, log.letters.get((consumer, event.origin)))


def _difference(event: Newest, row: TableRow | None) -> DifferenceKind | None:
    """Return what a row is, seen from the newest event of its key; None: it is of that event."""
    if row is None:
        return "missing"
    row_rank, event_rank = (row.sequence, row.digest), event.rank
    if row_rank != event_rank:
        return "behind" if row_rank < event_rank else "ahead"
    return None if row.listed == event.listed else "listing"


def _lag(consumer: Name, log: Log, snapshot: TableSnapshot, prefix: str) -> ConsumerLag:
    topics = {
        writing.topic.full_name(prefix)
        for table, writing in _TABLES.items()
        if consumer in WRITERS[table]
    }
    records = sum(
        max(0, end - max(log.begins[partition], snapshot.offset(consumer, partition)))
        for partition, end in log.ends.items()
        if partition.topic in topics
    )
    begun = any(partition in snapshot.offsets.get(consumer, {}) for partition in log.ends)
    return ConsumerLag(records, begun)


def _overtaken(log: Log, snapshot: TableSnapshot) -> list[str]:
    """Say which partitions end before what a consumer has read of them."""
    furthest: dict[TopicPartition, int] = {}
    for offsets in snapshot.offsets.values():
        for partition, offset in offsets.items():
            furthest[partition] = max(offset, furthest.get(partition, 0))
    return [
        f"{partition} ends at {end:,}, and was read up to {furthest[partition]:,}"
        for partition, end in sorted(log.ends.items())
        if furthest.get(partition, 0) > end
    ]
