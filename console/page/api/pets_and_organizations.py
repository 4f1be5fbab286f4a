"""`/api` of pets and organisations: the search, one pet and its life, one organisation.

Rule 1: the same look at the tables as the page's, so that both say the same.
"""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from console.find.criteria import criteria_of, position_of
from console.find.lookup import KnownId, search
from console.find.organization import organization_list, organization_pets
from console.find.pet import pet_details
from console.page import CurrentSettings
from console.page.api.answer import answer, answer_of, no_answer
from console.page.api.answers import PublishedLife
from console.page.command_runner import CommandRunner
from console.page.database import Database
from console.page.pets import pet_life, unknown_pet


def routes(
    database: Database, current_settings: CurrentSettings, commands: CommandRunner
) -> list[web.RouteDef]:
    """Return the routes."""

    async def searched(request: web.Request) -> web.Response:
        after = position_of(request.query.get("after", ""))
        results = await search(database.ask, criteria_of(request.query), after, datetime.now(UTC))
        if isinstance(results, KnownId):
            raise web.HTTPSeeOther(f"/api{results.path}")
        return answer(results)

    async def pet(request: web.Request) -> web.Response:
        animal_id = int(request.match_info["animal_id"])
        details = await pet_details(database.ask, animal_id)
        return answer(unknown_pet(animal_id) if details is None else details)

    async def life(request: web.Request) -> web.Response:
        animal_id = int(request.match_info["animal_id"])
        look = await pet_life(current_settings, commands, animal_id)
        return answer_of(look, PublishedLife)

    async def organizations(request: web.Request) -> web.Response:
        after = position_of(request.query.get("after", ""))
        return answer(await organization_list(database.ask, after))

    async def organization(request: web.Request) -> web.Response:
        org_id = int(request.match_info["org_id"])
        after = position_of(request.query.get("after", ""))
        pets = await organization_pets(database.ask, org_id, after, datetime.now(UTC))
        if pets is None:
            return no_answer(404, f"No export that was read named an organisation {org_id}.")
        return answer(pets)

    return [
        web.get("/api/search", searched),
        web.get(r"/api/pets/{animal_id:[0-9]{1,18}}", pet),
        web.get(r"/api/pets/{animal_id:[0-9]{1,18}}/life", life),
        web.get("/api/orgs", organizations),
        web.get(r"/api/orgs/{org_id:[0-9]{1,18}}", organization),
    ]
