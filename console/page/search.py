"""The search: pets and organisations by words, narrowed by filters; an id opens what has it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from aiohttp import web

from console.find.criteria import Criteria, criteria_of, position_of
from console.find.lookup import FACETS, MOST_COUNTED, KnownId, search
from console.find.results import SearchResults
from console.inspect.database_reader import Unavailable
from console.page import rendering
from console.page.database import Database, unavailable_page

_TITLES: Final = {
    "species": "Species", "status": "Status", "state": "State", "org": "Organisation",
    "pictures": "Trouble with pictures", "left": "Listed or left",
}  # fmt: skip
_FEWEST_VALUES: Final = 2
"""Of a facet that is shown: where all are alike there is nothing to choose."""


class FacetLink(NamedTuple):
    """A value of a facet: where it leads, and how many are there."""

    label: str
    address: str
    pets: int


class FacetSection(NamedTuple):
    """A facet, as it stands beside the results."""

    name: str
    title: str
    links: list[FacetLink]


class FilterChip(NamedTuple):
    """A filter that is set, and the address without it."""

    label: str
    address: str


def routes(database: Database) -> list[web.RouteDef]:
    """Return the search's route."""

    async def page(request: web.Request) -> web.Response:
        asked, after = criteria_of(request.query), position_of(request.query.get("after", ""))
        results = await search(database.ask, asked, after, datetime.now(UTC))
        if isinstance(results, Unavailable):
            return unavailable_page(results)
        if isinstance(results, KnownId):
            raise web.HTTPSeeOther(results.path)
        return rendering.page("search.html", **values(results, is_first=after is None))

    return [web.get("/search", page)]


def values(results: SearchResults, *, is_first: bool) -> dict[str, Any]:
    """Return what the template of the search shows."""
    meant = criteria_of(results.criteria)
    return {
        "q": meant.q,
        "results": results,
        "title": _title(meant),
        "chips": _chips(meant, results),
        "sections": _sections(meant, results),
        "filters": meant.filters(),
        "is_first": is_first,
        "first_page": meant.address(),
        "next_page": None if results.after is None else meant.address(after=results.after),
        "most_counted": MOST_COUNTED,
    }


def _title(criteria: Criteria) -> str:
    if criteria.q:
        return f"“{criteria.q}”"
    return "All pets" if criteria.is_empty else "Pets"


def _chips(criteria: Criteria, results: SearchResults) -> list[FilterChip]:
    """Return the filters that are set, as a person calls them."""
    chips = []
    for name, value in criteria.filters().items():
        labels = {count.value: count.label for count in results.facets.get(name, ())}
        label = f"organisation {value}" if name == "org" and value not in labels else value
        label = labels.get(value, _LABELS.get((name, value), label))
        chips.append(FilterChip(label, criteria.address(**{name: ""})))
    return chips


_LABELS: Final = {
    ("left", "any"): "left the feed", ("left", "listed"): "listed now",
    ("left", "day"): "left in the last day", ("left", "week"): "left in the last 7 days",
    ("left", "month"): "left in the last 30 days", ("left", "earlier"): "left earlier",
    ("pictures", "failed"): "a picture couldn't be fetched yet",
    ("pictures", "gone"): "a picture is gone from its host",
}  # fmt: skip


def _sections(criteria: Criteria, results: SearchResults) -> list[FacetSection]:
    """Return what narrows the search further: not what is chosen already."""
    chosen = criteria.filters()
    sections = []
    for name in FACETS:
        counts = results.facets.get(name, [])
        fewest = 1 if name in {"pictures", "left"} else _FEWEST_VALUES
        if name not in chosen and len(counts) >= fewest:
            links = [
                FacetLink(count.label, criteria.address(**{name: count.value}), count.pets)
                for count in counts
            ]
            sections.append(FacetSection(name, _TITLES[name], links))
    return sections
