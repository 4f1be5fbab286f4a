"""Dead letters redriven: their events go back to where they came from, to be applied after all.

Rule 1: an event is sent back whole, bytes and headers, to its own partition; the sequence decides
        what becomes of it, so sending it twice is harmless.
Rule 2: what this version can't read isn't sent: it would only be refused again.
Rule 3: an event that a newer one of its key has overtaken isn't sent: it would change nothing, and
        compaction would keep it instead of the newer one.
Rule 4: at most `MAX_EVENTS` at a time: if they are refused again, that must not stop the consumer.
Rule 5: of several, those that were sent back before aren't sent again: else nobody would get
        beyond the first ten. One that was refused again since has another letter, which counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final, Literal, NamedTuple

from consumers.engine.dead_letters import (
    MAX_IN_A_ROW,
    MAX_LETTER_BYTES,
    Original,
    original,
    size_of,
)
from petstream import codec
from petstream.codec import UndecodableError
from petstream.errors import UnreachableError
from petstream.fold import Rank, is_newest, peek
from petstream.kafka.client import KAFKA_ERRORS
from petstream.kafka.reader import bounds, read, record_at
from petstream.kafka.records import ConsumerRecord, ProducerRecord, TopicPartition
from petstream.kafka.writer import send_all
from petstream.settings import KafkaAccess
from petstream.topics import ORGS, PETS

MAX_EVENTS: Final = MAX_IN_A_ROW // 2

RedriveOutcome = Literal[
    "sent", "row", "overtaken", "unreadable", "lost", "elsewhere", "left", "before"
]


class NewestEvent(NamedTuple):
    """The newest event of a key in the log, and where it lies last."""

    rank: Rank
    offset: int


class Redriven(NamedTuple):
    """What became of a dead letter; `why` says more."""

    letter: ConsumerRecord
    outcome: RedriveOutcome
    why: str = ""


async def redrive(
    access: KafkaAccess, prefix: str, letters: Sequence[ConsumerRecord], *, again: bool = True
) -> list[Redriven]:
    """Send the events of these letters back; return what became of each.

    Args:
        access: how to reach Kafka.
        prefix: of the topics.
        letters: which.
        again: also those that were sent back before (rule 5).

    Raises:
        UnreachableError: Kafka is away; what was sent already may be sent again.
    """
    try:
        originals = [original(letter) for letter in letters]
        newest = await _newest(access, prefix, [event for event in originals if event])
        results: list[Redriven] = []
        for letter, event in zip(letters, originals, strict=True):
            sent = sum(result.outcome == "sent" for result in results)
            if event is None:
                results.append(Redriven(letter, "row"))
            elif event.record.topic not in _topics(prefix):
                results.append(Redriven(letter, "elsewhere", event.record.topic))
            elif not again and _is_behind(event.record, newest):
                results.append(Redriven(letter, "before"))
            elif sent == MAX_EVENTS:
                results.append(Redriven(letter, "left"))
            else:
                results.append(await _redrive_event(access, letter, event, newest))
    except KAFKA_ERRORS as error:
        raise UnreachableError(
            f"Kafka at {access.bootstrap} can't be reached ({type(error).__name__}): start it and "
            "run this again; to send an event twice is harmless"
        ) from error
    return results


async def _redrive_event(
    access: KafkaAccess,
    letter: ConsumerRecord,
    event: Original,
    newest: Mapping[tuple[TopicPartition, bytes], NewestEvent],
) -> Redriven:
    record = event.record
    if event.cut_bytes is not None:
        whole = await record_at(access, record.topic_partition, record.offset)
        if whole is None or not _is_whole(whole, event):
            return Redriven(letter, "lost")
        record = whole
    try:
        codec.decode(record.headers, record.value)
    except UndecodableError as error:
        return Redriven(letter, "unreadable", str(error))
    head = peek(record.headers, record.value)
    held = newest.get((record.topic_partition, record.key or b""))
    if head is not None and held is not None and not is_newest(head, held.rank):
        return Redriven(letter, "overtaken")
    await _send(
        access,
        ProducerRecord(record.topic, record.key, record.value, record.headers, record.partition),
    )
    return Redriven(letter, "sent")


def _is_behind(
    record: ConsumerRecord, newest: Mapping[tuple[TopicPartition, bytes], NewestEvent]
) -> bool:
    """Tell whether the log has a record once more, behind where it was refused."""
    head = peek(record.headers, record.value)
    held = newest.get((record.topic_partition, record.key or b""))
    return (
        head is not None
        and held is not None
        and held.rank == head.rank
        and held.offset > record.offset
    )


async def _send(access: KafkaAccess, record: ProducerRecord) -> None:
    """Send a record back; what is only small enough compressed was compressed before."""
    if access.compression == "none" and size_of(record) > MAX_LETTER_BYTES:
        access = replace(access, compression="zstd")
    await send_all(access, [record])


def _is_whole(record: ConsumerRecord, event: Original) -> bool:
    value, kept = record.value or b"", event.record.value or b""
    return len(value) == event.cut_bytes and value.startswith(kept)


async def _newest(
    access: KafkaAccess, prefix: str, events: Iterable[Original]
) -> dict[tuple[TopicPartition, bytes], NewestEvent]:
    """Return the newest event in the log of each key that is to be sent back."""
    keys = {
        (event.record.topic_partition, event.record.key or b"")
        for event in events
        if event.record.topic in _topics(prefix)
    }
    if not keys:
        return {}
    partitions = {partition for partition, _ in keys}
    measured = await bounds(access, sorted({partition.topic for partition in partitions}))
    ends = {partition: measured[partition].end for partition in partitions & measured.keys()}
    newest: dict[tuple[TopicPartition, bytes], NewestEvent] = {}

    async with aclosing(read(access, ends)) as batches:
        async for records in batches:
            for record in records:
                key = record.topic_partition, record.key or b""
                head = peek(record.headers, record.value) if key in keys else None
                held = newest.get(key)
                if is_newest(head, held and held.rank):
                    newest[key] = NewestEvent(head.rank, record.offset)
    return newest


def _topics(prefix: str) -> frozenset[str]:
    return frozenset({PETS.full_name(prefix), ORGS.full_name(prefix)})
