"""Hostile streams of pets' events: what Kafka and petstream may really do to a subscriber. Pure.

Rule 1: the same streams every time: whatever is random has a seed.
Rule 2: within a stretch without a rewind, a key's records come in the order of the log.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from petstream import codec
from petstream.events import Op, PetEvent, Source
from petstream.model import Pet
from petstream.sequence import removal_sequence, row_sequence
from petstream.topics import PETS

_START: Final = datetime(2026, 11, 20, 8, 12, 4, tzinfo=UTC)
_SCHEDULES: Final = 12


class Record(NamedTuple):
    """A record, with the names that Kafka clients give its parts."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


Step = Record | Literal["restart"]


class Trial(NamedTuple):
    """A stream, and what to look at if it goes wrong."""

    name: str
    advice: str
    steps: Sequence[Step]


class Event(NamedTuple):
    """A pet's event, before it has its place in the log."""

    op: Op
    animal_id: int
    day: int
    name: str
    twin: int = 0
    later: Literal["no", "fields", "type"] = "no"


LIFE: Final = (
    Event("added", 1, 0, "Biscuit"), Event("added", 2, 0, "Moss"), Event("added", 3, 0, "Pip"),
    Event("added", 4, 0, "Juno"), Event("updated", 1, 1, "Biscuit II"),
    Event("updated", 3, 1, "Pip II"), Event("removed", 2, 1, "Moss"), Event("added", 5, 1, "Ash"),
    Event("updated", 3, 2, "Pip III"), Event("removed", 4, 2, "Juno"),
    Event("relisted", 4, 3, "Juno is back"), Event("removed", 5, 3, "Ash"),
    Event("updated", 1, 4, "Biscuit III"),
)  # fmt: skip
"""Five pets: changed, removed, and one that came back."""

_GUARD: Final = "Keep (sequence, ce_digest) with each pet, and apply only what is higher"
_KEEP: Final = "Keep the sequence of a removed pet, too"
_IGNORE: Final = "Ignore fields, headers and event types that you don't know"


def trials() -> Iterator[Trial]:
    """Return every trial."""
    log = log_of(LIFE)
    yield Trial("a first reading", "See docs/subscribing.md for what each op means", log)
    yield Trial("every record twice", _GUARD, [record for record in log for _ in range(2)])
    yield Trial("a rewind while it runs", _GUARD, [*log, *log[:9]])
    kept = "What decides must be stored with the pets, and outlive the process"
    yield Trial("a rewind across a restart", kept, [*log, "restart", *log[:9]])
    yield Trial("a replay from the beginning", _GUARD, [*log, "restart", *log])
    yield Trial("a removed pet's past comes again", _KEEP, [*log, *(record for record in log[:8])])
    gone = (Event("removed", 2, 2, "Moss"), Event("added", 2, 0, "Moss"))
    yield Trial("a removal before anything else", _KEEP, log_of(gone))
    late = (*LIFE, Event("updated", 1, 2, "published late"), Event("added", 4, 0, "Juno"))
    yield Trial("an older event at a higher offset", "Compare sequences, not offsets", log_of(late))
    twins = [Event("updated", 1, 5, f"twin {number}", twin=number) for number in range(4)]
    for name, order in (("one way", twins), ("the other way", twins[::-1])):
        yield Trial(f"events with one sequence, {name}", _GUARD, log_of((*LIFE, *order)))
    newest = {event.animal_id: event for event in LIFE}
    whole = "An event holds the whole pet: `changed` only says what is new in it"
    yield Trial("a compacted log", whole, log_of(tuple(newest.values())))
    yield Trial("a gap, compacted away", whole, [*log[:4], "restart", *log_of(newest.values(), 20)])
    fields = [event._replace(later="fields") for event in LIFE]
    yield Trial("a later minor version, new fields", _IGNORE, log_of(fields))
    types = [new for event in LIFE for new in (event, event._replace(later="type"))]
    yield Trial("a later minor version, new event types", _IGNORE, log_of(types))
    for seed in range(_SCHEDULES):
        yield Trial(f"schedule {seed}", _GUARD, _schedule(log_of(late), seed))


def log_of(events: Iterable[Event], first_offset: int = 0) -> list[Record]:
    """Return the events of pets as they stand in a log."""
    return [_record(event, offset) for offset, event in enumerate(events, first_offset)]


def _schedule(log: Sequence[Record], seed: int) -> list[Step]:
    """Return the log with rewinds and restarts; in the end all of it was read."""
    rng = random.Random(seed)  # noqa: S311  a schedule, no secret
    steps: list[Step] = []
    at = 0
    for _ in range(8):
        until = rng.randint(at, len(log))
        steps.extend(log[at:until])
        if rng.random() < 0.5:  # noqa: PLR2004  every other time
            steps.append("restart")
        at = rng.randint(0, until)
    return [*steps, *log[at:]]


def _record(event: Event, offset: int) -> Record:
    base_s = int((_START + timedelta(days=event.day)).timestamp())
    sequence = row_sequence(base_s, "updatedpets", event.animal_id)
    if event.op == "removed":
        sequence = removal_sequence(base_s)
    export_id = (_START + timedelta(days=event.day)).strftime("%Y-%m-%dT%H:%M:%SZ")
    pet = Pet(animal_id=event.animal_id, org_id=7, name=event.name, status="Available")
    payload = PetEvent(
        op=event.op, animal_id=event.animal_id, sequence=sequence, pet=pet, first_seen_at=_START,
        changed=("status",) if event.op == "updated" else (),
        source=Source(export_id, "daily", "updatedpets_1.json", offset + 1),
    )  # fmt: skip
    value, type_ = codec.encode(payload), f"pet.{event.op}"
    extra: codec.Headers = ()
    if event.later != "no":
        value, type_, sequence = _later(json.loads(value), event, type_)
        extra = (("ce_addednextyear", b"\xff"), ("ps_new", b""))
    headers = codec.headers(
        type_=type_, subject=f"pet/{event.animal_id}", sequence=sequence, export_id=export_id,
        digest=codec.digest(codec.encode(pet) + bytes([event.twin])), time=_START,
    )  # fmt: skip
    key, partition = b"%d" % event.animal_id, event.animal_id % PETS.partitions
    at_ms = int(_START.timestamp() * 1000) + offset
    name = PETS.full_name("petstream.")
    return Record(name, partition, offset, at_ms, key, value, (*headers, *extra))


def _later(value: dict[str, Any], event: Event, type_: str) -> tuple[bytes, str, int]:
    """Return the event's value, type and sequence as a later minor version would tell it."""
    sequence: int = value["sequence"]
    if event.later == "fields":
        value |= {"addedNextYear": {"a": [1]}, "pet": value["pet"] | {"mood": ["calm"], "x": None}}
        return codec.encode(value), type_, sequence
    other = {"op": "noted", "animalId": event.animal_id, "sequence": sequence + 1}
    return codec.encode(other | {"note": "of a type that is new"}), "pet.noted", sequence + 1
