"""The topics folded for an audit: each key's newest event, by name only, and where it lies.

Rule 1: the highest (sequence, digest) of a key wins, whatever the order of the log; of two that are
        equal the later one counts: it is the one that a consumer may still have before it.
Rule 2: what isn't an event of ours is passed over and counted, as the ingester's ledger does it.
Rule 3: values aren't kept; the whole audit takes about 1.2 KB a pet while it lasts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from typing import Final, NamedTuple

import msgspec

from petstream import codec
from petstream.codec import Headers, UndecodableError
from petstream.events import SOURCE, ExportEvent
from petstream.kafka.reader import bounds, read
from petstream.kafka.records import ConsumerRecord, TopicPartition
from petstream.settings import KafkaAccess
from petstream.topics import DEAD_LETTERS, EXPORTS, ORGS, PETS

_ID: Final = re.compile(rb"[0-9]{1,18}")
_REMOVED: Final = b".removed"


class Newest(NamedTuple):
    """The newest event of a key."""

    sequence: int
    digest: str
    listed: bool
    place: TopicPartition
    offset: int


class Completed(NamedTuple):
    """The export that was completed last: where it says so, and how long the topics were."""

    export_id: str
    place: TopicPartition
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

    def take(self, records: Iterable[ConsumerRecord]) -> None:
        """Fold records; each partition's in order."""
        for record in records:
            held = self.newest.get(record.topic)
            if held is not None:
                self._take_event(held, record)
            elif record.topic == EXPORTS.full_name(self._prefix):
                self._take_export(record)
            else:
                self._take_letter(record)

    def lost(self) -> list[str]:
        """Say which partitions are shorter than when the last export was completed."""
        recorded = self.completed.end_offsets if self.completed else {}
        now = {f"{place.topic}/{place.partition}": end for place, end in self.ends.items()}
        return [
            f"{place} ends at {now.get(place, 0):,}, not at {end:,} or behind"
            for place, end in sorted(recorded.items())
            if now.get(place, 0) < end
        ]

    def _take_event(self, held: dict[int, Newest], record: ConsumerRecord) -> None:
        told = _told(record.headers, record.value) if _ID.fullmatch(record.key or b"") else None
        if told is None:
            self.passed_over += 1
            return
        key = int(record.key or b"")
        known = held.get(key)
        if known is None or known[:2] <= told[:2]:
            held[key] = Newest(*told, record.topic_partition, record.offset)

    def _take_export(self, record: ConsumerRecord) -> None:
        try:
            event = codec.decode(record.headers, record.value).event
        except UndecodableError:
            self.passed_over += 1
            return
        if isinstance(event, ExportEvent) and event.state == "completed":
            self.completed = Completed(
                event.export_id, record.topic_partition, record.offset, event.end_offsets
            )

    def _take_letter(self, record: ConsumerRecord) -> None:
        found = dict(record.headers)
        if found.get("dl_class") == b"event":
            consumer = _text(found, "dl_group").removeprefix(self._prefix)
            self.letters[consumer, _text(found, "dl_origin")] = _text(found, "dl_reason")


async def folded(access: KafkaAccess, prefix: str) -> Log:
    """Return the topics folded up to where they end now; raises as aiokafka does."""
    log = Log(prefix)
    # the exports first: were they read later, they could tell of more than there was
    await _read(access, log, [EXPORTS.full_name(prefix)])
    await _read(access, log, [one.full_name(prefix) for one in (PETS, ORGS, DEAD_LETTERS)])
    return log


async def last_completed(access: KafkaAccess, prefix: str) -> Log:
    """Return the same of the exports alone, with the ends of the topics they tell of."""
    log = Log(prefix)
    await _read(access, log, [EXPORTS.full_name(prefix)])
    # behind the exports, as above
    measured = await bounds(access, [one.full_name(prefix) for one in (PETS, ORGS)])
    log.ends |= {place: end for place, (_, end) in measured.items()}
    return log


async def _read(access: KafkaAccess, log: Log, names: list[str]) -> None:
    measured = await bounds(access, names)
    last = {place: end for place, (_, end) in measured.items()}
    log.ends |= last
    log.begins |= {place: begin for place, (begin, _) in measured.items()}
    async with aclosing(read(access, last)) as batches:
        async for records in batches:
            log.take(records)


class _Numbered(msgspec.Struct):
    """All that is read of an event while it is folded; the rest must be JSON."""

    sequence: int


_NUMBERED: Final = msgspec.json.Decoder(_Numbered)


def _told(headers: Headers, value: bytes | None) -> tuple[int, str, bool] | None:
    """Return sequence, digest and whether it lists the key; None: not one of ours."""
    found = dict(headers)
    try:
        sequence, digest = int(found["ce_sequence"]), found["ce_digest"].decode("ascii")
        listed = not found["ce_type"].endswith(_REMOVED)
        ours = found["ce_source"] == SOURCE.encode()
        if not ours or value is None or _NUMBERED.decode(value).sequence != sequence:
            return None
    except (KeyError, ValueError, msgspec.DecodeError):
        return None
    return sequence, digest, listed


def _text(headers: Mapping[str, bytes], name: str) -> str:
    return headers.get(name, b"").decode("utf-8", "replace")
