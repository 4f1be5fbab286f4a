"""What lies between two exports is counted once, where it belongs."""

from __future__ import annotations

from typing import Any

from console.inspect.diff import lines
from console.inspect.differences import Fill, Moment, Side, Tally, difference
from petstream.events import Counts

OLDER = Side("2026-11-02T08:00:00Z", "initial", Counts(read=3, added=3))
NEWER = Side("2026-11-03T08:00:00Z", "daily", Counts(read=2, updated=1))
SHELTERS = {7: {"name": "Paws", "state": " MA "}}


def pet(*, listed: bool = True, **values: Any) -> Moment:
    return Moment({"pet": {"species": "Dog", "orgId": 7, "name": "Rex"} | values}, listed)


def test_each_pet_counts_for_what_became_of_it() -> None:
    gone = pet(listed=False)
    found = difference(
        OLDER,
        NEWER,
        [
            (None, pet(species="Cat")), (pet(), pet()), (pet(), pet(name="Max")), (pet(), gone),
            (gone, pet()), (gone, gone), (None, gone),
        ],
        SHELTERS,
    )  # fmt: skip
    assert found.total == Tally(added=1, updated=1, relisted=1, removed=1)
    assert (found.listed_before, found.listed_after) == (3, 4)
    assert found.species == {"Dog": Tally(updated=1, relisted=1, removed=1), "Cat": Tally(added=1)}
    assert found.states == {"MA": found.total}
    assert found.organizations == {"7 Paws": found.total}
    assert found.changed_fields == {"name": 1}


def test_fields_that_empty_and_pets_without_a_shelter_are_told() -> None:
    pairs = [(pet(age="Adult"), pet(age=None, orgId=9))] + [(pet(age="Baby"), pet(age="Baby"))] * 3
    found = difference(OLDER, NEWER, pairs, SHELTERS)
    assert found.fills == [Fill("age", 1.0, 0.75)]
    assert found.orphans == 1
    told = "\n".join(lines(found))
    assert "field age: filled in 100.0% → 75.0% of the pets" in told
    assert "orphans: 1 pets" in told
