"""The views in Postgres, as the pages ask them: few at a time, and never a secret in an answer.

Rule 1: a database that is away is a page that says so.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final, NamedTuple

from aiohttp import web

from console.inspect.database_reader import Away, Rows, look
from console.page import Known, paper

_AT_ONCE: Final = 2
_FEWEST_WIDTH: Final = 320
_MOST_DIGITS: Final = 18

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


class Views:
    """The door of the pages to the views."""

    def __init__(self, known: Known) -> None:
        """Ask the database that is known by then."""
        self._known = known
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def rows(self, **queries: tuple[str, tuple[Any, ...]]) -> Rows | Away:
        """Return the rows of each query."""
        settings = self._known()
        if settings is None:
            return Away("not reachable (it is being waited for)")
        async with self._turns:
            return await look(settings.database_url, queries)


def away(why: Away) -> web.Response:
    """Return the page that says that Postgres can't be asked."""
    return paper.answer(
        "said.html", status=503, title="Postgres can't be asked", said=f"It is {why.why}."
    )


def cards(rows: list[dict[str, Any]]) -> list[Card]:
    """Return what a list of pets shows."""
    return [
        Card(row["animal_id"], row["name"], about(row), row["status"], thumbnail(row["thumbnails"]))
        for row in rows
    ]


def number(text: str) -> int | None:
    """Return an id that a person wrote, or None where no id looks like that.

    >>> number("22611034"), number("-1"), number("9" * 19)
    (22611034, None, None)
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def about(row: dict[str, Any]) -> str:
    """Return a pet in one line.

    >>> about({"species": "Dog", "breed": "Beagle", "sex": "Male", "age": None})
    'Beagle, Male'
    """
    words = (row["breed"] or row["species"], row["sex"], row["age"])
    return ", ".join(word for word in words if word)


def thumbnail(found: Any, width: int = _FEWEST_WIDTH) -> str | None:
    """Return the key of the smallest picture that is at least so wide, else of the widest.

    >>> thumbnail('{"320": "a", "960": "b"}', 900), thumbnail("{}"), thumbnail(None)
    ('b', None, None)
    """
    sizes: dict[str, str] = json.loads(found) if isinstance(found, str) else found or {}
    wide = sorted(map(int, sizes))
    chosen = next((size for size in wide if size >= width), wide[-1] if wide else None)
    return None if chosen is None else sizes[str(chosen)]
