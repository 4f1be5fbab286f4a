"""What is known of each key of a table topic: its newest event in the log, and what was written.

Pure; both are folded from the topics alone.

Rule 1: of the log, the highest (sequence, digest) of a key counts (`petstream.fold`); of a table
        topic the last record, which is what a sink that reads it holds.
Rule 2: `changed` stands where an event only states again what was said: as in Postgres.
Rule 3: a record that lies in another partition than its key belongs to counts only where there is
        no other: somebody raised the partitions, and no reader sees the two in an order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sys import intern

from msgspec import Struct

from consumers.tables.columns import CHANGED_AT, DIGEST, EXPORT_ID, SEQUENCE, SHAPE
from petstream import codec, fold
from petstream.codec import sequence_of
from petstream.events import Unstated
from petstream.fold import Rank
from petstream.kafka.reader import partition_of
from petstream.kafka.records import ConsumerRecord, TopicPartition


class LoggedKey(Struct, frozen=True, gc=False):
    """The newest event of a key, and where it lies."""

    sequence: int
    digest: str
    listed: bool
    changed: str
    export_id: str
    place: TopicPartition
    offset: int

    @property
    def rank(self) -> Rank:
        """What orders the events of a key."""
        return self.sequence, self.digest


class WrittenKey(Struct, frozen=True, gc=False):
    """The last record of a key in a table topic; one without a row says that it left."""

    sequence: int
    digest: str
    listed: bool
    changed: str
    shape: str

    @property
    def rank(self) -> Rank:
        """Of which event it is."""
        return self.sequence, self.digest


class SettlingSnapshot(Struct, frozen=True):
    """What a snapshot settles: what is below its sequence, and not unstated, has left."""

    sequence: int
    unstated: frozenset[int]


def logged(held: LoggedKey | None, record: ConsumerRecord) -> LoggedKey | None:
    """Return what is known of a record's key with this record of pets.v1 or orgs.v1."""
    head = fold.peek(record.headers, record.value)
    if not fold.is_newest(head, None if held is None else held.rank):
        return held
    named = dict(record.headers)
    changed = head.start
    if named.get(codec.RESTATED) and held is not None and held.listed:
        changed = held.changed.encode() if held.digest == head.digest else changed
    return LoggedKey(
        head.sequence, head.digest, head.listed, intern(changed.decode("ascii", "replace")),
        intern(named.get(EXPORT_ID, b"").decode("ascii", "replace")),
        record.topic_partition, record.offset,
    )  # fmt: skip


class WrittenTable:
    """A table topic folded to its last record of each key."""

    def __init__(self, partitions: int) -> None:
        """Start empty; `partitions`: how many the topic has."""
        self.keys: dict[int, WrittenKey] = {}
        self.misplaced = 0
        self._partitions = partitions
        self._astray: set[int] = set()

    def take(self, records: Iterable[ConsumerRecord]) -> None:
        """Fold records; each partition's in order."""
        for record in records:
            key, written = fold.key_of(record.key), written_of(record)
            if key is None or written is None or record.key is None:
                continue
            if partition_of(record.key, self._partitions) != record.partition:
                self.misplaced += 1
                if key in self.keys and key not in self._astray:
                    continue
                self._astray.add(key)
            else:
                self._astray.discard(key)
            self.keys[key] = written


def written_of(record: ConsumerRecord) -> WrittenKey | None:
    """Return what a record of a table topic says; None: it is none of ours."""
    named = dict(record.headers)
    try:
        sequence, digest = sequence_of(named[SEQUENCE]), named[DIGEST].decode("ascii")
        changed, shape = named.get(CHANGED_AT, b"").decode(), named.get(SHAPE, b"").decode()
    except (KeyError, ValueError):
        return None
    return WrittenKey(sequence, digest, record.value is not None, intern(changed), intern(shape))


class Owed(Struct, frozen=True):
    """What a table topic lacks, and what it has that the log doesn't know.

    `rows` are written from their events; `removed` and `left` get tombstones, these of the
    snapshot; above `ahead`, a sequence, a snapshot is to be asked for.
    """

    rows: Mapping[int, LoggedKey]
    removed: Mapping[int, LoggedKey]
    left: tuple[int, ...]
    ahead: int | None


def owed(
    logged: Mapping[int, LoggedKey],
    written: Mapping[int, WrittenKey],
    *,
    reached: Mapping[TopicPartition, int],
    shape: str,
    snapshot: SettlingSnapshot | None,
) -> Owed:
    """Compare a table topic with the log, as far as its consumer has come.

    Args:
        logged: each key's newest event.
        written: each key's last record.
        reached: the consumer's offsets: what it has before it, it will write.
        shape: how rows are to be written.
        snapshot: the newest snapshot, if the log holds all of it.
    """
    rows: dict[int, LoggedKey] = {}
    removed: dict[int, LoggedKey] = {}
    for key, newest in logged.items():
        last = written.get(key)
        is_unknown = last is not None and last.rank > newest.rank
        if is_unknown or newest.offset >= reached.get(newest.place, 0):
            continue
        if not newest.listed:
            if last is not None and last.listed:
                removed[key] = newest
        elif last is None or not last.listed or (last.rank, last.shape) != (newest.rank, shape):
            rows[key] = newest
    unknown = {
        key: last
        for key, last in written.items()
        if (known := logged.get(key)) is None or last.rank > known.rank
    }
    left, ahead = _settled(unknown, logged, snapshot)
    return Owed(rows, removed, left, ahead)


def _settled(
    unknown: Mapping[int, WrittenKey],
    logged: Mapping[int, LoggedKey],
    snapshot: SettlingSnapshot | None,
) -> tuple[tuple[int, ...], int | None]:
    """Return, of the records that the log doesn't explain, who has left, and what to ask above."""
    sequence = 0 if snapshot is None else snapshot.sequence
    unstated = frozenset[int]() if snapshot is None else snapshot.unstated
    left: list[int] = []
    ahead: list[int] = []
    for key, last in unknown.items():
        known = logged.get(key)
        if last.sequence > sequence or (last.sequence == sequence and last.listed):
            if last.listed or known is not None:
                ahead.append(last.sequence)
        elif last.listed and (known is None or not known.listed) and key not in unstated:
            left.append(key)
    return tuple(sorted(left)), max(ahead, default=None)


def unstated_of(unstated: Unstated, source: str) -> frozenset[int]:
    """Return the unstated ids of a topic, by its name without the prefix."""
    return frozenset(unstated.pets if source.startswith("pets") else unstated.orgs)


class TableKeys:
    """What a running consumer knows of the keys of one table topic."""

    def __init__(
        self, logged: Mapping[int, LoggedKey], written: Mapping[int, WrittenKey], shape: str
    ) -> None:
        """Take what was folded."""
        self._shape = shape
        self._written = dict(written)
        self._newest: dict[int, tuple[Rank, bool, str]] = {
            key: (newest.rank, newest.listed, newest.changed) for key, newest in logged.items()
        }
        for key, last in written.items():
            rank = self._newest[key][0] if key in self._newest else (-1, "")
            if last.rank > rank or (last.rank == rank and last.changed):
                self._newest[key] = last.rank, last.listed, last.changed

    def changed_at(self, key: int, rank: Rank, *, restated: bool, digest: str, time: str) -> str:
        """Return when what this event says was changed last (rule 2)."""
        held = self._newest.get(key)
        if held is not None and held[1]:
            (_, held_digest), _, changed = held
            if held[0] == rank or (restated and held_digest == digest):
                return changed
        return time

    def is_due(self, key: int, rank: Rank, *, listed: bool) -> bool:
        """Return whether an event is to be written: nothing newer is known, and it isn't there."""
        held, last = self._newest.get(key), self._written.get(key)
        if held is not None and rank < held[0]:
            return False
        if not listed:
            return last is not None and last.listed
        return last is None or not last.listed or (last.rank, last.shape) != (rank, self._shape)

    def learn(self, key: int, rank: Rank, *, listed: bool, changed: str) -> None:
        """Note an event, whether it is to be written or not."""
        held = self._newest.get(key)
        if held is None or rank >= held[0]:
            self._newest[key] = rank, listed, changed

    def wrote(self, key: int, rank: Rank, *, listed: bool, changed: str) -> None:
        """Note a record that is durable."""
        self._written[key] = WrittenKey(*rank, listed, changed, self._shape)
