"""What the pages read from the views in Postgres, and how a list of pets is shown.

Rule 1: few queries at a time, and never a secret on a page.
Rule 2: a database that is away is a page that says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from aiohttp import web

from console.find.criteria import parse_id as parse_id  # noqa: PLC0414  pages take it from here
from console.find.thumbnails import thumbnail
from console.inspect.database_reader import Rows, Unavailable, fetch_rows
from console.page import CurrentSettings
from console.page.look import NoLook

_AT_ONCE: Final = 2

CARDS: Final = """
    SELECT pet.animal_id, pet.name, pet.species, pet.breed, pet.sex, pet.age, pet.status, (
        SELECT thumbnails FROM petstream.pet_pictures AS picture
        WHERE picture.animal_id = pet.animal_id AND picture.status = 'stored'
        ORDER BY position LIMIT 1
    ) AS thumbnails
    FROM petstream.pets AS pet"""
"""The beginning of a query whose rows `cards` takes."""


class Card(NamedTuple):
    """A pet in a list."""

    animal_id: int
    name: str | None
    about: str
    status: str | None
    picture: str | None


class Database:
    """Reads the views for all pages."""

    def __init__(self, current_settings: CurrentSettings) -> None:
        """Read the database that the settings name by then."""
        self._current_settings = current_settings
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def rows(self, **queries: tuple[str, tuple[Any, ...]]) -> Rows | Unavailable:
        """Return the rows of each query."""
        return await self.ask(queries)

    async def ask(self, queries: Mapping[str, tuple[str, tuple[Any, ...]]]) -> Rows | Unavailable:
        """Return the rows of each query, by names that are no words of Python's."""
        settings = self._current_settings()
        if settings is None:
            return Unavailable("not reachable (it is being waited for)")
        async with self._turns:
            return await fetch_rows(settings.pages_database_url, queries)


def no_tables(database: Unavailable) -> NoLook:
    """Return that Postgres can't be asked."""
    return NoLook(
        503,
        f"{database.reason}.\nThis page comes from its tables: try again when it answers. The "
        "front page and exports are there meanwhile; petstream doctor says what Postgres says.",
        title="Postgres can't be asked",
    )


def unavailable_page(database: Unavailable) -> web.Response:
    """Return the page that says that Postgres can't be asked."""
    return no_tables(database).page()


def cards(rows: list[dict[str, Any]]) -> list[Card]:
    """Return what a list of pets shows."""
    return [
        Card(row["animal_id"], row["name"], about(row), row["status"], thumbnail(row["thumbnails"]))
        for row in rows
    ]


def about(row: dict[str, Any]) -> str:
    """Return a pet in one line.

    >>> about({"species": "Dog", "breed": "Beagle", "sex": "Male", "age": None})
    'Beagle, Male'
    """
    words = (row["breed"] or row["species"], row["sex"], row["age"])
    return ", ".join(word for word in words if word)
