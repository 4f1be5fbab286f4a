"""The topics folded for an audit: each key's newest event, by name only, and where it lies.

Rule 1: which record of a key counts, `petstream.fold` decides, as for the ingester's ledger.
Rule 2: what isn't an event of ours is skipped and counted.
Rule 3: values aren't kept, nor twice what a table says as well, and few records are read at once;
        the whole audit takes about 0.6 KB a pet while it lasts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import aclosing
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from msgspec import UNSET, Struct

from petstream import codec
from petstream.codec import Envelope, UndecodableError
from petstream.events import ExportEvent, LogEnd, Unstated
from petstream.fold import Rank, SubjectOrder, is_newest, key_of, peek
from petstream.kafka.positions import end_behind, standings
from petstream.kafka.reader import bounds, read
from petstream.kafka.records import ConsumerRecord, TopicPartition
from petstream.settings import KafkaAccess
from petstream.topics import DEAD_LETTERS, EXPORTS, ORGS, PETS

_AT_ONCE: Final = 500
"""Records of one poll: their values are held meanwhile."""


class Ranked(Protocol):
    """What says of which event it is."""

    @property
    def sequence(self) -> int:
        """The event's sequence."""

    @property
    def digest(self) -> str:
        """The event's digest."""


Rows = Mapping[str, Mapping[int, Ranked]]
"""What a table says of each key of a topic, by the topic's full name."""


class Newest(Struct, frozen=True, gc=False):
    """The newest event of a key, and where it lies."""

    sequence: int
    digest: str
    listed: bool
    topic_partition: TopicPartition
    offset: int

    @property
    def rank(self) -> Rank:
        """What orders the events of a key."""
        return self.sequence, self.digest

    @property
    def origin(self) -> str:
        """Where it lies, as dead letters name it: ``topic/partition/offset``."""
        return f"{self.topic_partition}/{self.offset}"


class Completed(NamedTuple):
    """The export that was completed last: where it says so, and where the topics ended then."""

    export_id: str
    topic_partition: TopicPartition
    end: LogEnd
    """The position behind the record that says so."""
    ends: Mapping[TopicPartition, LogEnd]


class Snapshot(NamedTuple):
    """The newest snapshot, as the last *completed* says that has it.

    What is listed below its `sequence` has left, but for what is `unstated`, once all is applied up
    to `ends`. `export_id` and `at` are of the export that was the first to say so; `base` is of the
    last.
    """

    sequence: int
    base: int
    export_id: str
    at: datetime
    ends: Mapping[TopicPartition, LogEnd]
    unstated: Unstated


class Log:
    """What the topics say, folded record by record."""

    def __init__(self, prefix: str, rows: Rows | None = None) -> None:
        """Start empty; what `rows` say as well isn't kept twice."""
        self.newest: dict[str, dict[int, Newest]] = {
            topic.full_name(prefix): {} for topic in (PETS, ORGS)
        }
        self.letters: dict[tuple[str, str], str] = {}
        """Why the event of an origin was refused, by consumer and origin."""
        self.completed: Completed | None = None
        self.snapshot: Snapshot | None = None
        self.restated = 0
        """From which sequence on every key was stated again, the last time."""
        self.is_snapshot_lost = False
        """Whether a record that the snapshot's *completed* names isn't there (any more)."""
        self.lost: list[str] = []
        self.lost_in: set[TopicPartition] = set()
        """Where the log isn't the one that the last *completed* tells of."""
        self.passed_over = 0
        self.ends: dict[TopicPartition, int] = {}
        self.begins: dict[TopicPartition, int] = {}
        self._prefix, self._rows = prefix, rows or {}
        self._order = SubjectOrder()

    @property
    def newest_export_id(self) -> str:
        """The export that was completed last; empty before the first."""
        return "" if self.completed is None else self.completed.export_id

    def take(self, records: Iterable[ConsumerRecord]) -> None:
        """Fold records; each partition's in order."""
        for record in records:
            newest = self.newest.get(record.topic)
            if newest is not None:
                self._take_event(newest, record)
            elif record.topic == EXPORTS.full_name(self._prefix):
                self._take_export(record)
            else:
                self._take_letter(record)

    def _take_event(self, newest: dict[int, Newest], record: ConsumerRecord) -> None:
        key, head = key_of(record.key), peek(record.headers, record.value)
        if key is None or head is None:
            self.passed_over += 1
            return
        held = newest.get(key)
        if is_newest(head, None if held is None else held.rank):
            row = self._rows.get(record.topic, {}).get(key)
            event = row if row is not None and (row.sequence, row.digest) == head.rank else head
            newest[key] = Newest(
                event.sequence, event.digest, head.listed, record.topic_partition, record.offset
            )

    def _take_export(self, record: ConsumerRecord) -> None:
        try:
            envelope = codec.decode(record.headers, record.value)
        except UndecodableError:
            self.passed_over += 1
            return
        event = envelope.event
        if not isinstance(event, ExportEvent) or event.state == "held":
            return
        if self._order.is_newest(envelope.subject, envelope.rank) and event.state == "completed":
            self._take_completed(record, envelope, event)

    def _take_completed(
        self, record: ConsumerRecord, envelope: Envelope, event: ExportEvent
    ) -> None:
        ends = ends_of(event)
        self.completed = Completed(
            event.export_id, record.topic_partition, end_behind(record), ends
        )
        sequence = event.snapshot or 0
        held = self.snapshot
        if sequence and (held is None or event.base >= held.base):  # a late one may be in between
            unstated = event.unstated or Unstated()
            if held is not None and sequence == held.sequence:
                self.snapshot = held._replace(base=event.base, ends=ends, unstated=unstated)
            else:
                self.snapshot = Snapshot(
                    sequence, event.base, event.export_id, envelope.time, ends, unstated
                )
        self.restated = max(self.restated, sequence, event.restated or 0)

    def _take_letter(self, record: ConsumerRecord) -> None:
        headers = dict(codec.details_of(record.headers))
        if headers.get("dl_class") == b"event":
            consumer = _text(headers, "dl_group").removeprefix(self._prefix)
            self.letters[consumer, _text(headers, "dl_origin")] = _text(headers, "dl_reason")


async def folded(access: KafkaAccess, prefix: str, rows: Rows | None = None) -> Log:
    """Return the topics folded up to where they end now; raises as aiokafka does."""
    log = Log(prefix, rows)
    # the exports first: were they read later, they could tell of more than there was
    await _read(access, log, [EXPORTS.full_name(prefix)])
    await _read(access, log, [topic.full_name(prefix) for topic in (PETS, ORGS, DEAD_LETTERS)])
    await _look_for_ends(access, log)
    return log


def ends_of(event: ExportEvent) -> dict[TopicPartition, LogEnd]:
    """Return where the topics ended when an export was completed; 0.1 told only offsets."""
    by_name = (
        {name: LogEnd(offset) for name, offset in event.end_offsets.items()}
        if event.ends is UNSET
        else event.ends
    )
    ends: dict[TopicPartition, LogEnd] = {}
    for name, end in by_name.items():
        topic, _, number = name.rpartition("/")
        ends[TopicPartition(topic, int(number))] = end
    return ends


async def last_completed(access: KafkaAccess, prefix: str) -> Log:
    """Return the same of the exports alone, and whether the topics are those they tell of."""
    log = Log(prefix)
    await _read(access, log, [EXPORTS.full_name(prefix)])
    await _look_for_ends(access, log)
    return log


async def _look_for_ends(access: KafkaAccess, log: Log) -> None:
    """Look whether what the last *completed* names is still there; behind the reading, as above."""
    if log.completed is None:
        return
    if log.snapshot is not None:
        named = await standings(access, log.snapshot.ends)
        log.is_snapshot_lost = any(standing != "there" for standing in named.values())
    ends = log.completed.ends
    for partition, standing in sorted((await standings(access, ends)).items()):
        if standing == "lost":
            record = ends[partition].record_id or "the record"
            log.lost_in.add(partition)
            log.lost.append(
                f"the log lost records: {record} before {partition} offset "
                f"{ends[partition].offset:,} isn't there; nothing of that partition is repaired "
                "until the next export is completed"
            )


async def _read(access: KafkaAccess, log: Log, topics: list[str]) -> None:
    measured = await bounds(access, topics)
    last = {partition: end for partition, (_, end) in measured.items()}
    log.ends |= last
    log.begins |= {partition: begin for partition, (begin, _) in measured.items()}
    async with aclosing(read(access, last, at_once=_AT_ONCE)) as batches:
        async for records in batches:
            log.take(records)


def _text(headers: Mapping[str, bytes], name: str) -> str:
    return headers.get(name, b"").decode("utf-8", "replace")
