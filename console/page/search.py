"""The search: pets by id or name, organisations by id or name.

Rule 1: what is searched is found anywhere in the name, in any case, letter by letter: no pattern.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from console.inspect.database_reader import Unavailable
from console.page import rendering
from console.page.database import CARDS, Database, cards, parse_id, unavailable_page

_MOST_PETS: Final = 60
_MOST_ORGS: Final = 20
"""One less than `_ORGS` asks for."""
_LONGEST_TEXT: Final = 100

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


def routes(database: Database) -> list[web.RouteDef]:
    """Return the search's route."""

    async def search(request: web.Request) -> web.Response:
        text = search_text(request.query.get("q", ""))
        if not text:
            return rendering.page("search.html", q="", pets=(), orgs=(), more=False)
        arguments = text, parse_id(text)
        rows = await database.rows(pets=(_PETS, arguments), orgs=(_ORGS, arguments))
        if isinstance(rows, Unavailable):
            return unavailable_page(rows)
        more = len(rows["pets"]) > _MOST_PETS or len(rows["orgs"]) > _MOST_ORGS
        return rendering.page(
            "search.html", q=text, pets=cards(rows["pets"][:_MOST_PETS]),
            orgs=rows["orgs"][:_MOST_ORGS], more=more,
        )  # fmt: skip

    return [web.get("/search", search)]


def search_text(text: str) -> str:
    r"""Return what to search for: without what no name can hold.

    >>> search_text(" Bis\x00cuit\ud800 ")
    'Biscuit'
    """
    possible = text.replace("\0", "").encode("utf-8", "ignore").decode()
    return possible.strip()[:_LONGEST_TEXT]
