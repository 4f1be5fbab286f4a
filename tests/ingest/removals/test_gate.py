"""The removal gate lets ordinary removals pass and holds everything doubtful."""

from __future__ import annotations

from typing import Any

import pytest
from compared_rows import Feed, facts, refolded
from rows_of_the_feed import framed, pet_row, picture

from ingest.changes.comparison import Comparison
from ingest.changes.event import PETS
from ingest.removals.gate import (
    ChangeRate,
    GateDecision,
    judge,
    mass_removals,
    rate_problems,
)
from petstream.sequence import PER_SECOND
from petstream.setting_values import RemovalLimits

LIMITS = RemovalLimits(max_share=0.10, max_count=5_000)
LISTED = range(1, 1001)


def decision(
    present: set[int] | None, in_rows: frozenset[int] = frozenset(), *problems: str
) -> GateDecision:
    """Judge a thousand listed pets against a list."""
    return judge(
        listed=LISTED, present=present, in_rows=in_rows, problems=list(problems), limits=LIMITS
    )


def test_a_few_removals_pass() -> None:
    judged = decision(set(range(31, 1001)))
    assert judged.reason is None
    assert judged.removals == tuple(range(1, 31))


@pytest.mark.parametrize(
    ("present", "problem"),
    [(None, "petlist.csv is missing"), (set(), ""), (set(range(1, 500)), ""),
     (set(range(1, 1001)), "cut")],
)  # fmt: skip
def test_a_missing_empty_half_or_broken_list_is_held(
    present: set[int] | None, problem: str
) -> None:
    """T6: whatever is wrong with the list."""
    assert decision(present, frozenset(), *([problem] if problem else [])).reason


def test_what_is_wrong_with_a_missing_list_is_told() -> None:
    assert decision(None, frozenset(), "petlist.csv is broken").reason == "petlist.csv is broken"
    assert decision(None).reason == "the list is missing"


def test_a_list_that_lacks_just_two_percent_of_todays_own_pets_is_believed() -> None:
    rows = frozenset(range(1, 101))
    assert decision(set(LISTED) - {1, 2}, rows).reason is None
    assert decision(set(LISTED) - {1, 2, 3}, rows).reason is not None


def test_a_missing_list_plans_no_removal_at_all() -> None:
    assert decision(None, frozenset(), "petlist.csv is missing").removals == ()


def test_a_pet_that_the_export_itself_lists_is_kept_and_counted() -> None:
    judged = decision(set(range(3, 1001)), frozenset(range(1, 301)))
    assert judged.reason is None
    assert judged.removals == ()
    assert judged.contradictions == 2


def test_a_list_that_lacks_many_of_todays_own_pets_is_held() -> None:
    """T7: a list that doesn't know this export's own pets isn't its list."""
    judged = decision(set(range(1, 1001)), frozenset(range(990, 1100)))
    assert judged.reason is not None
    assert "are missing from its petlist" in judged.reason


def test_the_share_counts_from_twenty_pets_up() -> None:
    few = judge(listed=range(1, 4), present={2, 3}, in_rows=frozenset(), problems=[], limits=LIMITS)
    assert few.reason is None
    twenty = judge(
        listed=range(1, 21), present=set(range(4, 21)), in_rows=frozenset(), problems=[],
        limits=LIMITS,
    )  # fmt: skip
    assert twenty.reason is not None


def test_the_number_holds_where_the_share_would_pass() -> None:
    tight = RemovalLimits(max_share=1.0, max_count=10)
    judged = judge(
        listed=LISTED, present=set(range(12, 1001)), in_rows=frozenset(), problems=[], limits=tight
    )
    assert judged.reason is not None
    assert "PETSTREAM_REMOVAL_MAX_COUNT" in judged.reason


def test_t6_a_list_seen_with_an_earlier_export_removes_nobody() -> None:
    """T6: yesterday's list under today's name: held, if it would remove or lacks anybody."""

    def repeated(
        present: set[int], in_rows: frozenset[int] = frozenset(), *, last: bool = False
    ) -> GateDecision:
        return judge(
            listed=LISTED, present=present, in_rows=in_rows, problems=[], limits=LIMITS,
            seen_with="2026-11-01T08:12:04Z", seen_last=last,
        )  # fmt: skip

    removing = repeated(set(range(3, 1001)))
    assert removing.removals == (1, 2)
    assert removing.reason == "petlist.csv is the one that came with export 2026-11-01T08:12:04Z"
    assert repeated(set(LISTED), frozenset(range(900, 1002))).reason == removing.reason
    assert repeated(set(LISTED), frozenset({5})).reason is None, "a quiet day"
    last = repeated(set(range(3, 1001)), last=True)
    assert (last.removals, last.reason) == ((1, 2), None), "held yesterday, and missing still"
    assert repeated(set(LISTED), frozenset(range(900, 1002)), last=True).reason == removing.reason


def test_a_shelter_of_three_hundred_pets_may_close() -> None:
    """The gate, 4: ordinary limits let one organisation go."""
    judged = judge(
        listed=range(64_000), present=set(range(300, 64_000)), in_rows=frozenset(), problems=[],
        limits=LIMITS,
    )  # fmt: skip
    assert (judged.reason, len(judged.removals)) == (None, 300)


@pytest.mark.parametrize(("gone", "held"), [(100, False), (101, True)])
def test_the_limits_are_the_last_that_pass(gone: int, *, held: bool) -> None:
    """The gate, 4: as many as PETSTREAM_REMOVAL_MAX_SHARE says may go, and not one more."""
    assert (decision(set(range(gone + 1, 1001))).reason is not None) is held
    by_number = RemovalLimits(max_share=1.0, max_count=100)
    assert bool(by_number.passed(gone, 1_000, "pets")) is held


@pytest.mark.parametrize(("lacking", "held"), [(2, False), (3, True)])
def test_t7_at_least_98_percent_of_todays_own_ids_are_in_the_list(
    lacking: int, *, held: bool
) -> None:
    """T7: a list of the right size that lacks ids this very export lists is held."""
    in_rows = frozenset(range(1, 101))
    judged = decision(set(range(lacking + 1, 1001)), in_rows)
    assert (judged.reason is not None) is held
    assert judged.removals == ()
    assert judged.contradictions == lacking


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
    problems = rate_problems(known=known, changed=changed, without_pictures=without)
    assert len(problems) == len(said)
    assert all(part in line for part, line in zip(said, problems, strict=True))


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
    """T53: read off the events' bytes, without parsing them."""
    feed = Feed()
    feed.read(0, [("pets", [pet_row(**before)])])
    ledger = refolded(feed.log)
    rate = ChangeRate(ledger, facts(1).base, read_before=False)
    run = Comparison(PETS, ledger, facts(1), batch_observers=(rate,))
    rows = framed(pet_row(**now), pet_row(5, pictures=[]))
    made = run.compare(rows, "updatedpets", "u").publications
    assert (rate.known, rate.changed, rate.without_pictures) == (1, len(made) - 1, lost)
    again = ChangeRate(refolded([*feed.log, *made]), run.facts.base, read_before=True)
    assert (again.changed, again.without_pictures) == (rate.changed, lost), "a run cut short counts"


def test_what_a_snapshot_states_again_is_no_change() -> None:
    """Else every snapshot would look like a feed that changed as a whole, and hold its removals."""
    feed = Feed()
    feed.read(0, [("pets", [pet_row(1), pet_row(2)])])
    ledger = refolded(feed.log)
    rate = ChangeRate(ledger, facts(1).base, read_before=False)
    run = Comparison(
        PETS, ledger, facts(1), restate_below=facts(1).base * PER_SECOND, batch_observers=(rate,)
    )
    made = run.compare(framed(pet_row(1), pet_row(2, name="Rex")), "pets", "p").publications
    assert (len(made), rate.changed) == (2, 1)
    again = ChangeRate(refolded([*feed.log, *made]), run.facts.base, read_before=True)
    assert again.changed == 1


def test_a_shelter_that_closes_is_reported() -> None:
    """The gate, 4: one organisation losing more than 90 % of 50 pets or more."""
    feed = Feed()
    owned = {701: range(1, 301), 702: range(1_000, 1_050), 703: range(2_000, 2_040)}
    rows = [pet_row(key, orgID=str(org)) for org, keys in owned.items() for key in keys]
    feed.read(0, [("pets", rows)])
    ledger = refolded(feed.log)
    assert mass_removals(ledger, range(1, 301)) == ["organization 701 loses 300 of its 300 pets"]
    assert mass_removals(ledger, range(1, 271)) == []
    assert mass_removals(ledger, range(1, 272)) == ["organization 701 loses 271 of its 300 pets"]
    assert mass_removals(ledger, range(1_000, 1_046)) == [
        "organization 702 loses 46 of its 50 pets"
    ]
    assert mass_removals(ledger, range(2_000, 2_040)) == []
    assert mass_removals(ledger, []) == []


def test_a_feed_without_a_pet_keeps_the_few_there_are() -> None:
    """T6: too few for a share, and below the number: only that it's empty speaks against it."""
    judged = judge(
        listed=range(1, 10), present=frozenset(), in_rows=frozenset(), problems=[],
        limits=RemovalLimits(max_share=1.0, max_count=5_000),
    )  # fmt: skip
    assert judged.reason == "the list is empty"
