"""The topics folded: exports.v1 to what is remembered, pets.v1 and orgs.v1 to ledgers.

Rule 1: the fold notes where each partition ends and which record is its last: what is acknowledged
        later must follow it, and the next run looks whether it is still there.
Rule 2: where a checkpoint fits, the fold goes on from it. The record before each of its ends is
        read again first: if one isn't there, all is read from the beginning.
Rule 3: a record of an older export that lies behind what the last run folded, and is newer than
        what was held of its key, came too late: a dead leader's last words, and nobody judged it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Final, NamedTuple

import msgspec

from ingest.state.checkpoint import Checkpoint, KeptLedgers
from ingest.state.debts import Requests
from ingest.state.export_history import ExportHistory
from ingest.state.ledger import Ledger, ValueStore
from ingest.state.log_check import ends_of, fold_ends_of
from petstream import topics
from petstream.codec import UndecodableError, decode
from petstream.errors import PetstreamError
from petstream.events import LogEnd
from petstream.fold import Rank, key_of, peek
from petstream.kafka.client import unreachable
from petstream.kafka.positions import end_behind
from petstream.kafka.reader import LogReading, partition_of, read_to_end, reading
from petstream.kafka.records import ConsumerRecord, TopicPartition
from petstream.sequence import base_of
from petstream.settings import KafkaAccess

Say = Callable[[str], None]


class Ledgers(NamedTuple):
    """What pets.v1 and orgs.v1 hold, where they end, and which keys something late has won."""

    pets: Ledger
    orgs: Ledger
    ends: Mapping[TopicPartition, LogEnd]
    late: tuple[int, ...]
    begins: Mapping[TopicPartition, int] = {}
    is_clear: bool = False
    """No record was damaged or a stranger's, and no key was stale."""

    @property
    def highest_base(self) -> int:
        """The highest base of any event; -1: there is none."""
        highest = max(self.pets.highest_sequence, self.orgs.highest_sequence)
        return base_of(highest) if highest >= 0 else -1

    @property
    def newest_start(self) -> str:
        """The start of the newest export that any event is of, as ``ce_time`` has it."""
        return max(self.pets.newest_start, self.orgs.newest_start).decode("ascii", "replace")


async def fold_exports(kafka: KafkaAccess, prefix: str) -> ExportHistory:
    """Return what exports.v1 remembers."""
    history = ExportHistory()
    async with aclosing(read_to_end(kafka, [topics.EXPORTS.full_name(prefix)])) as batches:
        async for records in batches:
            for record in records:
                try:
                    envelope = decode(record.headers, record.value)
                except UndecodableError as error:
                    raise PetstreamError(
                        f"{record.topic} offset {record.offset} can't be read ({error}): "
                        "it was written by another version of petstream; use that or a newer one"
                    ) from error
                history.fold_record(envelope)
    return history


async def fold_requests(kafka: KafkaAccess, prefix: str) -> Requests:
    """Return what is asked for on requests.v1, also by strangers; what isn't a request is none."""
    by: dict[str, int] = {}
    async with aclosing(read_to_end(kafka, [topics.REQUESTS.full_name(prefix)])) as batches:
        async for records in batches:
            for record in records:
                sequence = asked_in(record)
                who = (record.key or b"").decode("utf-8", "replace")
                by[who] = max(sequence, by.get(who, 0))
    return Requests(by)


async def restore_ledgers(
    kafka: KafkaAccess, prefix: str, history: ExportHistory, checkpoint: Checkpoint, say: Say
) -> Ledgers:
    """Return what `fold_ledgers` does, from a checkpoint if there is one that fits (rule 2)."""
    last = history.last_completed
    ends = {} if last is None else {str(at): end for at, end in ends_of(last).items()}
    kept = checkpoint.load(ends)
    if kept is not None:
        with suppress(_DoubtfulError):
            return await _fold(kafka, prefix, history, checkpoint.values, say, kept)
    checkpoint.begin()
    return await fold_ledgers(kafka, prefix, history, checkpoint.values, say)


def kept_of(
    ledgers: Ledgers,
    ends: Mapping[TopicPartition, LogEnd],
    start: datetime,
    doubtful: Collection[object] = (),
) -> KeptLedgers | None:
    """Return what is kept of the ledgers at the end of a run; None where something isn't clear.

    Args:
        ledgers: as they are by now.
        ends: what the fold saw, raised by acknowledgements.
        start: of the export that was read.
        doubtful: where an acknowledgement didn't follow the one before it.
    """
    stamp = f"{start.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}".encode()
    pets, orgs = ledgers.pets.kept(stamp), ledgers.orgs.kept(stamp)
    if pets is None or orgs is None or doubtful or not ledgers.is_clear:
        return None
    if ends.keys() != ledgers.begins.keys():
        return None
    begins = {str(partition): begin for partition, begin in ledgers.begins.items()}
    return KeptLedgers(begins, {str(at): end for at, end in ends.items()}, pets, orgs)


async def fold_ledgers(
    kafka: KafkaAccess, prefix: str, history: ExportHistory, values: ValueStore, say: Say
) -> Ledgers:
    """Return what pets.v1 and orgs.v1 hold, each key's newest event.

    Args:
        kafka: how to reach Kafka.
        prefix: of the topics.
        history: of exports.v1: how far the last run had folded.
        values: where the events' values are kept.
        say: takes one line for a person at a time.
    """
    return await _fold(kafka, prefix, history, values, say, None)


async def _fold(  # noqa: PLR0913, PLR0917  as above
    kafka: KafkaAccess,
    prefix: str,
    history: ExportHistory,
    values: ValueStore,
    say: Say,
    kept: KeptLedgers | None,
) -> Ledgers:
    names = (topics.PETS.full_name(prefix), topics.ORGS.full_name(prefix))
    last = history.last_completed
    late = _LateRecords(fold_ends_of(last), -1 if last is None else last.base)
    is_clear = True
    async with unreachable(kafka, "its topics were read"), reading(kafka, names) as log:
        start = _Start(log, kept)
        ledgers = dict(zip(names, start.ledgers(names, values), strict=True))
        ends = {partition: LogEnd(end) for partition, (_, end) in log.bounds.items()}
        async with aclosing(log.batches(start.begins)) as batches:
            async for records in batches:
                ends[records[-1].topic_partition] = end_behind(records[-1])
                ledger = ledgers[records[0].topic]
                for record in start.behind(records):
                    late.see(ledger, record)
                    if not ledger.fold(record.key, record.headers, record.value, record.partition):
                        is_clear = False
                        say(
                            f"{record.origin} is damaged or a stranger's: skipped; its pet is "
                            "published again if the feed has it"
                        )
        start.check()
    pets, orgs = (ledgers[name] for name in names)
    begins = {partition: begin for partition, (begin, _) in log.bounds.items()}
    is_clear = is_clear and not (pets.stale or orgs.stale)
    return Ledgers(pets, orgs, ends, late.winners(), begins, is_clear)


class _DoubtfulError(Exception):
    """The log isn't the one that a checkpoint is of."""


class _Start:
    """Where a fold begins: with nothing, or behind a checkpoint whose last records are there."""

    def __init__(self, log: LogReading, kept: KeptLedgers | None) -> None:
        self._log, self._kept = log, kept
        self._unseen: dict[TopicPartition, LogEnd] = {}
        if kept is not None:
            if not kept.fits({partition: begin for partition, (begin, _) in log.bounds.items()}):
                raise _DoubtfulError
            ends = {partition: kept.ends[str(partition)] for partition in log.bounds}
            self._unseen = {partition: end for partition, end in ends.items() if end.offset}
        self.begins = {partition: end.offset - 1 for partition, end in self._unseen.items()}

    def ledgers(self, names: Sequence[str], values: ValueStore) -> Iterator[Ledger]:
        """Return the ledgers of pets and of organisations to go on with."""
        kept = (None, None) if self._kept is None else (self._kept.pets, self._kept.orgs)
        for name, held in zip(names, kept, strict=True):
            partitions = sum(partition.topic == name for partition in self._log.bounds)
            place = partial(_place, partitions)
            yield Ledger(values) if held is None else Ledger.begun(held, values, place)

    def behind(self, records: list[ConsumerRecord]) -> list[ConsumerRecord]:
        """Return what of a batch isn't in the checkpoint."""
        expected = self._unseen.pop(records[0].topic_partition, None)
        if expected is None:
            return records
        if end_behind(records[0]) != expected:
            raise _DoubtfulError
        return records[1:]

    def check(self) -> None:
        """See that the record before each end was there."""
        if self._unseen:
            raise _DoubtfulError


def _place(partitions: int, key: int) -> int:
    return partition_of(str(key).encode("ascii"), partitions)


class _LateRecords:
    """The records that came too late (rule 3), while the topics are folded."""

    def __init__(self, fold_ends: Mapping[TopicPartition, int], base: int) -> None:
        self._fold_ends, self._base = fold_ends, base
        self._won: dict[tuple[int, int], tuple[Ledger, Rank]] = {}

    def see(self, ledger: Ledger, record: ConsumerRecord) -> None:
        """Take a record before it is folded."""
        if record.offset < self._fold_ends.get(record.topic_partition, record.offset + 1):
            return
        key, head = key_of(record.key), peek(record.headers, record.value)
        if key is None or head is None or base_of(head.sequence) >= self._base:
            return
        held = ledger.rank(key)
        if held is None or held < head.rank:
            self._won[id(ledger), key] = ledger, head.rank

    def winners(self) -> tuple[int, ...]:
        """Return the keys for which such a record is the newest."""
        return tuple(
            sorted(
                key for (_, key), (ledger, rank) in self._won.items() if ledger.rank(key) == rank
            )
        )


def asked_in(record: ConsumerRecord) -> int:
    """Return the sequence that a record of requests.v1 asks above; 0: it's no request."""
    try:
        return _ASKED.decode(record.value or b"").sequence
    except msgspec.DecodeError:
        return 0


class _Asked(msgspec.Struct):
    """All that is read of a request."""

    sequence: int


_ASKED: Final = msgspec.json.Decoder(_Asked)
