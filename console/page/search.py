"""The search: pets by id or name, organisations by id or name.

Rule 1: what is searched is found anywhere in the name, in any case, letter by letter: no pattern.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from console.inspect.database_reader import Away
from console.page import paper
from console.page.views import CARDS, Views, away, cards, number

_MOST_PETS: Final = 60
_MOST_ORGS: Final = 20
"""One less than `_ORGS` asks for."""
_LONGEST: Final = 100

_PETS: Final = f"""{CARDS}
    WHERE animal_id = $2 OR position(lower($1) IN lower(name)) > 0
    ORDER BY animal_id IS NOT DISTINCT FROM $2 DESC, lower(name) = lower($1) DESC,
        lower(name), animal_id
    LIMIT {_MOST_PETS + 1}"""
_ORGS: Final = """
    SELECT org_id, name, city, state FROM petstream.organizations
    WHERE org_id = $2 OR position(lower($1) IN lower(name)) > 0
    ORDER BY org_id IS NOT DISTINCT FROM $2 DESC, lower(name) = lower($1) DESC, lower(name), org_id
    LIMIT 21"""


def routes(views: Views) -> list[web.RouteDef]:
    """Return the search's route."""

    async def search(request: web.Request) -> web.Response:
        text = asked(request.query.get("q", ""))
        if not text:
            return paper.answer("search.html", q="", pets=(), orgs=(), more=False)
        both = text, number(text)
        found = await views.rows(pets=(_PETS, both), orgs=(_ORGS, both))
        if isinstance(found, Away):
            return away(found)
        more = len(found["pets"]) > _MOST_PETS or len(found["orgs"]) > _MOST_ORGS
        return paper.answer(
            "search.html", q=text, pets=cards(found["pets"][:_MOST_PETS]),
            orgs=found["orgs"][:_MOST_ORGS], more=more,
        )  # fmt: skip

    return [web.get("/search", search)]


def asked(text: str) -> str:
    r"""Return what to look for: whatever no name can hold is left out.

    >>> asked(" Bis\x00cuit\ud800 ")
    'Biscuit'
    """
    held = text.replace("\0", "").encode("utf-8", "ignore").decode()
    return held.strip()[:_LONGEST]
