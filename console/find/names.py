"""Whom a person means by a name: one pet, several, or nobody.

Rule 1: whoever is called so counts; only if nobody is, whoever fits otherwise (breed, place …).
"""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from console.find.criteria import Criteria, search_text, sorted_text
from console.find.lookup import Queries, search
from console.find.results import FoundPet, SearchResults
from console.inspect import formatting
from console.inspect.database_reader import Rows, Unavailable, fetch_rows
from console.inspect.trouble import times


class NamedPets(NamedTuple):
    """Whom a name fits, best first, and how many more there are than these."""

    name: str
    pets: list[FoundPet]
    more: int


async def pets_called(database_url: str | None, name: str) -> NamedPets | Unavailable:
    """Return whom a name fits, listed or not."""

    async def ask(queries: Queries) -> Rows | Unavailable:
        return await fetch_rows(database_url, queries)

    wanted = search_text(name)
    results = await search(ask, Criteria(q=wanted), None, datetime.now(UTC))
    if isinstance(results, SearchResults):
        return chosen(wanted, results)
    return results if isinstance(results, Unavailable) else NamedPets(wanted, [], 0)


def chosen(name: str, results: SearchResults) -> NamedPets:
    """Return whom a name fits, of what a search for it gives (rule 1)."""
    called = [pet for pet in results.pets if sorted_text(name) in sorted_text(pet.name or "")]
    if called and len(called) < len(results.pets):
        return NamedPets(name, called, 0)
    return NamedPets(name, results.pets, results.total - len(results.pets))


def lines(named: NamedPets, now: datetime) -> list[str]:
    """Return the pets for a terminal, a line each."""
    quoted = formatting.shortened(named.name, formatting.SHORT)
    if not named.pets:
        return [f"No pet is called {quoted!r}, listed or among those that are remembered"]
    shown = [_line(pet, now) for pet in named.pets]
    if named.more > 0:
        shown.append(f"… and {named.more:,} more: add the breed, the organisation or the place")
    return [f"{len(named.pets)} pets fit {quoted!r}; explain one by its id:", *shown]


def document(named: NamedPets) -> dict[str, Any]:
    """Return what ``--json`` prints where not one pet is meant."""
    return {"name": named.name, "pets": msgspec.to_builtins(named.pets), "more": named.more}


def _line(pet: FoundPet, now: datetime) -> str:
    state = pet.status or "no status"
    if pet.removed_at is not None:
        state = f"left {times.both(pet.removed_at, now)}"
    kind = ", ".join(part for part in (pet.breed or pet.species, pet.sex, pet.age) if part)
    place = ", ".join(part for part in (pet.org_name, pet.city, pet.state) if part)
    name = formatting.quoted_name({"name": html.unescape(pet.name or "")})
    parts = (name, kind, place or "no organisation", state)
    shown = (formatting.shortened(part, 60) for part in parts if part)
    return f"  {pet.animal_id}  {' · '.join(shown)}"
