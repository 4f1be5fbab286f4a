"""Rows from events: the fields without a column."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from handmade_events import Log
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, structs

from consumers.pets.current import STATE_COLUMNS, organization_row, pet_row
from petstream import codec
from petstream.codec import Envelope
from petstream.events import OrganizationEvent, PetEvent
from petstream.fields import ORGANIZATION_COLUMNS, PET_COLUMNS
from petstream.model import Organization, Pet
from petstream.settings import KafkaAccess

LOG = Log(KafkaAccess("nowhere:1"), "t.")
SAID: dict[Any, st.SearchStrategy[Any]] = {
    bool | None: st.booleans(),
    float | None: st.sampled_from([0.0, 20.5]),
    date | None: st.just(date(2026, 11, 20)),
    str | None: st.sampled_from(["", "null", "A text: \0, é, \U0001f43e"]),
}
EXTRA: st.SearchStrategy[Any] = st.dictionaries(
    st.sampled_from("ab"), st.sampled_from([None, [], {}, False, "", [None]])
)
LISTS: st.SearchStrategy[Any] = st.lists(st.sampled_from([None, {}, "a"])).map(tuple)


def rows(record: type[Pet | Organization]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw some fields of a record that have no column."""
    columns = {*PET_COLUMNS, "pictures"} if record is Pet else {*ORGANIZATION_COLUMNS}
    drawn: dict[str, st.SearchStrategy[Any]] = {"extra": EXTRA}
    for field in structs.fields(record):
        if field.name.startswith("contact_"):
            drawn[field.name] = st.sampled_from([UNSET, None, "Ann"])
        elif field.name.startswith("video"):
            drawn[field.name] = LISTS
        elif field.name not in {*columns, "extra"}:
            drawn[field.name] = SAID[field.type] | st.none()
    return st.fixed_dictionaries({}, optional=drawn)


def attributes(row: tuple[Any, ...], columns: int) -> dict[str, Any]:
    """Return what a row has in the column `attributes`."""
    held: dict[str, Any] = json.loads(row[columns + STATE_COLUMNS.index("attributes")])
    return held


def plainly(record: Pet | Organization, columns: tuple[str, ...]) -> dict[str, Any]:
    """Return what should be there, from the JSON of the whole record."""
    names = {
        field.encode_name
        for field in structs.fields(record)
        if field.name not in {*columns, "pictures"}
    }
    whole = json.loads(codec.encode(record))
    return {name: whole[name] for name in whole if name in names and whole[name] not in NOTHING}


NOTHING: tuple[Any, ...] = (None, [], {})


def of(envelope: Envelope, **event: Any) -> Envelope:
    """Return the event with something else in it."""
    assert isinstance(envelope.event, PetEvent | OrganizationEvent)
    return envelope._replace(event=structs.replace(envelope.event, **event))


def decoded(sent: Any) -> Envelope:
    """Return the event that was made."""
    return codec.decode(sent.headers, sent.value)


@given(rows(Pet))
def test_what_has_no_column_is_there_if_it_says_something(said: dict[str, Any]) -> None:
    pet = Pet(animal_id=7, name="Rex", **said)
    row = pet_row(of(decoded(LOG.pet(7, 1)), pet=pet))
    assert attributes(row, len(PET_COLUMNS) + 1) == plainly(pet, PET_COLUMNS)


@given(rows(Organization))
def test_of_an_organisation_too(said: dict[str, Any]) -> None:
    organization = Organization(org_id=7, name="Paws", **said)
    row = organization_row(of(decoded(LOG.org(7, 1)), organization=organization))
    held = attributes(row, len(ORGANIZATION_COLUMNS))
    assert held == plainly(organization, ORGANIZATION_COLUMNS)


def test_no_is_something_that_was_said() -> None:
    row = pet_row(of(decoded(LOG.pet(7, 1)), pet=Pet(animal_id=7, goofy=False)))
    assert attributes(row, len(PET_COLUMNS) + 1) == {"goofy": False}
