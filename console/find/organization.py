"""An organisation, and the pets it lists."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from console.find.criteria import Criteria, Position
from console.find.lookup import AskRows, page_of, plain
from console.find.results import OrganizationPets
from console.inspect.database_reader import Unavailable
from consumers.engine.queries import query

_FIELDS: Final = (
    "address", "city", "state", "postal_code", "country", "phone", "email", "url", "facebook_url",
    "type", "species", "about",
)  # fmt: skip


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
