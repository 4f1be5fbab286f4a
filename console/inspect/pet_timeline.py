"""One pet's whole life in words. Pure.

Rule 1: every event of its key is told, also one that was late or came twice.
Rule 2: "left the feed" is all that a removal says; nobody tells us of an adoption.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from console.inspect import wording
from console.inspect.database_reader import Away, Rows
from console.inspect.export_history import Past
from console.inspect.kafka_reader import Record
from petstream.codec import Envelope, UndecodableError, decode
from petstream.events import PetEvent, PictureEvent

_LONG: Final = 72


class Life(NamedTuple):
    """All that is known of one pet."""

    animal_id: int
    topic: str
    partition: int
    records: list[Record]
    pictures: list[Record]
    past: Past
    positions: Mapping[str, int]
    tables: Rows | Away
    now: datetime


class Told(NamedTuple):
    """One record and what it says; `event` as plain JSON too, for old and new values."""

    record: Record
    envelope: Envelope
    event: PetEvent
    value: dict[str, Any]

    @property
    def rank(self) -> tuple[int, str]:
        """What decides which of two events of a pet is the newer."""
        return self.envelope.sequence, self.envelope.digest


def render(life: Life) -> str:
    """Return the pet's life, several lines, ending with why it is or isn't listed now."""
    told = [one for one in map(_tell, life.records) if one is not None]
    if not told:
        return f"Pet {life.animal_id}: its records can't be read by this version of petstream"
    newest = max(told, key=lambda one: one.rank)
    pet = newest.event.pet
    org = "no org" if pet.org_id is None else f"org {pet.org_id}"
    kind = wording.cut(pet.species or "no species", wording.SHORT)
    lines = [
        f"Pet {life.animal_id} {wording.who(newest.value['pet'])} ({kind}, {org})",
        f"First seen {wording.stamp(newest.event.first_seen_at)} UTC",
        "",
        f"Events in {life.topic}, partition {life.partition}:",
        *_events(life, told),
        "",
        "Pictures:",
        *_pictures(life, newest),
        "",
        "Consumers:",
        *_positions(life, newest),
        "",
        "Postgres:",
        *_tables(life, newest),
        "",
        *_why(life, newest),
    ]
    return "\n".join(lines)


def _tell(record: Record) -> Told | None:
    try:
        envelope = decode(record.headers, record.value)
    except UndecodableError:
        return None
    if not isinstance(envelope.event, PetEvent):
        return None
    return Told(record, envelope, envelope.event, msgspec.json.decode(record.value or b""))


def _events(life: Life, told: list[Told]) -> Iterator[str]:
    if told[0].event.op != "added":
        yield "  (what came before was compacted away: the topic keeps 30 days of changes)"
    highest: tuple[int, str] = (-1, "")
    for one in told:
        event = one.event
        row = f" row {event.source.row}" if event.source.row else ""
        file = wording.cut(event.source.file, 60)
        late = ""
        if one.rank <= highest:
            again = one.rank == highest
            late = " (the same once more)" if again else " (late: what was before it is newer)"
        highest = max(highest, one.rank)
        yield (
            f"  offset {one.record.offset}  published {wording.stamp(one.record.published_at)} "
            f"UTC  {event.op}, export {wording.plain(event.source.export_id)} "
            f"({event.source.mode}), {file}{row}{late}"
        )
        if event.op == "removed":
            continue
        record, old = one.value["pet"], event.old
        for said in wording.changes(record, event.changed, old, _LONG):
            yield f"      {said}"
    for record in life.records:
        if _tell(record) is None:
            yield f"  offset {record.offset}  can't be decoded: not an event of this version"


def _pictures(life: Life, newest: Told) -> Iterator[str]:
    fetched: dict[int, PictureEvent] = {}
    for record in life.pictures:
        try:
            event = decode(record.headers, record.value).event
        except UndecodableError:
            continue
        if isinstance(event, PictureEvent):
            fetched[event.picture_id] = event
    rows = {} if isinstance(life.tables, Away) else {
        row["picture_id"]: row for row in life.tables["pictures"]
    }  # fmt: skip
    for picture in newest.event.pet.pictures:
        url = next(
            (one.url for one in (picture.original, picture.large, picture.small) if one), None
        )
        told, row = fetched.get(picture.id or 0), rows.get(picture.id)
        state = told.op if told is not None else row["status"] if row else "nothing fetched yet"
        stored_as = None if told is None else told.stored_as
        where = f" as {wording.cut(stored_as, 120)}" if stored_as else ""
        error = f" ({wording.cut(row['error'], _LONG)})" if row and row.get("error") else ""
        yield (
            f"  {picture.position}. picture {picture.id}: {state}{where}{error}"
            f"; {wording.cut(url or 'no address', 160)}"
        )
    if not newest.event.pet.pictures:
        yield "  none"


def _positions(life: Life, newest: Told) -> Iterator[str]:
    # The newest by sequence may stand before a late one: it is applied when *it* was passed.
    for group, position in life.positions.items():
        behind = newest.record.offset - position + 1
        state = "applied" if behind <= 0 else f"not applied yet, {behind:,} to go"
        yield f"  {group}: {state} (at offset {position})"
    if not life.positions:
        yield "  none has committed a position in this partition yet"


def _tables(life: Life, newest: Told) -> Iterator[str]:
    if isinstance(life.tables, Away):
        yield f"  {life.tables.why}"
        return
    held = [("pets", row) for row in life.tables["pets"]]
    held += [("removed_pets", row) for row in life.tables["removed_pets"]]
    for view, row in held:
        sequence = row["sequence"]
        state = "as in the newest event"
        if sequence < newest.envelope.sequence:
            state = "older than the newest event: a consumer is behind"
        elif sequence > newest.envelope.sequence:
            state = "newer than the topic: was the topic made anew?"
        detail = f", status {wording.value(row['status'])}" if view == "pets" else ""
        export = wording.plain(str(row["export_id"]))
        yield f"  in petstream.{view}: sequence {sequence}, export {export}{detail}; {state}"
    if not held:
        yield "  in no table yet"
    yield f"  petstream.pet_history: {life.tables['history'][0]['events']:,} events"


def _why(life: Life, newest: Told) -> Iterator[str]:
    event = newest.event
    plans = [plan for plan in life.past.plans() if _names(plan.entity, plan.removals, life)]
    export_id = wording.plain(event.source.export_id)
    if event.op == "removed":
        yield (
            f"Not listed now: left the feed with export {export_id}: its id was not in "
            f"{wording.cut(event.source.file, 60)}; that doesn't say it was adopted."
        )
        for plan in plans:
            decided = life.past.memory.decided.get(plan.plan_id)
            if plan.event.export_id == event.source.export_id and decided is not None:
                by = wording.cut(decided.by or "somebody", 60)
                at = wording.stamp(decided.at)
                yield f"Its removal was held, and {decided.decision} by {by} on {at} UTC."
        return
    newest_export = life.past.newest_completed
    since = "" if newest_export is None else (
        f"; no export up to {newest_export.export_id} said that it left"
    )  # fmt: skip
    yield f"Listed now: {event.op} with export {export_id}{since}."
    if event.pet.status not in {None, "Available"}:
        yield (
            f"Its status is {wording.value(event.pet.status)}, not Available: "
            "sites that filter by status don't show it."
        )
    for plan in plans:
        state = life.past.state_of(plan, life.now)
        hint = f": see 'petstream removals show {plan.plan_id}'" if state == "held" else ""
        yield (
            f"It was missing from the petlist of export {plan.event.export_id}; "
            f"that removal is {state}{hint}."
        )


def _names(entity: str, removals: tuple[int, ...], life: Life) -> bool:
    return entity == "pets" and life.animal_id in removals
