"""What lies between two exports is counted once, where it belongs."""

from __future__ import annotations

from typing import Any

from console.inspect.diff import lines
from console.inspect.export_diff import (
    ChangeCounts,
    ComparedExport,
    FillRate,
    PetState,
    PetStates,
    compare_exports,
)
from petstream.events import Counts

OLDER = ComparedExport("2026-11-02T08:00:00Z", "initial", Counts(read=3, added=3))
NEWER = ComparedExport("2026-11-03T08:00:00Z", "daily", Counts(read=2, updated=1))
SHELTERS = {7: {"name": "Paws", "state": " MA "}}


def pet(*, listed: bool = True, **values: Any) -> PetState:
    return PetState({"pet": {"species": "Dog", "orgId": 7, "name": "Rex"} | values}, listed)


def test_each_pet_counts_for_what_became_of_it() -> None:
    gone = pet(listed=False)
    diff = compare_exports(
        OLDER,
        NEWER,
        [
            PetStates(None, pet(species="Cat")), PetStates(pet(), pet()),
            PetStates(pet(), pet(name="Max")), PetStates(pet(), gone), PetStates(gone, pet()),
            PetStates(gone, gone), PetStates(None, gone),
        ],
        SHELTERS,
    )  # fmt: skip
    assert diff.total == ChangeCounts(added=1, updated=1, relisted=1, removed=1)
    assert (diff.listed_before, diff.listed_after) == (3, 4)
    assert diff.species == {
        "Dog": ChangeCounts(updated=1, relisted=1, removed=1),
        "Cat": ChangeCounts(added=1),
    }
    assert diff.states == {"MA": diff.total}
    assert diff.organizations == {"7 Paws": diff.total}
    assert diff.changed_fields == {"name": 1}


def test_fields_that_empty_and_pets_without_a_shelter_are_reported() -> None:
    unchanged = PetStates(pet(age="Baby"), pet(age="Baby"))
    pets = [PetStates(pet(age="Adult"), pet(age=None, orgId=9)), *[unchanged] * 3]
    diff = compare_exports(OLDER, NEWER, pets, SHELTERS)
    assert diff.fills == [FillRate("age", 1.0, 0.75)]
    assert diff.orphans == 1
    text = "\n".join(lines(diff))
    assert "field age: filled in 100.0% → 75.0% of the pets" in text
    assert "orphans: 1 pet of" in text
