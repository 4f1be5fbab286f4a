"""Parked events sent back to where they came from, to be applied after all.

Rule 1: an event is sent back whole, bytes and headers, to its own partition; the sequence decides
        what becomes of it, so sending it twice is harmless.
Rule 2: what this version can't read isn't sent: it would only be parked again.
Rule 3: an event that a newer one of its key has overtaken isn't sent: it would change nothing, and
        compaction would keep it instead of the newer one.
Rule 4: at most `MOST` at a time: if they are refused again, that must not stop the consumer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Final, Literal, NamedTuple

from consumers.engine.dead_letters import MAX_IN_A_ROW, Original, original
from petstream import codec
from petstream.codec import Headers, UndecodableError
from petstream.errors import UnreachableError
from petstream.kafka.client import KAFKA_ERRORS
from petstream.kafka.reader import bounds, read, record_at
from petstream.kafka.records import ConsumerRecord, ProducerRecord, TopicPartition
from petstream.kafka.writer import send_compressed
from petstream.settings import KafkaAccess
from petstream.topics import ORGS, PETS

MOST: Final = MAX_IN_A_ROW // 2

Outcome = Literal["sent", "row", "overtaken", "unreadable", "lost", "elsewhere", "left"]
Rank = tuple[int, bytes]


class Returned(NamedTuple):
    """What became of a letter; `why` says more."""

    letter: ConsumerRecord
    outcome: Outcome
    why: str = ""


async def send_back(
    access: KafkaAccess, prefix: str, letters: Sequence[ConsumerRecord]
) -> list[Returned]:
    """Send the events of these letters back; return what became of each.

    Raises:
        UnreachableError: Kafka is away; what was sent already may be sent again.
    """
    try:
        wanted = [(letter, original(letter)) for letter in letters]
        newest = await _newest(access, prefix, [found for _, found in wanted if found])
        done: list[Returned] = []
        for letter, found in wanted:
            sent = sum(one.outcome == "sent" for one in done)
            if found is None:
                done.append(Returned(letter, "row"))
            elif found.record.topic not in _topics(prefix):
                done.append(Returned(letter, "elsewhere", found.record.topic))
            elif sent == MOST:
                done.append(Returned(letter, "left"))
            else:
                done.append(await _one(access, letter, found, newest))
    except KAFKA_ERRORS as error:
        raise UnreachableError(
            f"Kafka at {access.bootstrap} can't be reached ({type(error).__name__}): start it and "
            "run this again; to send an event twice is harmless"
        ) from error
    return done


async def _one(
    access: KafkaAccess,
    letter: ConsumerRecord,
    found: Original,
    newest: Mapping[tuple[TopicPartition, bytes], Rank],
) -> Returned:
    record = found.record
    if found.cut_bytes is not None:
        there = await record_at(access, record.topic_partition, record.offset)
        if there is None or not _is_rest_of(found, there):
            return Returned(letter, "lost")
        record = there
    try:
        codec.decode(record.headers, record.value)
    except UndecodableError as error:
        return Returned(letter, "unreadable", str(error))
    rank = _rank(record.headers)
    held = newest.get((record.topic_partition, record.key or b""))
    if rank is not None and held is not None and held > rank:
        return Returned(letter, "overtaken")
    await send_compressed(
        access,
        ProducerRecord(record.topic, record.key, record.value, record.headers, record.partition),
    )
    return Returned(letter, "sent")


def _is_rest_of(found: Original, there: ConsumerRecord) -> bool:
    value, kept = there.value or b"", found.record.value or b""
    return len(value) == found.cut_bytes and value.startswith(kept)


async def _newest(
    access: KafkaAccess, prefix: str, wanted: Iterable[Original]
) -> dict[tuple[TopicPartition, bytes], Rank]:
    """Return the highest (sequence, digest) in the log of each key that is to be sent back."""
    keys = {
        (one.record.topic_partition, one.record.key or b"")
        for one in wanted
        if one.record.topic in _topics(prefix)
    }
    if not keys:
        return {}
    measured = await bounds(access, sorted({place.topic for place, _ in keys}))
    ends = {place: measured[place].end for place, _ in keys if place in measured}
    found: dict[tuple[TopicPartition, bytes], Rank] = {}

    async with aclosing(read(access, ends)) as batches:
        async for records in batches:
            for record in records:
                key = record.topic_partition, record.key or b""
                rank = _rank(record.headers) if key in keys else None
                if rank is not None:
                    found[key] = max(rank, found.get(key, rank))
    return found


def _rank(headers: Headers) -> Rank | None:
    named = dict(headers)
    sequence = named.get("ce_sequence", b"")
    return (int(sequence), named.get("ce_digest", b"")) if sequence.isdigit() else None


def _topics(prefix: str) -> frozenset[str]:
    return frozenset({PETS.full_name(prefix), ORGS.full_name(prefix)})
