"""Watch a topic: one line an event, for people or as JSON.

Rule 1: joins no group and commits nothing.
Rule 2: its reader may pause, as a pager does: no more is fetched meanwhile.
Rule 3: a record that can't be decoded is shown as such; watching goes on.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import Any, Final, Literal

import msgspec

from console.inspect import formatting
from console.inspect.trouble import times
from console.runtime import streams
from console.runtime.output import say
from petstream import events, topics
from petstream.codec import ROW_DIGEST_BEFORE_0_2, Envelope, UndecodableError, decode
from petstream.kafka.client import ensure_topics
from petstream.kafka.reader import follow
from petstream.kafka.records import ConsumerRecord
from petstream.settings import KafkaAccess, Settings

Name = Literal["pets", "orgs", "exports", "pictures", "requests"]

TOPICS: Final[dict[Name, topics.Topic]] = {
    "pets": topics.PETS,
    "orgs": topics.ORGS,
    "exports": topics.EXPORTS,
    "pictures": topics.PICTURES,
    "requests": topics.REQUESTS,
}


async def tail(  # noqa: PLR0913  the command's options, each by name
    settings: Settings,
    *,
    kafka: KafkaAccess,
    topic: Name,
    from_beginning: bool,
    as_json: bool,
    stopping: asyncio.Event,
) -> int:
    """Print a topic's events as they come, until `stopping`; return the exit status."""
    await ensure_topics(kafka, settings.topic_prefix)
    name = TOPICS[topic].full_name(settings.topic_prefix)
    stream = follow(kafka, name, from_beginning=from_beginning, stopping=stopping)
    async with aclosing(stream) as batches:
        async for records in batches:
            for record in records:
                say(as_json_line(record) if as_json else line(record))
            await streams.drained()
    return 0


def line(record: ConsumerRecord) -> str:
    """Return one readable line for a record."""
    try:
        envelope = decode(record.headers, record.value)
    except UndecodableError as error:
        where = f"{record.topic} partition {record.partition} offset {record.offset}"
        return f"{times.to_minute(record.published_at)} undecodable record at {where}: " + (
            formatting.shortened(str(error), 200)
        )
    return f"{times.to_minute(envelope.time)} {_event(envelope, record.value or b'')}"


def as_json_line(record: ConsumerRecord) -> str:
    """Return a record as one line of ASCII JSON: its offset, key, headers and value."""
    try:
        value: Any = None if record.value is None else json.loads(record.value)
    except ValueError:
        value = (record.value or b"").decode("utf-8", "replace")
    return json.dumps(
        {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "publishedAt": record.published_at.isoformat(timespec="milliseconds"),
            "key": (record.key or b"").decode("utf-8", "replace"),
            "headers": {name: _header(name, text) for name, text in record.headers},
            "value": value,
        },
        separators=(",", ":"),
    )


def _header(name: str, text: bytes) -> str:
    return text.hex() if name == ROW_DIGEST_BEFORE_0_2 else text.decode("utf-8", "replace")


def _event(envelope: Envelope, value: bytes) -> str:
    event = envelope.event
    if isinstance(event, events.ExportEvent):
        return _export(event)
    if isinstance(event, events.PlanEvent):
        by = f" by {formatting.shortened(event.by, 60)}" if event.by else ""
        why = f": {formatting.shortened(event.reason, 200)}" if event.reason else ""
        return f"{event.decision} removals {formatting.escaped(event.plan_id)}{by}{why}"
    if isinstance(event, events.PictureEvent):
        return _picture(event)
    if isinstance(event, events.DebtEvent):
        return _debt(event)
    if isinstance(event, events.SnapshotRequest):
        by, why = (formatting.shortened(text, 100) for text in (event.asked_by, event.reason))
        return f"{by} asks for a snapshot above {event.sequence}: {why}"
    record = _record(event, msgspec.json.decode(value))
    return f"{record}: stated again" if envelope.restated else record


def _debt(event: events.DebtEvent) -> str:
    what = "a snapshot" if event.owes == "snapshot" else "a whole read"
    return f"owed: {what}: {formatting.shortened(event.reason, 200)}"


def _record(event: events.PetEvent | events.OrganizationEvent, value: dict[str, Any]) -> str:
    if isinstance(event, events.PetEvent):
        record = value["pet"]
        org = "no org" if event.pet.org_id is None else f"org {event.pet.org_id}"
        kind = formatting.shortened(event.pet.species or "no species", formatting.SHORT)
        subject = f"pet {event.animal_id} {formatting.quoted_name(record)} ({kind}, {org})"
    else:
        record = value["organization"]
        place = ", ".join(filter(None, (record.get("city"), record.get("state"))))
        place = f" ({formatting.shortened(place, 60)})" if place else ""
        subject = f"org {event.org_id} {formatting.quoted_name(record)}{place}"
    if event.op == "removed":
        return f"removed {subject}: left the feed"
    changes = formatting.brief_changes(record, event.changed, event.old)
    return f"{event.op} {subject}" + (f": {changes}" if changes else "")


def _export(event: events.ExportEvent) -> str:
    subject = f"{event.state} export {formatting.escaped(event.export_id)} ({event.mode})"
    why = f": {formatting.shortened(event.reason, 200)}" if event.reason else ""
    if event.state == "held" and event.plan is not None:
        part = f", part {event.plan.part} of {event.plan.parts}" if event.plan.parts > 1 else ""
        plan = f"{len(event.plan.removals):,} {event.plan.entity}{part}"
        return f"held removals {formatting.escaped(event.plan.plan_id)} ({plan}){why}"
    if event.state == "started":
        return subject
    pets = formatting.counts(msgspec.to_builtins(event.counts.pets))
    orgs = formatting.counts(msgspec.to_builtins(event.counts.orgs))
    return f"{subject}{why}: pets {pets}; orgs {orgs}{_snapshot(event)}"


def _snapshot(event: events.ExportEvent) -> str:
    if not isinstance(event.restated, int):
        return ""
    if event.snapshot != event.restated:
        return "; everything stated again"
    unstated = event.unstated or events.Unstated()
    missing = len(unstated.pets) + len(unstated.orgs)
    return f"; everything stated again, a snapshot{f' but for {missing:,} ids' if missing else ''}"


def _picture(event: events.PictureEvent) -> str:
    subject = f"{event.op} picture {event.picture_id} of pet {event.animal_id}"
    if event.op == "gone" or event.stored_as is None:
        return subject
    size = "" if event.width is None else f", {event.width}x{event.height}"
    bytes_ = "" if event.bytes is None else f", {event.bytes:,} bytes"
    kind = formatting.shortened(event.content_type or "unknown type", formatting.SHORT)
    smaller = "" if event.rendition in {None, "original"} else f", {event.rendition} rendition"
    smaller = formatting.shortened(smaller, formatting.SHORT)
    return (
        f"{subject}: {formatting.shortened(event.stored_as, 120)} ({kind}{size}{bytes_}{smaller})"
    )
