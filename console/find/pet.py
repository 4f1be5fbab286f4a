"""One pet, listed or not: what is known of it, and what happened to it day by day.

Rule 1: what a field was after a change is what the next change of it says it was before; after the
        last one it is what the row holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

import msgspec
from msgspec import structs

from console.find.lookup import AskRows, pet_of, plain
from console.find.results import FoundPet
from console.find.thumbnails import picture_path
from console.inspect.database_reader import Rows, Unavailable
from consumers.engine.queries import query
from petstream.fields import COLUMN_NAMES, PET_COLUMNS
from petstream.model import Pet

_LARGE_WIDTH: Final = 960
_UNSAID: Final[tuple[Any, ...]] = (None, "", [], {})
_COLUMN_OF: Final = {
    field.encode_name: COLUMN_NAMES.get(field.name, field.name)
    for field in structs.fields(Pet)
    if field.name in PET_COLUMNS and field.name != "animal_id"
}
COLUMNS: Final = tuple(_COLUMN_OF.values())
"""The columns of a pet's fields."""


class StoredPicture(msgspec.Struct, frozen=True, rename="camel"):
    """A picture of a pet.

    Attributes:
        picture_id: the feed's id of it.
        position: its place among the pet's, from 1.
        status: ``stored``, ``due``, ``failed``, ``gone`` or ``off``.
        large: the path of it on this server, at least 960 pixels wide if it is so wide.
        small: the same, 320.
        width: of the original, in pixels.
        height: of the original, in pixels.
        error: why it isn't stored.
        rendition: which was fetched; another than ``original`` where that couldn't be had.
    """

    picture_id: int | None
    position: int
    status: str
    large: str | None
    small: str | None
    width: int | None
    height: int | None
    error: str | None
    rendition: str | None


class FieldChange(msgspec.Struct, frozen=True, rename="camel"):
    """A field that changed; `before` and `after` are as the events have them."""

    field: str
    before: Any
    after: Any


class HistoryEntry(msgspec.Struct, frozen=True, rename="camel"):
    """What an export said of the pet.

    Attributes:
        op: ``added``, ``updated``, ``removed`` or ``relisted``.
        at: when that export began.
        export_id: the export.
        sequence: of the event.
        changes: what changed; empty for one that is new, or left.
        pictures: the pictures it had since, as far as they are still stored; if they changed.
    """

    op: str
    at: datetime
    export_id: str
    sequence: int
    changes: list[FieldChange]
    pictures: list[StoredPicture]


class PetDetails(msgspec.Struct, frozen=True, rename="camel"):
    """All that is known of a pet.

    Attributes:
        animal_id: its id.
        is_listed: whether it is in the feed now.
        removed_at: when it left.
        export_id: the export that said what is known.
        was_held: how its removal stands that was held at first: ``approved`` and others; null: it
            wasn't held.
        name: without entities of HTML; null: none, or forgotten.
        fields: its columns, by their names in the view ``pets``, without what isn't said.
        attributes: every other field, by the names of the events.
        org_name: its organisation.
        city: where the organisation is.
        state: where the organisation is.
        pictures: by position.
        history: newest first, 200 at most.
        similar: up to six listed pets like it.
    """

    animal_id: int
    is_listed: bool
    removed_at: datetime | None
    export_id: str
    was_held: str | None
    name: str | None
    fields: dict[str, Any]
    attributes: dict[str, Any]
    org_name: str | None
    city: str | None
    state: str | None
    pictures: list[StoredPicture]
    history: list[HistoryEntry]
    similar: list[FoundPet]


async def pet_details(ask: AskRows, animal_id: int) -> PetDetails | Unavailable | None:
    """Return a pet; None: no export that was read named it."""
    of_it = (animal_id,)
    rows = await ask({
        "pet": (query("pet_whole", "console"), of_it),
        "pictures": (query("pet_pictures_kept", "console"), of_it),
        "history": (query("pet_changes", "console"), of_it),
    })  # fmt: skip
    if isinstance(rows, Unavailable):
        return rows
    if not rows["pet"]:
        return None
    (row,) = rows["pet"]
    similar = await _similar(ask, row)
    return similar if isinstance(similar, Unavailable) else details(row, rows, similar)


async def _similar(ask: AskRows, row: Mapping[str, Any]) -> list[FoundPet] | Unavailable:
    breed = row["primary_breed"] or row["breed"]
    if row["species"] is None:
        return []
    words = "".join(f"\\{char}" if char in "\\%_" else char for char in (breed or "").lower())
    asked = (row["animal_id"], row["species"], f"%{words}%", row["org_id"], row["org_state"])
    cards = f"WITH chosen AS ({query('pet_similar', 'console')}) {query('shown', 'console')}"
    rows = await ask({"similar": (cards, asked)})
    return rows if isinstance(rows, Unavailable) else [pet_of(alike) for alike in rows["similar"]]


def details(row: Mapping[str, Any], rows: Rows, similar: list[FoundPet]) -> PetDetails:
    """Return a pet, of its row, its pictures and its history."""
    pictures = [_picture(picture) for picture in rows["pictures"]]
    attributes = _json(row["attributes"]) or {}
    names = (*COLUMNS, "description_rendered", "first_seen_at", "changed_at")
    fields = {name: row[name] for name in names if row[name] not in _UNSAID}
    return PetDetails(
        animal_id=row["animal_id"],
        is_listed=row["listed"],
        removed_at=row["removed_at"],
        export_id=row["export_id"],
        was_held=row["plan_state"],
        name=plain(row["name"]),
        fields=fields,
        attributes={name: said for name, said in attributes.items() if said not in _UNSAID},
        org_name=plain(row["org_name"]),
        city=plain(row["org_city"]),
        state=row["org_state"],
        pictures=pictures,
        history=_history(row, attributes, pictures, rows["history"]),
        similar=similar,
    )


def _picture(row: Mapping[str, Any]) -> StoredPicture:
    is_stored = row["status"] == "stored"
    return StoredPicture(
        picture_id=row["picture_id"],
        position=row["position"],
        status=row["status"],
        large=picture_path(row["thumbnails"], _LARGE_WIDTH) if is_stored else None,
        small=picture_path(row["thumbnails"]) if is_stored else None,
        width=row["width"],
        height=row["height"],
        error=row["error"],
        rendition=row["rendition"],
    )


def _history(
    row: Mapping[str, Any],
    attributes: Mapping[str, Any],
    pictures: Sequence[StoredPicture],
    changes: Sequence[Mapping[str, Any]],
) -> list[HistoryEntry]:
    """Return what happened, newest first (rule 1)."""
    later: dict[str, Any] = {"pictures": [{"id": picture.picture_id} for picture in pictures]}
    by_id = {picture.picture_id: picture for picture in pictures if picture.small}
    entries = []
    for change in changes:
        old = _json(change["old"]) or {}
        fields = []
        for name in change["changed"] if change["op"] != "removed" else ():
            after = later[name] if name in later else _now(name, row, attributes)
            fields.append(FieldChange(name, old.get(name), after))
        shown = later["pictures"] if "pictures" in change["changed"] else ()
        entries.append(
            HistoryEntry(
                op=change["op"], at=change["occurred_at"], export_id=change["export_id"],
                sequence=change["sequence"], changes=fields,
                pictures=[by_id[key] for key in _ids(shown) if key in by_id],
            )
        )  # fmt: skip
        later |= old
    return entries


def _now(name: str, row: Mapping[str, Any], attributes: Mapping[str, Any]) -> Any:
    column = _COLUMN_OF.get(name)
    value = attributes.get(name) if column is None else row[column]
    return value.isoformat() if isinstance(value, date) else value


def _ids(pictures: Any) -> list[int | None]:
    of = pictures if isinstance(pictures, list | tuple) else ()
    return [picture.get("id") for picture in of if isinstance(picture, dict)]


def _json(text: Any) -> Any:
    return json.loads(text) if isinstance(text, str) else text
