"""The current state of pets and organisations: rows from events.

Rule 1: a row is derived from one event alone, never from the row before it; only `changed_at`
        stands where an event states again what the row holds.
Rule 2: what was removed is a row as well, not listed: what comes late loses against it. Its event
        says what it was, so that is known of it in whatever order events come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any, Final

import msgspec
from msgspec import structs

from consumers.engine.batch import newest
from consumers.engine.postgres import Connection
from consumers.engine.rows import write_rows
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

RESTATED: Final = {"upsert_pet": 37, "upsert_organization": 21}
"""The parameter of each statement that says that a row is only stated again."""


def op_of(change: Envelope) -> str | None:
    """Return what happened to a pet or an organisation."""
    event = change.event
    return event.op if isinstance(event, (PetEvent, OrganizationEvent)) else None


async def apply(connection: Connection, changes: Sequence[Envelope]) -> None:
    """Write the newest of each pet and organisation, if it isn't older than what is held.

    Removals aren't: the consumer deletions writes them.
    """
    listed = [change for change in changes if op_of(change) != "removed"]
    await write(connection, listed, changes)


async def write(
    connection: Connection, written: Sequence[Envelope], changes: Sequence[Envelope] = ()
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
        of_kind = [change for change in written if isinstance(change.event, kind)]
        latest = newest(of_kind, key=key_of, rank=rank_of)
        if latest:
            before = _stated_before(latest, changes, kind)
            # not a list: rows are made while Postgres works on those before them
            rows = (row_of(change, before.get(key_of(change))) for change in latest)
            together = 0 if any(change.restated for change in latest) else len(latest)
            await write_rows(connection, name, rows, together, fixed=RESTATED[name])


def _stated_before(
    latest: Sequence[Envelope],
    changes: Sequence[Envelope],
    kind: type[PetEvent | OrganizationEvent],
) -> dict[int, Envelope]:
    """Return what each event that states again follows among these changes, if anything."""
    restated = {key_of(change) for change in latest if change.restated}
    if not restated:
        return {}
    stated = [
        change
        for change in changes
        if isinstance(change.event, kind) and not change.restated and key_of(change) in restated
    ]
    return {key_of(change): change for change in newest(stated, key=key_of, rank=rank_of)}


def pet_row(change: Envelope, before: Envelope | None = None) -> tuple[Any, ...]:
    """Return the parameters of `upsert_pet`; `before`: what an event that restates follows."""
    event = change.event
    assert isinstance(event, PetEvent)  # noqa: S101  chosen by type above
    pet = event.pet
    html = rendered(pet.description_html, pet.description_text, pet.tracker_image_url)
    return (*_pet_columns(pet), html, *_state(change, before, event, _pet_attributes(pet)))


def organization_row(change: Envelope, before: Envelope | None = None) -> tuple[Any, ...]:
    """Return the parameters of `upsert_organization`; `before` as for a pet."""
    event = change.event
    assert isinstance(event, OrganizationEvent)  # noqa: S101  chosen by type above
    organization = event.organization
    attributes = _organization_attributes(organization)
    return (*_organization_columns(organization), *_state(change, before, event, attributes))


def _state(
    change: Envelope,
    before: Envelope | None,
    event: PetEvent | OrganizationEvent,
    attributes: str,
) -> Iterator[Any]:
    is_same = before is not None and before.digest == change.digest and op_of(before) != "removed"
    yield attributes
    yield event.first_seen_at
    yield before.time if before is not None and is_same else change.time
    yield change.export_id
    yield event.sequence
    yield change.digest
    yield change.restated and before is None
    yield change.time if event.op == "removed" else None


def key_of(change: Envelope) -> int:
    """Return the id of the pet or the organisation."""
    event = change.event
    assert isinstance(event, (PetEvent, OrganizationEvent))  # noqa: S101  chosen by type above
    return event.animal_id if isinstance(event, PetEvent) else event.org_id


def rank_of(change: Envelope) -> tuple[int, str]:
    """Return what decides which of two changes of a key is the newer one."""
    return change.sequence, change.digest


def _attributes_of(
    record: type[Pet | Organization], columns: Sequence[str]
) -> Callable[[Any], str]:
    """Return what makes the JSON of a record's fields without a column, by their event names.

    What says nothing (null, an empty list or object) is left out: most fields do, and `->>` reads
    the same. A struct of just these fields costs less than a dict, or than decoding them anew.
    """
    fields = [
        field
        for field in structs.fields(record)
        if field.name not in columns and field.name != "pictures"
    ]
    rest = msgspec.defstruct(
        f"{record.__name__}Rest",
        [
            (field.name, Any, msgspec.field(name=field.encode_name, **_nothing(field)))
            for field in fields
        ],
        omit_defaults=True,
    )
    values = attrgetter(*(field.name for field in fields))
    return lambda of: codec.encode(rest(*values(of))).decode()


def _nothing(field: structs.FieldInfo) -> dict[str, Any]:
    """Return what of a field says nothing."""
    if field.default_factory is not msgspec.NODEFAULT:
        return {"default_factory": field.default_factory}
    return {"default": field.default if field.default == () else None}


_pet_columns: Final = attrgetter(*PET_COLUMNS)
_pet_attributes: Final = _attributes_of(Pet, PET_COLUMNS)
_organization_columns: Final = attrgetter(*ORGANIZATION_COLUMNS)
_organization_attributes: Final = _attributes_of(Organization, ORGANIZATION_COLUMNS)
