"""Whom a person means by a name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from console.find.names import chosen, document, lines
from console.find.results import FoundPet, SearchResults

LISTED = FoundPet(1, "Biscuit", "Dog", "Beagle", "Male", None, "Available", 4, "Paws", "Reno", "NV")
LEFT = FoundPet(2, "Biscuit &amp; Co", "Cat", removed_at=datetime(2026, 11, 3, tzinfo=UTC))
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
OTHER = FoundPet(3, "Rex", "Dog", "Biscuit Hound")


def results(*pets: FoundPet, total: int | None = None) -> SearchResults:
    """Return what a search gives."""
    return SearchResults({}, [*pets], [], total or len(pets), False, {}, None, True)  # noqa: FBT003  the fields of a result


def test_who_is_called_so_counts_before_who_fits_otherwise() -> None:
    assert chosen("biscuit", results(LISTED, LEFT, OTHER)).pets == [LISTED, LEFT]
    assert chosen("hound", results(OTHER)).pets == [OTHER]


def test_several_are_listed_with_id_organisation_and_how_they_stand() -> None:
    named = chosen("Biscuit", results(LISTED, LEFT, total=50))
    assert lines(named, NOW) == [
        "2 pets fit 'Biscuit'; explain one by its id:",
        '  1  "Biscuit" · Beagle, Male · Paws, Reno, NV · Available',
        '  2  "Biscuit & Co" · Cat · no organisation · left 22 d ago (2026-11-03 00:00 UTC)',
        "… and 48 more: add the breed, the organisation or the place",
    ]
    assert document(named)["pets"][1]["removedAt"] == "2026-11-03T00:00:00Z"


@pytest.mark.parametrize("name", ["nobody", "\x1b[31m"])
def test_nobody_is_said_so_without_what_a_terminal_obeys(name: str) -> None:
    (line,) = lines(chosen(name, results()), NOW)
    assert line.startswith("No pet is called")
    assert line.isprintable()
