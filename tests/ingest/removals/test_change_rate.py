"""An export that changes more than a day can is noticed; a closing shelter is only reported."""

from __future__ import annotations

from typing import Any

import pytest
from compared_rows import Feed, facts, refolded
from rows_of_the_feed import framed, pet_row, picture

from ingest.changes.comparison import Comparison
from ingest.changes.event import PETS
from ingest.removals.change_rate import Toll, upheaval
from ingest.removals.mass_removal import closures


@pytest.mark.parametrize(
    ("known", "changed", "without", "said"),
    [
        (1_000, 400, 50, []),
        (1_000, 401, 0, ["401 of 1,000 known pets changed"]),
        (1_000, 0, 51, ["51 of 1,000 known pets lost all their pictures"]),
        (1_000, 900, 900, ["changed", "lost all"]),
        (20, 9, 0, ["9 of 20"]),
        (19, 19, 19, []),
        (40, 0, 4, []),
        (40, 0, 5, ["5 of 40"]),
        (0, 0, 0, []),
    ],
)
def test_t53_too_much_at_once_is_named(
    known: int, changed: int, without: int, said: list[str]
) -> None:
    """T53: more than 40 % changed, or more than 5 % without pictures; few pets may well."""
    found = upheaval(known=known, changed=changed, without_pictures=without)
    assert len(found) == len(said)
    assert all(part in line for part, line in zip(said, found, strict=True))


@pytest.mark.parametrize(
    ("before", "now", "lost"),
    [
        ({"pictures": [picture(1, 1)]}, {"pictures": []}, 1),
        ({"pictures": [picture(1, 1)]}, {"pictures": [], "name": "Rex"}, 1),
        ({"pictures": [picture(1, 1), picture(2, 2)]}, {"pictures": [picture(2, 1)]}, 0),
        ({"pictures": []}, {"pictures": [], "name": "Rex"}, 0),
        ({"pictures": []}, {"pictures": [picture(1, 1)]}, 0),
        ({"pictures": []}, {"pictures": [], "description": '"pictures":[{ "pictures":[],'}, 0),
    ],
)
def test_t53_pets_that_lost_all_their_pictures_are_counted(
    before: dict[str, Any], now: dict[str, Any], lost: int
) -> None:
    """T53: told from the events' bytes, without parsing them."""
    feed = Feed()
    feed.read(0, [("pets", [pet_row(**before)])])
    run = Comparison(PETS, refolded(feed.log), facts(1))
    toll = Toll(run.ledger, run.facts.base, read_before=False)
    made = run.compare(framed(pet_row(**now), pet_row(5, pictures=[])), "updatedpets", "u")[0]
    toll.take(made)
    assert (toll.known, toll.changed, toll.without_pictures) == (1, len(made) - 1, lost)
    again = Toll(refolded([*feed.log, *made]), run.facts.base, read_before=True)
    assert (again.changed, again.without_pictures) == (toll.changed, lost), "a run cut short counts"


def test_a_shelter_that_closes_is_reported() -> None:
    """The gate, 4: one organisation losing more than 90 % of 50 pets or more."""
    feed = Feed()
    owned = {701: range(1, 301), 702: range(1_000, 1_050), 703: range(2_000, 2_040)}
    rows = [pet_row(key, orgID=str(org)) for org, keys in owned.items() for key in keys]
    feed.read(0, [("pets", rows)])
    ledger = refolded(feed.log)
    assert closures(ledger, range(1, 301)) == ["organization 701 loses 300 of its 300 pets"]
    assert closures(ledger, range(1, 271)) == []
    assert closures(ledger, range(1, 272)) == ["organization 701 loses 271 of its 300 pets"]
    assert closures(ledger, range(1_000, 1_046)) == ["organization 702 loses 46 of its 50 pets"]
    assert closures(ledger, range(2_000, 2_040)) == []
    assert closures(ledger, []) == []
