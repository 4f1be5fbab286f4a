"""Organisations' pages: all that are in the feed; one, and the pets it lists."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from console.find.criteria import position_of
from console.find.organization import organization_list, organization_pets
from console.inspect.database_reader import Unavailable
from console.page import rendering
from console.page.database import Database, unavailable_page

_FACTS: Final = {
    "address": "Address", "postal_code": "Postal code", "phone": "Phone", "email": "E-mail",
    "species": "Species", "url": "Site", "facebook_url": "Facebook",
}  # fmt: skip


def routes(database: Database) -> list[web.RouteDef]:
    """Return the routes of organisations."""

    async def every(request: web.Request) -> web.Response:
        after = position_of(request.query.get("after", ""))
        listed = await organization_list(database.ask, after)
        if isinstance(listed, Unavailable):
            return unavailable_page(listed)
        return rendering.page("organizations.html", listed=listed, is_first=after is None)

    async def page(request: web.Request) -> web.Response:
        org_id = int(request.match_info["org_id"])
        after = position_of(request.query.get("after", ""))
        org = await organization_pets(database.ask, org_id, after, datetime.now(UTC))
        if isinstance(org, Unavailable):
            return unavailable_page(org)
        if org is None:
            message = f"No export that was read named an organisation {org_id}."
            return rendering.message_page(404, f"There is no organisation {org_id}", message)
        facts = [(label, org.fields[name]) for name, label in _FACTS.items() if name in org.fields]
        return rendering.page("organization.html", org=org, facts=facts, is_first=after is None)

    return [web.get("/orgs", every), web.get(r"/orgs/{org_id:[0-9]{1,18}}", page)]
