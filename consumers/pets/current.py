"""The current state of pets and organisations: rows from events.

Rule 1: a row is derived from one event alone, never from the row before it; only `changed_at`
        stands where an event states again what the row holds.
Rule 2: what was removed is a row as well, not listed: what comes late loses against it. Its event
        says what it was, so that is known of it in whatever order events come.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import structs

from consumers.engine.batch import newest
from consumers.engine.postgres import Connection
from consumers.engine.queries import query
from petstream import codec
from petstream.codec import Envelope
from petstream.events import OrganizationEvent, PetEvent
from petstream.fields import ORGANIZATION_COLUMNS, PET_COLUMNS
from petstream.html import rendered
from petstream.model import Organization, Pet

STATE_COLUMNS: Final = (
    "attributes", "first_seen_at", "changed_at", "export_id", "sequence", "digest",
)  # fmt: skip
"""What follows a record's own columns in its row."""


class DecodedEvent(NamedTuple):
    """An event, and the bytes it came as."""

    envelope: Envelope
    value: bytes


def op_of(change: DecodedEvent) -> str | None:
    """Return what happened to a pet or an organisation."""
    event = change.envelope.event
    return event.op if isinstance(event, (PetEvent, OrganizationEvent)) else None


async def apply(connection: Connection, changes: Sequence[DecodedEvent]) -> None:
    """Write the newest of each pet and organisation, if it isn't older than what is held.

    Removals aren't: the consumer deletions writes them.
    """
    listed = [change for change in changes if op_of(change) != "removed"]
    await write(connection, listed, changes)


async def write(
    connection: Connection, written: Sequence[DecodedEvent], changes: Sequence[DecodedEvent] = ()
) -> None:
    """Write the newest of these, if it isn't older than what is held.

    Args:
        connection: in a transaction.
        written: the events whose rows are written, listed or removed.
        changes: all that came with them: an event that states again may follow one of these.
    """
    for kind, name, row_of in (
        (PetEvent, "upsert_pet", pet_row),
        (OrganizationEvent, "upsert_organization", organization_row),
    ):
        of_kind = [change for change in written if isinstance(change.envelope.event, kind)]
        latest = newest(of_kind, key=key_of, rank=rank_of)
        if latest:
            before = _stated_before(latest, changes, kind)
            # not a list: rows are made while Postgres works on those before them
            rows = (
                (row_of(change, before.get(key_of(change))) for change in latest)
                if before
                else (row_of(change) for change in latest)
            )
            await connection.executemany(query(name), rows)


def _stated_before(
    latest: Sequence[DecodedEvent],
    changes: Sequence[DecodedEvent],
    kind: type[PetEvent | OrganizationEvent],
) -> dict[int, DecodedEvent]:
    """Return what each event that states again follows among these changes, if anything."""
    restated = {key_of(change) for change in latest if change.envelope.restated}
    if not restated:
        return {}
    stated = [
        change
        for change in changes
        if isinstance(change.envelope.event, kind)
        and not change.envelope.restated
        and key_of(change) in restated
    ]
    return {key_of(change): change for change in newest(stated, key=key_of, rank=rank_of)}


def pet_row(change: DecodedEvent, before: DecodedEvent | None = None) -> tuple[Any, ...]:
    """Return the parameters of `upsert_pet`; `before`: what an event that restates follows."""
    event = change.envelope.event
    assert isinstance(event, PetEvent)  # noqa: S101  chosen by type above
    pet = event.pet
    html = rendered(pet.description_html, pet.description_text, pet.tracker_image_url)
    columns = (getattr(pet, name) for name in PET_COLUMNS)
    return (*columns, html, *_state(change, before, event, _PET_REST))


def organization_row(change: DecodedEvent, before: DecodedEvent | None = None) -> tuple[Any, ...]:
    """Return the parameters of `upsert_organization`; `before` as for a pet."""
    event = change.envelope.event
    assert isinstance(event, OrganizationEvent)  # noqa: S101  chosen by type above
    columns = (getattr(event.organization, name) for name in ORGANIZATION_COLUMNS)
    return (*columns, *_state(change, before, event, _ORGANIZATION_REST))


def _state(
    change: DecodedEvent,
    before: DecodedEvent | None,
    event: PetEvent | OrganizationEvent,
    rest: msgspec.json.Decoder[Any],
) -> Iterator[Any]:
    envelope = change.envelope
    is_same = (
        before is not None
        and before.envelope.digest == envelope.digest
        and op_of(before) != "removed"
    )
    yield attributes(change.value, rest)
    yield event.first_seen_at
    yield before.envelope.time if before is not None and is_same else envelope.time
    yield envelope.export_id
    yield event.sequence
    yield envelope.digest
    yield envelope.restated and before is None
    yield envelope.time if event.op == "removed" else None


def attributes(value: bytes, rest: msgspec.json.Decoder[Any]) -> str:
    """Return the fields without a column as JSON, by their event names."""
    return codec.encode(rest.decode(value).record).decode()


def key_of(change: DecodedEvent) -> int:
    """Return the id of the pet or the organisation."""
    event = change.envelope.event
    assert isinstance(event, (PetEvent, OrganizationEvent))  # noqa: S101  chosen by type above
    return event.animal_id if isinstance(event, PetEvent) else event.org_id


def rank_of(change: DecodedEvent) -> tuple[int, str]:
    """Return what decides which of two changes of a key is the newer one."""
    return change.envelope.sequence, change.envelope.digest


def _rest_of(
    record: type[Pet | Organization], columns: Sequence[str], name: str
) -> msgspec.json.Decoder[Any]:
    """Return a decoder of an event that reads only the fields without a column.

    Decoding the bytes a second time, into just what is wanted, costs less than walking the fields.
    """
    rest_fields = [
        (field.name, field.type, msgspec.field(name=field.encode_name, **_default(field)))
        for field in structs.fields(record)
        if field.name not in columns and field.name != "pictures"
    ]
    rest = msgspec.defstruct(f"{record.__name__}Rest", rest_fields, kw_only=True)
    wrapper = msgspec.defstruct("Rest", [("record", rest, msgspec.field(name=name))])
    return msgspec.json.Decoder(wrapper)


def _default(field: structs.FieldInfo) -> dict[str, Any]:
    if field.default_factory is not msgspec.NODEFAULT:
        return {"default_factory": field.default_factory}
    return {} if field.default is msgspec.NODEFAULT else {"default": field.default}


_PET_REST: Final = _rest_of(Pet, PET_COLUMNS, "pet")
_ORGANIZATION_REST: Final = _rest_of(Organization, ORGANIZATION_COLUMNS, "organization")
