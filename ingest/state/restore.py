"""The topics folded: exports.v1 to what is remembered, pets.v1 and orgs.v1 to ledgers.

Rule 1: the fold notes where each partition ends and which record is its last: what is acknowledged
        later must follow it, and the next run looks whether it is still there.
Rule 2: a record of an older export that lies behind what the last run folded, and is newer than
        what was held of its key, came too late: a dead leader's last words, and nobody judged it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Final, NamedTuple

import msgspec

from ingest.state.debts import Requests
from ingest.state.export_history import ExportHistory
from ingest.state.ledger import Ledger, ValueStore
from ingest.state.log_check import fold_ends_of
from petstream import topics
from petstream.codec import UndecodableError, decode
from petstream.errors import PetstreamError
from petstream.events import LogEnd
from petstream.fold import Rank, key_of, peek
from petstream.kafka.client import unreachable
from petstream.kafka.positions import end_behind
from petstream.kafka.reader import bounds, read, read_to_end
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
    names = (topics.PETS.full_name(prefix), topics.ORGS.full_name(prefix))
    ledgers = {name: Ledger(values) for name in names}
    last = history.last_completed
    late = _LateRecords(fold_ends_of(last), -1 if last is None else last.base)
    async with unreachable(kafka, "its topics were read"):
        measured = await bounds(kafka, names)
        ends = {partition: LogEnd(end) for partition, (_, end) in measured.items()}
        offsets = {partition: end.offset for partition, end in ends.items()}
        async with aclosing(read(kafka, offsets)) as batches:
            async for records in batches:
                ledger = ledgers[records[0].topic]
                for record in records:
                    late.see(ledger, record)
                    if not ledger.fold(record.key, record.headers, record.value, record.partition):
                        say(
                            f"{record.origin} is damaged or a stranger's: skipped; its pet is "
                            "published again if the feed has it"
                        )
                ends[records[-1].topic_partition] = end_behind(records[-1])
    pets, orgs = (ledgers[name] for name in names)
    return Ledgers(pets, orgs, ends, late.winners())


class _LateRecords:
    """The records that came too late (rule 2), while the topics are folded."""

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
