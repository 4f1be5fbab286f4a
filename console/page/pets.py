"""A pet's pages: as a site would show it, and its life, event by event.

Rule 1: the description is cleaned once more on its way to the page, whatever the table holds.
Rule 2: nothing is fetched from anywhere: pictures are those of the store.
"""

from __future__ import annotations

import json
from typing import Any, Final

from aiohttp import web
from markupsafe import Markup

from console.inspect.database_reader import Away
from console.page import Known, paper
from console.page.question import Desk
from console.page.views import Views, about, away, thumbnail

_WITHIN_S: Final = 60.0
_LARGE: Final = 960

_PET: Final = """
    SELECT pet.*, org.name AS org_name, org.city AS org_city, org.state AS org_state
    FROM petstream.pets AS pet LEFT JOIN petstream.organizations AS org USING (org_id)
    WHERE animal_id = $1"""
_REMOVED: Final = """
    SELECT removed_at, export_id FROM petstream.removed_pets WHERE animal_id = $1"""
_PICTURES: Final = """
    SELECT picture_id, position, status, thumbnails, width, height, error
    FROM petstream.pet_pictures WHERE animal_id = $1 ORDER BY position, picture_id"""
FACTS: Final = {
    "sex": "Sex", "age": "Age", "size": "Size", "color": "Colour", "birthdate": "Born",
    "altered": "Spayed or neutered", "housetrained": "Housetrained", "declawed": "Declawed",
    "special_needs": "Special needs", "good_with_dogs": "Good with dogs",
    "good_with_cats": "Good with cats", "good_with_kids": "Good with kids",
    "adoption_fee": "Adoption fee", "postal_code": "Postal code", "updated_at": "Updated",
    "first_seen_at": "First seen",
}  # fmt: skip

_NOTHING: Final[tuple[Any, ...]] = (None, "", [], {})


def routes(views: Views, known: Known, desk: Desk) -> list[web.RouteDef]:
    """Return the routes of a pet's pages."""

    async def pet(request: web.Request) -> web.Response:
        key = int(request.match_info["animal_id"])
        found = await views.rows(
            pet=(_PET, (key,)), removed=(_REMOVED, (key,)), pictures=(_PICTURES, (key,))
        )
        if isinstance(found, Away):
            return away(found)
        if found["pet"]:
            return paper.answer("pet.html", **_shown(found["pet"][0], found["pictures"]))
        if found["removed"]:
            return paper.answer("removed.html", animal_id=key, removed=found["removed"][0])
        return unknown(key)

    async def life(request: web.Request) -> web.Response:
        key = int(request.match_info["animal_id"])
        settings = known()
        if settings is None or settings.kafka is None:
            return _unanswered("Kafka is being waited for.")
        answer = await desk.ask(settings, "explain", str(key), "--json", within_s=_WITHIN_S)
        if not answer.lines:
            return _unanswered(answer.complaint)
        told = json.loads("".join(answer.lines))  # a long line comes in pieces
        if not told["events"]:
            return unknown(key)
        newest = max(told["events"], key=_rank)
        raw = json.dumps(newest, indent=2, ensure_ascii=False)
        return paper.answer("life.html", animal_id=key, text=told["text"], raw=raw)

    ident = r"/pets/{animal_id:[0-9]{1,18}}"
    return [web.get(ident, pet), web.get(f"{ident}/life", life)]


def unknown(key: int) -> web.Response:
    """Return the page of an id that isn't a pet's."""
    said = f"No export that was read named a pet {key}."
    return paper.answer("said.html", status=404, title=f"There is no pet {key}", said=said)


def _unanswered(why: str) -> web.Response:
    return paper.answer("said.html", status=503, title="This can't be told now", said=why)


def _rank(event: dict[str, Any]) -> tuple[int, int]:
    sequence = event["headers"].get("ce_sequence", "")
    return int(sequence) if sequence.isdigit() else -1, event["offset"]


def _shown(row: dict[str, Any], pictures: list[dict[str, Any]]) -> dict[str, Any]:
    from petstream.html import rendered  # noqa: PLC0415  its cleaner isn't made for nothing

    safe = rendered(row["description_rendered"], None, None) or ""
    stored = [
        (thumbnail(one["thumbnails"], _LARGE), thumbnail(one["thumbnails"]))
        for one in pictures
        if one["status"] == "stored"
    ]
    extra = json.loads(row["attributes"] or "{}")
    return {
        "pet": row,
        "about": about(row),
        "facts": [(label, row[name]) for name, label in FACTS.items() if row[name] is not None],
        "description": Markup(safe),  # noqa: S704  cleaned just above
        "gallery": [one for one in stored if one[1]],
        "pictures": pictures,
        "extra": sorted((name, value) for name, value in extra.items() if value not in _NOTHING),
    }
