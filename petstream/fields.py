"""The one table of fields: feed name → event name → type → column, derived from the types.

Rule 1: a field is declared once, in ``model.py``; only what can't be derived from its name is here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from msgspec import structs

from petstream.model import Organization, Pet

PET_COLUMNS: Final = (
    "animal_id", "org_id", "status", "name", "species", "breed", "primary_breed",
    "secondary_breed", "mixed", "sex", "age", "size", "birthdate", "color", "altered", "declawed",
    "housetrained", "special_needs", "good_with_dogs", "good_with_cats", "good_with_kids",
    "adoption_fee", "postal_code", "description_html", "description_text", "tracker_image_url",
    "pet_url", "updated_at", "media_updated_at",
)  # fmt: skip
"""Fields of a pet with a column of their own; every other one is in ``attributes``."""

ORGANIZATION_COLUMNS: Final = (
    "org_id", "name", "address", "city", "state", "postal_code", "country", "phone", "email",
    "url", "facebook_url", "type", "species", "about",
)  # fmt: skip
"""Fields of an organisation with a column of their own."""

COLUMN_NAMES: Final = {"tracker_image_url": "tracker_url"}
"""Columns that are named otherwise than the field."""

CONTACT_FIELDS: Final = (
    "contact_name", "contact_email", "contact_cell_phone", "contact_home_phone",
)  # fmt: skip
"""Personal data: left out unless ``PETSTREAM_CONTACTS=publish``."""

_PET_FEED_NAMES: Final = {
    "animal_id": "animalID", "org_id": "orgID", "rescue_id": "rescueID",
    "updated_at": "lastUpdated", "media_updated_at": "mediaLastUpdated",
    "description_html": "description", "description_text": "descriptionPlain",
    "good_with_dogs": "dogs", "good_with_cats": "cats", "good_with_kids": "kids",
    "postal_code": "animalLocation", "size_unit": "sizeUOM", "up_to_date": "uptodate",
    "ok_with_adults": "oKWithAdults", "ok_for_seniors": "oKForSeniors",
    "ok_with_farm_animals": "oKWithFarmAnimals",
}  # fmt: skip
_ORGANIZATION_FEED_NAMES: Final = {
    "org_id": "orgID", "postal_code": "zip", "url": "orgurl", "type": "orgType",
    "species": "orgSpecies",
}  # fmt: skip


class Field(NamedTuple):
    """One field of a record, under each of its names."""

    feed_name: str
    event_name: str
    attribute: str
    type: Any
    column: str | None


def fields_of(record: type[Pet | Organization]) -> tuple[Field, ...]:
    """Return the fields of a pet or an organisation in the feed's order, without ``extra``."""
    return tuple(_fields(record))


def _fields(record: type[Pet | Organization]) -> Iterator[Field]:
    renamed = _PET_FEED_NAMES if record is Pet else _ORGANIZATION_FEED_NAMES
    columns = PET_COLUMNS if record is Pet else ORGANIZATION_COLUMNS
    for field in structs.fields(record):
        if field.name == "extra":
            continue
        column = COLUMN_NAMES.get(field.name, field.name) if field.name in columns else None
        feed_name = renamed.get(field.name, field.encode_name)
        yield Field(feed_name, field.encode_name, field.name, field.type, column)
