"""Everything that happened to one pet, in words. Pure.

Rule 1: every event of its key is shown, also one that was late or came twice.
Rule 2: "left the feed" is all that a removal says; nobody tells us of an adoption.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from console.inspect import formatting
from console.inspect.database_reader import Rows, Unavailable
from console.inspect.export_history import PublishedExports
from console.inspect.trouble import times
from petstream.codec import Envelope, UndecodableError, decode
from petstream.events import PetEvent, PictureEvent
from petstream.kafka.records import ConsumerRecord

_LONG: Final = 72


class PetTimeline(NamedTuple):
    """All that was read about one pet.

    Attributes:
        animal_id: the pet.
        topic: the topic of pets.
        partition: the partition of its key.
        records: its events.
        pictures: the events of its pictures.
        published: all exports.
        offsets: what each consumer group has committed in the partition.
        tables: its rows in Postgres.
        now: when all this was read.
    """

    animal_id: int
    topic: str
    partition: int
    records: list[ConsumerRecord]
    pictures: list[ConsumerRecord]
    published: PublishedExports
    offsets: Mapping[str, int]
    tables: Rows | Unavailable
    now: datetime


class TimelineEvent(NamedTuple):
    """A record and its event; `value` is the event as plain JSON, for old and new values."""

    record: ConsumerRecord
    envelope: Envelope
    event: PetEvent
    value: dict[str, Any]

    @property
    def rank(self) -> tuple[int, str]:
        """What decides which of two events of a pet is the newer."""
        return self.envelope.sequence, self.envelope.digest


def render(timeline: PetTimeline) -> str:
    """Return the pet's timeline, several lines, ending with why it is or isn't listed now."""
    decoded = [entry for entry in map(_decoded, timeline.records) if entry is not None]
    if not decoded:
        return f"Pet {timeline.animal_id}: its records can't be read by this version of petstream"
    newest = max(decoded, key=lambda entry: entry.rank)
    pet = newest.event.pet
    org = "no org" if pet.org_id is None else f"org {pet.org_id}"
    kind = formatting.shortened(pet.species or "no species", formatting.SHORT)
    lines = [
        f"Pet {timeline.animal_id} {formatting.quoted_name(newest.value['pet'])} ({kind}, {org})",
        f"First seen {times.both(newest.event.first_seen_at, timeline.now)}",
        "",
        f"Events in {timeline.topic}, partition {timeline.partition}:",
        *_event_lines(timeline, decoded),
        "",
        "Pictures:",
        *_picture_lines(timeline, newest),
        "",
        "Consumers:",
        *_consumer_lines(timeline, newest),
        "",
        "Postgres:",
        *_table_lines(timeline, newest),
        "",
        *_listing_lines(timeline, newest),
    ]
    return "\n".join(lines)


def _decoded(record: ConsumerRecord) -> TimelineEvent | None:
    try:
        envelope = decode(record.headers, record.value)
    except UndecodableError:
        return None
    if not isinstance(envelope.event, PetEvent):
        return None
    return TimelineEvent(record, envelope, envelope.event, msgspec.json.decode(record.value or b""))


def _event_lines(timeline: PetTimeline, decoded: list[TimelineEvent]) -> Iterator[str]:
    if decoded[0].event.op != "added":
        yield "  (what came before was compacted away: the topic keeps 30 days of changes)"
    highest: tuple[int, str] = (-1, "")
    for entry in decoded:
        event = entry.event
        row = f" row {event.source.row}" if event.source.row else ""
        file = formatting.shortened(event.source.file, 60)
        late = " (stated again, since the log lost records)" if entry.envelope.restated else ""
        if entry.rank <= highest:
            again = entry.rank == highest
            late = " (the same once more)" if again else " (late: what was before it is newer)"
        highest = max(highest, entry.rank)
        published_at = times.to_minute(entry.record.published_at)
        yield (
            f"  offset {entry.record.offset}  published {published_at} "
            f" {event.op}, export {formatting.escaped(event.source.export_id)} "
            f"({event.source.mode}), {file}{row}{late}"
        )
        if event.op == "removed":
            continue
        for change in formatting.changes(entry.value["pet"], event.changed, event.old, _LONG):
            yield f"      {change}"
    for record in timeline.records:
        if _decoded(record) is None:
            yield f"  offset {record.offset}  can't be decoded: not an event of this version"


def _picture_lines(timeline: PetTimeline, newest: TimelineEvent) -> Iterator[str]:
    fetched: dict[int, PictureEvent] = {}
    ranks: dict[int, tuple[int, str]] = {}
    for record in timeline.pictures:
        try:
            envelope = decode(record.headers, record.value)
        except UndecodableError:
            continue
        event = envelope.event
        if isinstance(event, PictureEvent) and envelope.rank >= ranks.get(
            event.picture_id, envelope.rank
        ):
            fetched[event.picture_id], ranks[event.picture_id] = event, envelope.rank
    rows = {} if isinstance(timeline.tables, Unavailable) else {
        row["picture_id"]: row for row in timeline.tables["pictures"]
    }  # fmt: skip
    for picture in newest.event.pet.pictures:
        renditions = (picture.original, picture.large, picture.small)
        url = next((rendition.url for rendition in renditions if rendition), None)
        last, row = fetched.get(picture.id or 0), rows.get(picture.id)
        state = last.op if last is not None else row["status"] if row else "nothing fetched yet"
        stored_as = None if last is None else last.stored_as
        where = f" as {formatting.shortened(stored_as, 120)}" if stored_as else ""
        if last is not None and last.rendition not in {None, "original"}:
            where += f", {formatting.shortened(last.rendition or '', formatting.SHORT)} rendition"
        error = (
            f" ({formatting.shortened(row['error'], _LONG)})" if row and row.get("error") else ""
        )
        yield (
            f"  {picture.position}. picture {picture.id}: {state}{where}{error}"
            f"; {formatting.shortened(url or 'no address', 160)}"
        )
    if not newest.event.pet.pictures:
        yield "  none"


def _consumer_lines(timeline: PetTimeline, newest: TimelineEvent) -> Iterator[str]:
    # The newest by sequence may stand before a late one: it is applied when *it* was passed.
    for group, offset in timeline.offsets.items():
        behind = newest.record.offset - offset + 1
        state = "applied" if behind <= 0 else f"not applied yet, {behind:,} to go"
        yield f"  {group}: {state} (at offset {offset})"
    if not timeline.offsets:
        yield "  none has committed a position in this partition yet"


def _table_lines(timeline: PetTimeline, newest: TimelineEvent) -> Iterator[str]:
    tables = timeline.tables
    if isinstance(tables, Unavailable):
        yield f"  {tables.reason}"
        return
    rows = [(view, row) for view in ("pets", "removed_pets") for row in tables[view]]
    for view, row in rows:
        sequence = row["sequence"]
        state = "as in the newest event"
        if sequence < newest.envelope.sequence:
            state = "older than the newest event: a consumer is behind"
        elif sequence > newest.envelope.sequence:
            state = "newer than the topic, which lost records: see docs/operating.md"
            swept_by = _snapshot_of(timeline.published, sequence)
            if view == "removed_pets" and swept_by is not None:
                state = f"swept: the snapshot of export {swept_by} doesn't have it"
        detail = f", status {formatting.value(row['status'])}" if view == "pets" else ""
        export = formatting.escaped(str(row["export_id"]))
        yield f"  in petstream.{view}: sequence {sequence}, export {export}{detail}; {state}"
    if not rows:
        yield "  in no table yet"
    yield f"  petstream.pet_history: {tables['history'][0]['events']:,} events"


def _snapshot_of(published: PublishedExports, sequence: int) -> str | None:
    """Return the export whose snapshot has this sequence, if there is one."""
    events = published.history.completed.values()
    named = (event.export_id for event in events if event.restated == sequence)
    return next((formatting.escaped(export_id) for export_id in named), None)


def _listing_lines(timeline: PetTimeline, newest: TimelineEvent) -> Iterator[str]:
    """Say why the pet is or isn't listed now."""
    event, published = newest.event, timeline.published
    plans = [
        plan
        for plan in published.plans()
        if plan.entity == "pets" and timeline.animal_id in plan.removals
    ]
    export_id = formatting.escaped(event.source.export_id)
    if event.op == "removed":
        yield (
            f"Not listed now: left the feed with export {export_id}: its id was not in "
            f"{formatting.shortened(event.source.file, 60)}; that doesn't say it was adopted."
        )
        for plan in plans:
            decided = published.history.decided.get(plan.plan_id)
            if plan.event.export_id == event.source.export_id and decided is not None:
                by = formatting.shortened(decided.by or "somebody", 60)
                at = times.to_minute(decided.at)
                yield f"Its removal was held, and {decided.decision} by {by} on {at}."
        return
    newest_export = published.newest_completed
    since = "" if newest_export is None else (
        f"; no export up to {newest_export.export_id} said that it left"
    )  # fmt: skip
    yield f"Listed now: {event.op} with export {export_id}{since}."
    if event.pet.status not in {None, "Available"}:
        yield (
            f"Its status is {formatting.value(event.pet.status)}, not Available: "
            "sites that filter by status don't show it."
        )
    for plan in plans:
        state = published.state_of(plan, timeline.now)
        hint = f": see 'petstream removals show {plan.plan_id}'" if state == "held" else ""
        yield (
            f"It was missing from the petlist of export {plan.event.export_id}; "
            f"that removal is {state}{hint}."
        )
