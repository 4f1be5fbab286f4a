"""The search itself: one moment's look at the tables.

Rule 1: pages go on behind the last pet they showed (keyset), so that none is shown twice or missed
        because others came or left.
Rule 2: counting ends at `MOST_COUNTED`, and that is said: whoever gets more narrows the search.
"""

from __future__ import annotations

import html
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from console.find.criteria import (
    Criteria,
    Position,
    patterns_of,
    position_text,
    sorted_text,
)
from console.find.results import FacetCount, FoundOrganization, FoundPet, SearchResults
from console.find.thumbnails import picture_path
from console.inspect.database_reader import Rows, Unavailable
from consumers.engine.queries import query

PETS_A_PAGE: Final = 48
MOST_COUNTED: Final = 50_000
_MOST_VALUES: Final = 12
FACETS: Final = ("species", "status", "state", "org", "pictures", "left")
_LABELS: Final = {
    ("pictures", "failed"): "one couldn't be fetched yet",
    ("pictures", "gone"): "one is gone from its host",
    ("left", "listed"): "listed now",
    ("left", "day"): "left in the last day",
    ("left", "week"): "left in the last 7 days",
    ("left", "month"): "left in the last 30 days",
    ("left", "earlier"): "left earlier",
}
_BUCKETS: Final = ("day", "week", "month")


Queries = Mapping[str, tuple[str, tuple[Any, ...]]]
AskRows = Callable[[Queries], Awaitable[Rows | Unavailable]]
"""Asks the tables: the rows of each query, all seen at one moment."""


class KnownId(NamedTuple):
    """Whose id the words are."""

    path: str


async def search(
    rows_of: AskRows, criteria: Criteria, after: Position | None, now: datetime
) -> SearchResults | KnownId | Unavailable:
    """Return a page of what fits, or where the one thing is that has this id.

    Args:
        rows_of: asks the tables.
        criteria: what is searched for.
        after: behind which pet the page begins; None: the first page.
        now: what days are counted from.
    """
    known = await rows_of({
        "by_id": (query("by_id", "console"), (criteria.animal_or_org_id,)),
        "species": (query("known_species", "console"), ()),
    })  # fmt: skip
    if isinstance(known, Unavailable):
        return known
    (by_id,) = known["by_id"]
    if by_id["is_pet"] or by_id["is_organization"]:
        of = "pets" if by_id["is_pet"] else "orgs"
        return KnownId(f"/{of}/{criteria.animal_or_org_id}")
    meant = criteria.with_species_among([row["species"] for row in known["species"]])
    return await page_of(rows_of, meant, after, now, is_indexed=by_id["is_indexed"])


async def page_of(
    rows_of: AskRows,
    meant: Criteria,
    after: Position | None,
    now: datetime,
    *,
    is_indexed: bool = True,
) -> SearchResults | Unavailable:
    """Return a page of what fits, with words taken as they are."""
    orgs: dict[int, list[int]] = {}
    if meant.q or meant.state:
        patterns = [pattern for pattern in patterns_of(meant.q) if pattern is not None]
        fitting = await rows_of({
            "orgs": (query("organizations_of_words", "console"), (patterns, meant.state)),
        })  # fmt: skip
        if isinstance(fitting, Unavailable):
            return fitting
        orgs = {row["number"]: row["org_ids"] or [] for row in fitting["orgs"]}
    rows = await rows_of(_queries(meant, after, now, orgs))
    if isinstance(rows, Unavailable):
        return rows
    return _results(meant, rows, is_indexed=is_indexed)


def _queries(
    criteria: Criteria,
    after: Position | None,
    now: datetime,
    orgs: Mapping[int, list[int]],
) -> Queries:
    matched = criteria.matched(now, orgs)
    words = sorted_text(criteria.q)
    position = (None, None, None) if after is None else (
        after.rank, after.sorted_by, after.animal_id
    )  # fmt: skip
    named = (words,) if words else ()
    asked: dict[str, tuple[str, tuple[Any, ...]]] = {
        "pets": (_page(words), (*matched, PETS_A_PAGE + 1, *position, *named)),
    }
    if criteria.is_empty:
        asked["facets"] = (query("facets_of_all", "console"), ())
    else:
        asked["facets"] = (_counting(), matched)
    if words and after is None and not criteria.filters():
        asked["organizations"] = (query("organizations_called", "console"), patterns_of(criteria.q))
    return asked


def _page(words: str) -> str:
    chosen = query("nearest" if words else "by_name", "console")
    return (
        f"WITH matched AS ({query('matching', 'console')}), chosen AS ({chosen}) "
        f"{query('shown', 'console')}"
    )


def _counting() -> str:
    limited = f"{query('matching', 'console')} LIMIT {MOST_COUNTED + 1}"
    return f"WITH matched AS MATERIALIZED ({limited}) {query('facets', 'console')}"


def _results(criteria: Criteria, rows: Rows, *, is_indexed: bool) -> SearchResults:
    pets = rows["pets"]
    shown = pets[:PETS_A_PAGE]
    last = shown[-1] if len(pets) > PETS_A_PAGE else None
    counted = _counts(rows["facets"])
    total = sum(count.pets for count in counted.pop("all", []))
    is_more = total > MOST_COUNTED and not criteria.is_empty
    return SearchResults(
        criteria=criteria.parameters(),
        pets=[pet_of(row) for row in shown],
        organizations=[organization_of(row) for row in rows.get("organizations", [])],
        total=min(total, MOST_COUNTED) if is_more else total,
        is_more_than_total=is_more,
        facets={name: counted[name] for name in FACETS if counted.get(name)},
        after=None if last is None else position_text(
            Position(last["rank"], last["animal_id"], last["sorted_by"])
        ),
        is_indexed=is_indexed,
    )  # fmt: skip


def _counts(rows: Sequence[dict[str, Any]]) -> dict[str, list[FacetCount]]:
    counted: dict[str, list[FacetCount]] = {}
    for row in rows:
        value = row["value"] or ""
        if value or row["facet"] == "all":
            label = plain(row["label"]) or _LABELS.get((row["facet"], value), value)
            counted.setdefault(row["facet"], []).append(FacetCount(value, label, row["pets"]))
    for name, counts in counted.items():
        if name == "left":
            counted[name] = _cumulated(counts)
        else:
            counts.sort(key=lambda count: (-count.pets, count.label))
            del counts[_MOST_VALUES:]
    return counted


def _cumulated(counts: Sequence[FacetCount]) -> list[FacetCount]:
    """Return who left by what the filter gives: who left in a day has left in the week as well."""
    pets = {count.value: count.pets for count in counts}
    totals, so_far = [], 0
    for value in _BUCKETS:
        so_far += pets.get(value, 0)
        totals.append((value, so_far))
    listed, earlier = [("listed", pets.get("listed", 0))], [("earlier", pets.get("earlier", 0))]
    return [
        FacetCount(value, _LABELS["left", value], number)
        for value, number in listed + totals + earlier
        if number
    ]


def pet_of(row: dict[str, Any]) -> FoundPet:
    """Return a pet, of a row as the query ``shown`` gives it."""
    return FoundPet(
        animal_id=row["animal_id"],
        name=plain(row["name"]),
        species=row["species"],
        breed=plain(row["breed"]),
        sex=row["sex"],
        age=row["age"],
        status=row["status"],
        org_id=row["org_id"],
        org_name=plain(row["org_name"]),
        city=plain(row["city"]),
        state=row["state"],
        removed_at=None if row["listed"] else row["removed_at"],
        picture=picture_path(row["thumbnails"]),
    )


def organization_of(row: dict[str, Any]) -> FoundOrganization:
    """Return an organisation of a row of the tables."""
    return FoundOrganization(
        row["org_id"], plain(row["name"]), plain(row["city"]), row["state"], row["pets"],
        row["listed"],
    )  # fmt: skip


def plain(text: str | None) -> str | None:
    """Return a text of the feed without HTML's entities: RescueGroups sends some.

    >>> plain("Fish &amp; Chips"), plain("")
    ('Fish & Chips', None)
    """
    return html.unescape(text).strip() or None if text else None
