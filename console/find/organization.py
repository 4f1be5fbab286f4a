"""Organisations by name; one, and the pets it lists."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from console.find.criteria import Criteria, Position, position_text
from console.find.lookup import AskRows, organization_of, page_of, plain
from console.find.results import OrganizationList, OrganizationPets
from console.inspect.database_reader import Unavailable
from consumers.engine.queries import query

_FIELDS: Final = (
    "address", "city", "state", "postal_code", "country", "phone", "email", "url", "facebook_url",
    "type", "species", "about",
)  # fmt: skip

_A_PAGE: Final = 100


async def organization_list(ask: AskRows, after: Position | None) -> OrganizationList | Unavailable:
    """Return a page of the organisations that are in the feed."""
    behind = ("", -1) if after is None else (after.sorted_by, after.animal_id)
    rows = await ask({"orgs": (query("organizations_by_name", "console"), behind)})
    if isinstance(rows, Unavailable):
        return rows
    shown = rows["orgs"][:_A_PAGE]
    last = shown[-1] if len(rows["orgs"]) > _A_PAGE else None
    return OrganizationList(
        organizations=[organization_of(row) for row in shown],
        after=None
        if last is None
        else position_text(Position(0, last["org_id"], last["sorted_by"])),
    )


async def organization_pets(
    ask: AskRows, org_id: int, after: Position | None, now: datetime
) -> OrganizationPets | Unavailable | None:
    """Return an organisation and a page of its pets; None: nothing names it."""
    rows = await ask({"org": (query("organization_whole", "console"), (org_id,))})
    if isinstance(rows, Unavailable):
        return rows
    pets = await page_of(ask, Criteria(org=str(org_id)), after, now)
    if isinstance(pets, Unavailable):
        return pets
    if not rows["org"] and not pets.total:
        return None
    row: dict[str, Any] = rows["org"][0] if rows["org"] else {}
    return OrganizationPets(
        org_id=org_id,
        name=plain(row.get("name")),
        is_listed=bool(row.get("listed")),
        removed_at=row.get("removed_at"),
        fields={name: said for name in _FIELDS if (said := plain(row.get(name)))},
        pets=pets.pets,
        total=pets.total,
        after=pets.after,
    )
