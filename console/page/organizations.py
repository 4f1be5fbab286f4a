"""An organisation's page: who it is, and the pets it lists."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from console.find.criteria import parse_id
from console.inspect.database_reader import Unavailable
from console.page import rendering
from console.page.database import CARDS, Database, cards, unavailable_page

_PETS_A_PAGE: Final = 60

_ORG: Final = "SELECT * FROM petstream.organizations WHERE org_id = $1"
_PETS: Final = f"""{CARDS}
    WHERE org_id = $1 AND animal_id > $2 ORDER BY animal_id LIMIT {_PETS_A_PAGE + 1}"""
_COUNT: Final = "SELECT count(*) AS pets FROM petstream.pets WHERE org_id = $1"


def routes(database: Database) -> list[web.RouteDef]:
    """Return the route of organisations."""

    async def organization(request: web.Request) -> web.Response:
        org_id = int(request.match_info["org_id"])
        after = parse_id(request.query.get("after", ""))
        last_id = -1 if after is None else after
        rows = await database.rows(
            org=(_ORG, (org_id,)), pets=(_PETS, (org_id, last_id)), count=(_COUNT, (org_id,))
        )
        if isinstance(rows, Unavailable):
            return unavailable_page(rows)
        if not rows["org"] and not rows["count"][0]["pets"]:
            message = f"Nothing that is listed now belongs to an organisation {org_id}."
            return rendering.message_page(404, f"There is no organisation {org_id}", message)
        pets = rows["pets"]
        return rendering.page(
            "organization.html", org_id=org_id, org=rows["org"][0] if rows["org"] else None,
            pets=cards(pets[:_PETS_A_PAGE]), count=rows["count"][0]["pets"],
            after=pets[_PETS_A_PAGE - 1]["animal_id"] if len(pets) > _PETS_A_PAGE else None,
        )  # fmt: skip

    return [web.get(r"/orgs/{org_id:[0-9]{1,18}}", organization)]
