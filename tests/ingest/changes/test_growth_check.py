"""F13. An export that grows beyond any measure is no export."""

from __future__ import annotations

import pytest

from ingest.changes.comparison import Batch
from ingest.changes.event import Publication
from ingest.changes.growth_check import GrowthCheck, most_added
from ingest.state.ledger import Ledger
from petstream.errors import BrokenFileError


def batch(added: int, updated: int = 0) -> Batch:
    """Return a batch of events."""
    events = [Publication("1", b'{"op":"added","animalId":1}', ())] * added
    events += [Publication("1", b'{"op":"updated","animalId":1}', ())] * updated
    return Batch(added + updated, events, [])


@pytest.mark.parametrize(
    ("known", "plural", "most"),
    [(0, "pets", 1_000_000), (0, "orgs", 100_000), (10, "pets", 20_000), (6_200, "orgs", 20_000),
     (64_000, "pets", 64_000)],
)  # fmt: skip
def test_f13_a_day_may_bring_as_many_as_are_known_and_twenty_thousand_anyway(
    known: int, plural: str, most: int
) -> None:
    """F13."""
    assert most_added(known, plural) == most


def test_f13_half_a_million_organisations_are_refused_before_they_are_published() -> None:
    """F13: an endless orgs_1.json; changes of those that are known don't count."""
    check = GrowthCheck(Ledger(), "orgs", most_read=0)
    check.see_batch(batch(60_000, updated=500_000))
    check.see_batch(batch(40_000))
    with pytest.raises(BrokenFileError, match="no day brings so many"):
        check.see_batch(batch(1))


def test_f13_a_first_import_that_broke_off_is_still_the_first() -> None:
    """F13: what it left in the ledger is no measure."""
    check = GrowthCheck(Ledger(), "pets", most_read=0)
    check.see_batch(batch(64_000))
    later = GrowthCheck(Ledger(), "pets", most_read=10)
    with pytest.raises(BrokenFileError, match="1,000,000"):
        check.see_batch(batch(936_001))
    later.see_batch(batch(20_000))


def test_f13_what_the_log_has_lost_may_come_again() -> None:
    """F13: an export of 64,000 was completed, and the topic's tail is gone."""
    check = GrowthCheck(Ledger(), "pets", most_read=64_000)
    check.see_batch(batch(64_000))
    with pytest.raises(BrokenFileError, match="64,000 new pets"):
        check.see_batch(batch(1))


def test_f13_a_person_may_say_that_the_feed_has_grown() -> None:
    """F13: then anything is believed, for that run; the refusal names the way."""
    check = GrowthCheck(Ledger(), "pets", most_read=10)
    with pytest.raises(BrokenFileError, match="--allow-growth"):
        check.see_batch(batch(20_001))
    GrowthCheck(Ledger(), "pets", most_read=10, allowed=True).see_batch(batch(20_001))
