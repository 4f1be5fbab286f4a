"""The topics folded for an audit: each key's newest event, by name only, and where it lies.

Rule 1: which record of a key counts, `petstream.fold` decides, as for the ingester's ledger.
Rule 2: what isn't an event of ours is skipped and counted.
Rule 3: values aren't kept; the whole audit takes about 1.2 KB a pet while it lasts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import aclosing
from typing import NamedTuple

from msgspec import Struct

from petstream import codec
from petstream.codec import UndecodableError
from petstream.events import ExportEvent
from petstream.fold import Rank, SubjectOrder, is_newest, key_of, peek, truncated
from petstream.kafka.reader import bounds, read
from petstream.kafka.records import ConsumerRecord, TopicPartition
from petstream.settings import KafkaAccess
from petstream.topics import DEAD_LETTERS, EXPORTS, ORGS, PETS


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
    """The export that was completed last: where it says so, and how long the topics were."""

    export_id: str
    topic_partition: TopicPartition
    offset: int
    end_offsets: Mapping[str, int]


class Log:
    """What the topics say, folded record by record."""

    def __init__(self, prefix: str) -> None:
        """Start empty."""
        self.newest: dict[str, dict[int, Newest]] = {
            topic.full_name(prefix): {} for topic in (PETS, ORGS)
        }
        self.letters: dict[tuple[str, str], str] = {}
        """Why the event of an origin was refused, by consumer and origin."""
        self.completed: Completed | None = None
        self.passed_over = 0
        self.ends: dict[TopicPartition, int] = {}
        self.begins: dict[TopicPartition, int] = {}
        self._prefix = prefix
        self._order = SubjectOrder()

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

    def lost(self) -> list[str]:
        """Say which partitions are shorter than when the last export was completed."""
        recorded = self.completed.end_offsets if self.completed else {}
        return truncated(recorded, {str(partition): end for partition, end in self.ends.items()})

    def _take_event(self, newest: dict[int, Newest], record: ConsumerRecord) -> None:
        key, head = key_of(record.key), peek(record.headers, record.value)
        if key is None or head is None:
            self.passed_over += 1
            return
        held = newest.get(key)
        if is_newest(head, None if held is None else held.rank):
            newest[key] = Newest(
                head.sequence, head.digest, head.listed, record.topic_partition, record.offset
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
            self.completed = Completed(
                event.export_id, record.topic_partition, record.offset, event.end_offsets
            )

    def _take_letter(self, record: ConsumerRecord) -> None:
        headers = dict(codec.details_of(record.headers))
        if headers.get("dl_class") == b"event":
            consumer = _text(headers, "dl_group").removeprefix(self._prefix)
            self.letters[consumer, _text(headers, "dl_origin")] = _text(headers, "dl_reason")


async def folded(access: KafkaAccess, prefix: str) -> Log:
    """Return the topics folded up to where they end now; raises as aiokafka does."""
    log = Log(prefix)
    # the exports first: were they read later, they could tell of more than there was
    await _read(access, log, [EXPORTS.full_name(prefix)])
    await _read(access, log, [topic.full_name(prefix) for topic in (PETS, ORGS, DEAD_LETTERS)])
    return log


async def last_completed(access: KafkaAccess, prefix: str) -> Log:
    """Return the same of the exports alone, with the ends of the topics they tell of."""
    log = Log(prefix)
    await _read(access, log, [EXPORTS.full_name(prefix)])
    # behind the exports, as above
    measured = await bounds(access, [topic.full_name(prefix) for topic in (PETS, ORGS)])
    log.ends |= {partition: end for partition, (_, end) in measured.items()}
    return log


async def _read(access: KafkaAccess, log: Log, topics: list[str]) -> None:
    measured = await bounds(access, topics)
    last = {partition: end for partition, (_, end) in measured.items()}
    log.ends |= last
    log.begins |= {partition: begin for partition, (begin, _) in measured.items()}
    async with aclosing(read(access, last)) as batches:
        async for records in batches:
            log.take(records)


def _text(headers: Mapping[str, bytes], name: str) -> str:
    return headers.get(name, b"").decode("utf-8", "replace")
