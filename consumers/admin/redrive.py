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
from typing import Final, Literal, NamedTuple

from consumers.admin import groups
from consumers.engine.dead_letters import MAX_IN_A_ROW, Original, original
from consumers.engine.subscription import TROUBLE, Place, Record, ends
from petstream import codec
from petstream.codec import Headers, UndecodableError
from petstream.errors import UnreachableError
from petstream.settings import KafkaAccess
from petstream.topics import ORGS, PETS

MOST: Final = MAX_IN_A_ROW // 2

Outcome = Literal["sent", "row", "overtaken", "unreadable", "lost", "elsewhere", "left"]
Rank = tuple[int, bytes]


class Returned(NamedTuple):
    """What became of a letter; `why` says more."""

    letter: Record
    outcome: Outcome
    why: str = ""


async def send_back(access: KafkaAccess, prefix: str, letters: Sequence[Record]) -> list[Returned]:
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
            elif found.record.place.topic not in _topics(prefix):
                done.append(Returned(letter, "elsewhere", found.record.place.topic))
            elif sent == MOST:
                done.append(Returned(letter, "left"))
            else:
                done.append(await _one(access, letter, found, newest))
    except TROUBLE as error:
        raise UnreachableError(
            f"Kafka at {access.bootstrap} can't be reached ({type(error).__name__}): start it and "
            "run this again; to send an event twice is harmless"
        ) from error
    return done


async def _one(
    access: KafkaAccess,
    letter: Record,
    found: Original,
    newest: Mapping[tuple[Place, bytes], Rank],
) -> Returned:
    record = found.record
    if found.cut_bytes is not None:
        there = await groups.record_at(access, record.place, record.offset)
        if there is None or not _is_rest_of(found, there):
            return Returned(letter, "lost")
        record = there
    try:
        codec.decode(record.headers, record.value)
    except UndecodableError as error:
        return Returned(letter, "unreadable", str(error))
    rank = _rank(record.headers)
    held = newest.get((record.place, record.key or b""))
    if rank is not None and held is not None and held > rank:
        return Returned(letter, "overtaken")
    await groups.send_back(access, record)
    return Returned(letter, "sent")


def _is_rest_of(found: Original, there: Record) -> bool:
    value, kept = there.value or b"", found.record.value or b""
    return len(value) == found.cut_bytes and value.startswith(kept)


async def _newest(
    access: KafkaAccess, prefix: str, wanted: Iterable[Original]
) -> dict[tuple[Place, bytes], Rank]:
    """Return the highest (sequence, digest) in the log of each key that is to be sent back."""
    keys = {
        (one.record.place, one.record.key or b"")
        for one in wanted
        if one.record.place.topic in _topics(prefix)
    }
    if not keys:
        return {}
    bounds = await ends(access, sorted({place.topic for place, _ in keys}))
    places = {place: bounds[place][1] for place, _ in keys if place in bounds}
    found: dict[tuple[Place, bytes], Rank] = {}

    def look(place: Place, key: bytes, headers: Headers) -> None:
        rank = _rank(headers) if (place, key) in keys else None
        if rank is not None:
            found[place, key] = max(rank, found.get((place, key), rank))

    await groups.look_through(access, places, look)
    return found


def _rank(headers: Headers) -> Rank | None:
    named = dict(headers)
    sequence = named.get("ce_sequence", b"")
    return (int(sequence), named.get("ce_digest", b"")) if sequence.isdigit() else None


def _topics(prefix: str) -> frozenset[str]:
    return frozenset({PETS.full_name(prefix), ORGS.full_name(prefix)})
