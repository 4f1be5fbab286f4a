"""An organisation's page: who it is, and the pets it lists."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from console.inspect.database_reader import Away
from console.page import paper
from console.page.views import CARDS, Views, away, cards, number

_A_PAGE: Final = 60

_ORG: Final = "SELECT * FROM petstream.organizations WHERE org_id = $1"
_PETS: Final = f"""{CARDS}
    WHERE org_id = $1 AND animal_id > $2 ORDER BY animal_id LIMIT {_A_PAGE + 1}"""
_COUNT: Final = "SELECT count(*) AS pets FROM petstream.pets WHERE org_id = $1"


def routes(views: Views) -> list[web.RouteDef]:
    """Return the route of organisations."""

    async def organization(request: web.Request) -> web.Response:
        key = int(request.match_info["org_id"])
        after = number(request.query.get("after", ""))
        last = -1 if after is None else after
        found = await views.rows(
            org=(_ORG, (key,)), pets=(_PETS, (key, last)), count=(_COUNT, (key,))
        )
        if isinstance(found, Away):
            return away(found)
        if not found["org"] and not found["count"][0]["pets"]:
            said = f"Nothing that is listed now belongs to an organisation {key}."
            return paper.answer(
                "said.html", status=404, title=f"There is no organisation {key}", said=said
            )
        pets = found["pets"]
        return paper.answer(
            "organization.html", org_id=key, org=found["org"][0] if found["org"] else None,
            pets=cards(pets[:_A_PAGE]), count=found["count"][0]["pets"],
            after=pets[_A_PAGE - 1]["animal_id"] if len(pets) > _A_PAGE else None,
        )  # fmt: skip

    return [web.get(r"/orgs/{org_id:[0-9]{1,18}}", organization)]
