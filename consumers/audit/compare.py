"""The tables compared with the folded log: which rows aren't of their key's newest event.

Rule 1: an event that its consumer still has before it is lag, not a difference.
Rule 2: a row that is newer than the log, or that the log doesn't know, shows that the log lost
        records. It is reported and never touched: a snapshot is asked for.
Rule 3: but for what the newest snapshot settles: a tombstone up to it is as good as the log's word,
        and what is listed below it, and not in the log, has left, but for what it couldn't state:
        see `sweep`.
Rule 4: what rows hold isn't compared: a row of the newest event was derived from it alone.
Rule 5: rows and positions are of one snapshot: a batch moves both in one transaction.
Rule 6: that snapshot is short, and over before the log is measured: so the log can't be behind it,
        and no row is newer than it but where the log lost records.
Rule 7: where the log isn't the one that the last *completed* tells of, or not the one that a
        consumer has read, only that partition is left alone, and only the consumer's tables.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import aclosing, contextmanager
from typing import Final, Literal, NamedTuple

from consumers.audit.folded_log import Completed, Log, Newest, Snapshot, folded
from consumers.audit.losses import Losses, losses
from consumers.engine.migrate import check_migrated
from consumers.engine.postgres import AwayError, Connection, connected, kind_of, rows_of
from consumers.engine.queries import query
from consumers.registry import NAMES, Name
from petstream.errors import UnreachableError
from petstream.events import LogEnd
from petstream.kafka.client import KAFKA_ERRORS
from petstream.kafka.positions import standings
from petstream.kafka.records import TopicPartition
from petstream.settings import KafkaAccess
from petstream.topics import ORGS, PETS, Topic

AuditedTable = Literal["pets", "organizations", "pictures"]
DifferenceKind = Literal["missing", "behind", "listing", "ahead", "left"]

UNREPAIRABLE: Final = frozenset({"ahead", "left"})
"""What the log can't put right: a snapshot does, and its sweep."""

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
    dead letter, if the event waits as one; `sequence` is the row's, if there is one.
    """

    table: AuditedTable
    kind: DifferenceKind
    key: int
    newest: Newest | None
    refused_because: str | None = None
    sequence: int | None = None


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
    snapshot: Snapshot | None
    sweepable: bool
    lost: list[str]
    blocked: frozenset[tuple[AuditedTable, TopicPartition]]
    unstated: int
    losses: Losses
    passed_over: int

    @property
    def equal(self) -> bool:
        """Whether nothing differs, as far as the consumers have come."""
        return not (self.differences or self.lost)

    @property
    def repairable(self) -> list[Difference]:
        """What the log can put right (rule 7)."""
        return [
            difference
            for difference in self.differences
            if difference.kind not in UNREPAIRABLE
            and difference.newest is not None
            and (difference.table, difference.newest.topic_partition) not in self.blocked
        ]

    @property
    def to_ask_above(self) -> int | None:
        """The highest sequence that the log doesn't know: a snapshot above it is needed."""
        return max(
            (
                difference.sequence
                for difference in self.differences
                if difference.kind == "ahead" and difference.sequence is not None
            ),
            default=None,
        )


class TableRow(NamedTuple):
    """Which event a row is of, and whether it is on the lists."""

    sequence: int
    digest: str
    listed: bool


class TableSnapshot(NamedTuple):
    """The rows of each table by key, and the offsets of each consumer, at one moment."""

    rows: Mapping[AuditedTable, Mapping[int, TableRow]]
    positions: Mapping[str, Mapping[TopicPartition, LogEnd]]
    losses: Losses

    def offset(self, consumer: Name, place: TopicPartition) -> int:
        """Return which record of a partition a consumer applies next."""
        position = self.positions.get(consumer, {}).get(place)
        return 0 if position is None else position.offset


async def audit(access: KafkaAccess, database_url: str, prefix: str) -> Audit:
    """Compare all tables with the log as it is now.

    Raises:
        PetstreamError: the database isn't migrated.
        UnreachableError: a server is away.
    """
    await check_migrated(database_url, only_reads=True)
    with unreachable_if_away():
        return await compare(access, database_url, prefix)


@contextmanager
def unreachable_if_away() -> Iterator[None]:
    """Raise `UnreachableError` instead of a server's trouble."""
    try:
        yield
    except Exception as error:
        if isinstance(error, AwayError):
            raise
        if isinstance(error, KAFKA_ERRORS) or kind_of(error) == "transient":
            raise UnreachableError(
                f"a server can't be reached ({type(error).__name__}): start it, and run this again"
            ) from None  # the cause may name the database's user
        raise


async def compare(access: KafkaAccess, database_url: str, prefix: str) -> Audit:
    """Compare as `audit` does; raises as aiokafka and asyncpg do."""
    async with connected(database_url, only_reads=True) as connection:
        tables = await _snapshot(connection)
    rows = {
        PETS.full_name(prefix): tables.rows["pets"],
        ORGS.full_name(prefix): tables.rows["organizations"],
    }
    log = await folded(access, prefix, rows)
    stale = await _stale(access, log, tables)
    differences: list[Difference] = []
    unstated = 0
    for table, writing in _TABLES.items():
        settled = _Settled(log.snapshot, *_staying(log.snapshot, tables.losses, table))
        newest = log.newest[writing.topic.full_name(prefix)]
        differences += _differences(table, log, newest, tables, settled)
        unstated += settled.passed_over
    return Audit(
        keys={
            table: len(log.newest[writing.topic.full_name(prefix)])
            for table, writing in _TABLES.items()
        },
        differences=differences,
        lags={consumer: _lag(consumer, log, tables, prefix) for consumer in NAMES},
        completed=log.completed,
        snapshot=log.snapshot,
        sweepable=log.snapshot is not None and not log.is_snapshot_lost,
        lost=[*log.lost, *stale.lines],
        blocked=stale.blocked
        | {(table, partition) for table in _TABLES for partition in log.lost_in},
        unstated=unstated,
        losses=tables.losses,
        passed_over=log.passed_over,
    )


async def _snapshot(connection: Connection) -> TableSnapshot:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        positions: dict[str, dict[TopicPartition, LogEnd]] = defaultdict(dict)
        for row in await connection.fetch(query("audit_positions")):
            partition = TopicPartition(row["topic"], row["partition"])
            positions[row["consumer"]][partition] = LogEnd(
                row["next_offset"], row["record_id"], row["timestamp_ms"]
            )
        rows: dict[AuditedTable, Mapping[int, TableRow]] = {}
        for table, writing in _TABLES.items():
            rows[table] = await _rows(connection, writing.query, rows.get("pets", {}))
        return TableSnapshot(rows, dict(positions), await losses(connection))


async def _rows(
    connection: Connection, name: str, pets: Mapping[int, TableRow]
) -> dict[int, TableRow]:
    """Return a table's rows; most picture sets are of the event that their pet's row is of."""
    rows: dict[int, TableRow] = {}
    async with aclosing(rows_of(connection, query(name), _PREFETCHED_ROWS)) as records:
        async for record in records:
            key = record["key"]
            row = TableRow(record["sequence"], record["digest"], record["listed"])
            of_pet = pets.get(key)
            rows[key] = of_pet if of_pet is not None and of_pet == row else row
    return rows


class _Settled:
    """What the newest snapshot settles of the rows that the log doesn't explain (rule 3)."""

    def __init__(
        self, snapshot: Snapshot | None, kept: AbstractSet[int], unstated: AbstractSet[int]
    ) -> None:
        self.passed_over = 0
        self._sequence = 0 if snapshot is None else snapshot.sequence
        self._kept, self._unstated = kept, unstated

    def kind_of(self, key: int, row: TableRow, *, is_in_log: bool) -> DifferenceKind | None:
        """Return what a row is that is newer than the log; None: that is right.

        `is_in_log`: the log lists the key, though by an older event.
        """
        if row.sequence > self._sequence or (row.sequence == self._sequence and row.listed):
            return "ahead"
        if not row.listed or is_in_log:
            return None
        if key in self._unstated or key in self._kept:
            self.passed_over += 1
            return None
        return "left"


def _differences(
    table: AuditedTable,
    log: Log,
    newest: Mapping[int, Newest],
    tables: TableSnapshot,
    settled: _Settled,
) -> Iterator[Difference]:
    writing, rows = _TABLES[table], tables.rows[table]
    for key in sorted(newest.keys() | rows.keys()):
        event, row = newest.get(key), rows.get(key)
        sequence = None if row is None else row.sequence
        kind = _difference(key, event, row, settled)
        if kind is None:
            continue
        if event is None or kind in UNREPAIRABLE:
            yield Difference(table, kind, key, event, sequence=sequence)
            continue
        consumer = writing.adds if event.listed else writing.removes
        if event.offset < tables.offset(consumer, event.topic_partition):
            because = log.letters.get((consumer, event.origin))
            yield Difference(table, kind, key, event, because, sequence)


def _difference(
    key: int, event: Newest | None, row: TableRow | None, settled: _Settled
) -> DifferenceKind | None:
    """Return what a row is, seen from the newest event of its key; None: it is of that event."""
    if row is None:
        return "missing"
    row_rank = row.sequence, row.digest
    if event is None or row_rank > event.rank:
        return settled.kind_of(key, row, is_in_log=event is not None and event.listed)
    if row_rank < event.rank:
        return "behind"
    return None if row.listed == event.listed else "listing"


def _staying(
    snapshot: Snapshot | None, known: Losses, table: AuditedTable
) -> tuple[AbstractSet[int], AbstractSet[int]]:
    """Return what stays below the snapshot: what a person kept, and what it couldn't state."""
    if snapshot is None:
        return frozenset(), frozenset()
    if table == "organizations":
        return known.kept("orgs", snapshot.sequence), frozenset(snapshot.unstated.orgs)
    return known.kept("pets", snapshot.sequence), frozenset(snapshot.unstated.pets)


def _lag(consumer: Name, log: Log, tables: TableSnapshot, prefix: str) -> ConsumerLag:
    topics = {
        writing.topic.full_name(prefix)
        for table, writing in _TABLES.items()
        if consumer in WRITERS[table]
    }
    records = sum(
        max(0, end - max(log.begins[partition], tables.offset(consumer, partition)))
        for partition, end in log.ends.items()
        if partition.topic in topics
    )
    begun = any(partition in tables.positions.get(consumer, {}) for partition in log.ends)
    return ConsumerLag(records, begun)


class _Stale(NamedTuple):
    """Positions that aren't in the log any more, and what mustn't be repaired for them."""

    lines: list[str]
    blocked: frozenset[tuple[AuditedTable, TopicPartition]]


async def _stale(access: KafkaAccess, log: Log, tables: TableSnapshot) -> _Stale:
    """Look whether the log is the one that each consumer has read."""
    lines: list[str] = []
    blocked: set[tuple[AuditedTable, TopicPartition]] = set()
    for consumer in NAMES:
        positions = {
            partition: position
            for partition, position in tables.positions.get(consumer, {}).items()
            if partition in log.ends
        }
        for partition, standing in sorted((await standings(access, positions)).items()):
            if standing != "there":
                offset = positions[partition].offset
                lines.append(
                    f"{partition} isn't the log that the consumer {consumer} read up to offset "
                    f"{offset:,}: once it runs, it reads it again, which settles what it writes"
                )
                blocked |= {(table, partition) for table in _TABLES if consumer in WRITERS[table]}
    return _Stale(lines, frozenset(blocked))
