"""A pet's pages: as a site would show it, and its timeline, event by event.

Rule 1: the description is cleaned once more on its way to the page, whatever the table holds.
Rule 2: nothing is fetched from anywhere: pictures are those of the store.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

from aiohttp import web
from markupsafe import Markup

from console.find.thumbnails import thumbnail
from console.inspect.database_reader import Unavailable
from console.page import CurrentSettings, rendering
from console.page.command_runner import CommandRunner
from console.page.database import Database, about, unavailable_page

_EXPLAIN_DEADLINE_S: Final = 60.0
_LARGE_WIDTH: Final = 960

_PET: Final = """
    SELECT pet.*, org.name AS org_name, org.city AS org_city, org.state AS org_state
    FROM petstream.pets AS pet LEFT JOIN petstream.organizations AS org USING (org_id)
    WHERE animal_id = $1"""
_REMOVED: Final = """
    SELECT removed_at, export_id FROM petstream.removed_pets WHERE animal_id = $1"""
_PICTURES: Final = """
    SELECT picture_id, position, status, thumbnails, width, height, error, rendition
    FROM petstream.pet_pictures WHERE animal_id = $1 ORDER BY position, picture_id"""
FACTS: Final = {
    "sex": "Sex", "age": "Age", "size": "Size", "color": "Colour", "birthdate": "Born",
    "altered": "Spayed or neutered", "housetrained": "Housetrained", "declawed": "Declawed",
    "special_needs": "Special needs", "good_with_dogs": "Good with dogs",
    "good_with_cats": "Good with cats", "good_with_kids": "Good with kids",
    "adoption_fee": "Adoption fee", "postal_code": "Postal code", "updated_at": "Updated",
    "first_seen_at": "First seen",
}  # fmt: skip

_EMPTY: Final[tuple[Any, ...]] = (None, "", [], {})


class GalleryPicture(NamedTuple):
    """The keys of a stored picture's thumbnails."""

    large: str
    small: str


def routes(
    database: Database, current_settings: CurrentSettings, commands: CommandRunner
) -> list[web.RouteDef]:
    """Return the routes of a pet's pages."""

    async def pet(request: web.Request) -> web.Response:
        animal_id = int(request.match_info["animal_id"])
        rows = await database.rows(
            pet=(_PET, (animal_id,)),
            removed=(_REMOVED, (animal_id,)),
            pictures=(_PICTURES, (animal_id,)),
        )
        if isinstance(rows, Unavailable):
            return unavailable_page(rows)
        if rows["pet"]:
            return rendering.page("pet.html", **_pet_values(rows["pet"][0], rows["pictures"]))
        if rows["removed"]:
            return rendering.page("removed.html", animal_id=animal_id, removed=rows["removed"][0])
        return unknown_pet_page(animal_id)

    async def timeline(request: web.Request) -> web.Response:
        animal_id = int(request.match_info["animal_id"])
        settings = current_settings()
        if settings is None or settings.kafka is None:
            return _unavailable_timeline("Kafka is being waited for.")
        result = await commands.run(
            settings, "explain", str(animal_id), "--json", within_s=_EXPLAIN_DEADLINE_S
        )
        if result.document is None:
            return _unavailable_timeline(result.error)
        events = result.document["events"]
        if not events:
            return unknown_pet_page(animal_id)
        newest = json.dumps(max(events, key=_rank), indent=2, ensure_ascii=False)
        return rendering.page(
            "timeline.html", animal_id=animal_id, text=result.document["text"], newest_event=newest
        )

    path = r"/pets/{animal_id:[0-9]{1,18}}"
    return [web.get(path, pet), web.get(f"{path}/life", timeline)]


def unknown_pet_page(animal_id: int) -> web.Response:
    """Return the page of an id that isn't a pet's."""
    message = f"No export that was read named a pet {animal_id}."
    return rendering.message_page(404, f"There is no pet {animal_id}", message)


def _unavailable_timeline(reason: str) -> web.Response:
    return rendering.message_page(503, "This can't be told now", reason)


def _rank(event: dict[str, Any]) -> tuple[int, str]:
    headers = event["headers"]
    sequence = headers.get("ce_sequence", "")
    is_number = re.fullmatch(r"[0-9]{1,19}", sequence, re.ASCII) is not None
    return int(sequence) if is_number else -1, headers.get("ce_digest", "")


def _pet_values(row: dict[str, Any], pictures: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the template of a pet shows."""
    from petstream.html import rendered, says_something  # noqa: PLC0415  its cleaner isn't made for nothing

    description = rendered(row["description_rendered"], None, None) or ""
    if not says_something(description, row["tracker_url"]):
        description = ""  # the tracker alone is nothing to look at
    gallery = [
        GalleryPicture(large, small)
        for picture in pictures
        if picture["status"] == "stored"
        and (large := thumbnail(picture["thumbnails"], _LARGE_WIDTH))
        and (small := thumbnail(picture["thumbnails"]))
    ]
    extra = json.loads(row["attributes"] or "{}")
    return {
        "pet": row,
        "about": about(row),
        "facts": [(label, row[name]) for name, label in FACTS.items() if row[name] is not None],
        "description": Markup(description),  # noqa: S704  cleaned just above
        "gallery": gallery,
        "pictures": pictures,
        "extra": sorted((name, value) for name, value in extra.items() if value not in _EMPTY),
    }
