"""A pet's pages: as a site would show it with what happened to it, and its events as published.

Rule 1: the description is cleaned once more on its way to the page, whatever the table holds.
Rule 2: nothing is fetched from anywhere: pictures are those of the store.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, Final, NamedTuple

from aiohttp import web
from markupsafe import Markup

from console.find import wording
from console.find.pet import PetDetails, pet_details
from console.inspect.database_reader import Unavailable
from console.page import CurrentSettings, rendering
from console.page.command_runner import CommandRunner
from console.page.database import Database, unavailable_page
from console.page.look import NoLook

_EXPLAIN_DEADLINE_S: Final = 60.0


class RawEvent(NamedTuple):
    """An event as it was published: a line about it, and its JSON without what is null."""

    title: str
    published_at: str
    where: str
    text: str


def routes(
    database: Database, current_settings: CurrentSettings, commands: CommandRunner
) -> list[web.RouteDef]:
    """Return the routes of a pet's pages."""

    async def pet(request: web.Request) -> web.Response:
        animal_id = int(request.match_info["animal_id"])
        details = await pet_details(database.ask, animal_id)
        if isinstance(details, Unavailable):
            return unavailable_page(details)
        if details is None:
            return unknown_pet(animal_id).page()
        return rendering.page("pet.html", **_values(details))

    async def timeline(request: web.Request) -> web.Response:
        animal_id = int(request.match_info["animal_id"])
        life = await pet_life(current_settings, commands, animal_id)
        if isinstance(life, NoLook):
            return life.page()
        newest_first = sorted(life["events"], key=_rank, reverse=True)
        return rendering.page(
            "timeline.html",
            animal_id=animal_id,
            text=life["text"],
            events=[_raw(event) for event in newest_first],
        )

    path = r"/pets/{animal_id:[0-9]{1,18}}"
    return [web.get(path, pet), web.get(f"{path}/life", timeline)]


async def pet_life(
    current_settings: CurrentSettings, commands: CommandRunner, animal_id: int
) -> dict[str, Any] | NoLook:
    """Return a pet's events as published, and what they mean: as `explain --json` prints it."""
    settings = current_settings()
    if settings is None or settings.kafka is None:
        return _no_life("Kafka is being waited for.")
    reading = replace(settings, database_url=settings.pages_database_url)
    result = await commands.run(
        reading, "explain", str(animal_id), "--json", within_s=_EXPLAIN_DEADLINE_S
    )
    if result.document is None:
        return _no_life(result.error)
    life: dict[str, Any] = result.document
    return life if life["events"] else unknown_pet(animal_id)


def unknown_pet(animal_id: int) -> NoLook:
    """Return that an id isn't a pet's."""
    message = f"No export that was read named a pet {animal_id}."
    return NoLook(404, message, title=f"There is no pet {animal_id}")


def _no_life(reason: str) -> NoLook:
    return NoLook(503, reason, title="This can't be told now")


def _rank(event: dict[str, Any]) -> tuple[int, str]:
    headers = event["headers"]
    sequence = headers.get("ce_sequence", "")
    is_number = re.fullmatch(r"[0-9]{1,19}", sequence, re.ASCII) is not None
    return int(sequence) if is_number else -1, headers.get("ce_digest", "")


def _raw(event: dict[str, Any]) -> RawEvent:
    value = event["value"]
    op = value.get("op", "") if isinstance(value, dict) else ""
    export_id = event["headers"].get("ce_exportid", "")
    return RawEvent(
        title=f"{op or 'unreadable'}{f' by export {export_id}' if export_id else ''}",
        published_at=str(event.get("publishedAt", ""))[:16].replace("T", " "),
        where=f"{event.get('topic', '')}, partition {event.get('partition', '?')}, "
        f"offset {event.get('offset', '?')}",
        text=json.dumps(_said(event), indent=2, ensure_ascii=False),
    )


def _said(value: Any) -> Any:
    """Return the same without what is null in it.

    >>> _said({"a": None, "b": [{"c": None, "d": 1}]})
    {'b': [{'d': 1}]}
    """
    if isinstance(value, dict):
        return {name: _said(part) for name, part in value.items() if part is not None}
    return [_said(part) for part in value] if isinstance(value, list) else value


def _values(pet: PetDetails) -> dict[str, Any]:
    """Return what the template of a pet shows."""
    from petstream.html import rendered, says_something  # noqa: PLC0415  its cleaner isn't made for nothing

    description = rendered(pet.fields.get("description_rendered"), None, None) or ""
    if not says_something(description, pet.fields.get("tracker_url")):
        description = ""  # the tracker alone is nothing to look at
    return {
        "pet": pet,
        "fields": pet.fields,
        "name": pet.name or ("A pet without a name" if pet.fields else "A pet that is forgotten"),
        "chips": wording.chips(pet),
        "facts": wording.facts(pet),
        "further": wording.further(pet.attributes),
        "days": wording.days(pet),
        "why_it_left": None if pet.is_listed else wording.why_it_left(pet),
        "gallery": [picture for picture in pet.pictures if picture.large],
        "description": Markup(description),  # noqa: S704  cleaned just above
    }
