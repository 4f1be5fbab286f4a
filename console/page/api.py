"""`/api`: as JSON what the pages show, with the same guards; `/api/openapi.json` describes it.

Rule 1: the same look at the tables as the page's, so that both say the same.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

from console.documents.openapi import openapi
from console.find.criteria import criteria_of, position_of
from console.find.lookup import KnownId, search
from console.find.organization import organization_pets
from console.find.pet import pet_details
from console.inspect.database_reader import Unavailable
from console.page.database import Database


def routes(database: Database) -> list[web.RouteDef]:
    """Return the routes of the API."""

    async def searched(request: web.Request) -> web.Response:
        after = position_of(request.query.get("after", ""))
        results = await search(database.ask, criteria_of(request.query), after, datetime.now(UTC))
        if isinstance(results, KnownId):
            raise web.HTTPSeeOther(f"/api{results.path}")
        return _answer(results, "")

    async def pet(request: web.Request) -> web.Response:
        animal_id = int(request.match_info["animal_id"])
        details = await pet_details(database.ask, animal_id)
        return _answer(details, f"no export that was read named a pet {animal_id}")

    async def organization(request: web.Request) -> web.Response:
        org_id = int(request.match_info["org_id"])
        after = position_of(request.query.get("after", ""))
        pets = await organization_pets(database.ask, org_id, after, datetime.now(UTC))
        return _answer(pets, f"no export that was read named an organisation {org_id}")

    async def described(_request: web.Request) -> web.Response:
        return _json(200, openapi())

    return [
        web.get("/api/search", searched),
        web.get(r"/api/pets/{animal_id:[0-9]{1,18}}", pet),
        web.get(r"/api/orgs/{org_id:[0-9]{1,18}}", organization),
        web.get("/api/openapi.json", described),
    ]


def _answer(content: Any, missing: str) -> web.Response:
    if isinstance(content, Unavailable):
        return _json(503, {"error": f"Postgres can't be asked: {content.reason}"})
    return _json(404, {"error": missing}) if content is None else _json(200, content)


def _json(status_code: int, content: Any) -> web.Response:
    return web.Response(
        status=status_code, body=msgspec.json.encode(content), content_type="application/json"
    )
