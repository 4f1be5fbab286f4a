"""The removal gate lets ordinary departures pass and holds everything doubtful."""

from __future__ import annotations

import pytest

from ingest.removals.gate import Limits, Verdict, judge

LIMITS = Limits(max_share=0.10, max_count=5_000)
LISTED = range(1, 1001)


def verdict(
    present: set[int] | None, spoken: frozenset[int] = frozenset(), *problems: str
) -> Verdict:
    """Judge a thousand listed pets against a list."""
    return judge(
        listed=LISTED, present=present, spoken=spoken, problems=list(problems), limits=LIMITS
    )


def test_a_few_departures_pass() -> None:
    found = verdict(set(range(31, 1001)))
    assert found.reason is None
    assert found.removals == tuple(range(1, 31))


@pytest.mark.parametrize(
    ("present", "problem"),
    [(None, "petlist.csv is missing"), (set(), ""), (set(range(1, 500)), ""),
     (set(range(1, 1001)), "cut")],
)  # fmt: skip
def test_a_missing_empty_half_or_broken_list_is_held(
    present: set[int] | None, problem: str
) -> None:
    """T6: whatever is wrong with the list."""
    assert verdict(present, frozenset(), *([problem] if problem else [])).reason


def test_a_missing_list_plans_no_removal_at_all() -> None:
    assert verdict(None, frozenset(), "petlist.csv is missing").removals == ()


def test_a_pet_that_the_export_itself_lists_is_kept_and_counted() -> None:
    found = verdict(set(range(3, 1001)), frozenset(range(1, 301)))
    assert found.reason is None
    assert found.removals == ()
    assert found.contradictions == 2


def test_a_list_that_lacks_many_of_todays_own_pets_is_held() -> None:
    """T7: a list that doesn't know this export's own pets isn't its list."""
    found = verdict(set(range(1, 1001)), frozenset(range(990, 1100)))
    assert found.reason is not None
    assert "are missing from its petlist" in found.reason


def test_the_share_counts_from_twenty_pets_up() -> None:
    few = judge(listed=range(1, 4), present={2, 3}, spoken=frozenset(), problems=[], limits=LIMITS)
    assert few.reason is None
    twenty = judge(
        listed=range(1, 21), present=set(range(4, 21)), spoken=frozenset(), problems=[],
        limits=LIMITS,
    )  # fmt: skip
    assert twenty.reason is not None


def test_the_number_holds_where_the_share_would_pass() -> None:
    tight = Limits(max_share=1.0, max_count=10)
    found = judge(
        listed=LISTED, present=set(range(12, 1001)), spoken=frozenset(), problems=[], limits=tight
    )
    assert found.reason is not None
    assert "PETSTREAM_REMOVAL_MAX_COUNT" in found.reason


def test_t6_a_list_seen_with_an_earlier_export_removes_nobody() -> None:
    """T6: yesterday's list under today's name: held, if it would remove or lacks anybody."""

    def repeated(
        present: set[int], spoken: frozenset[int] = frozenset(), *, last: bool = False
    ) -> Verdict:
        return judge(
            listed=LISTED, present=present, spoken=spoken, problems=[], limits=LIMITS,
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
    found = judge(
        listed=range(64_000), present=set(range(300, 64_000)), spoken=frozenset(), problems=[],
        limits=LIMITS,
    )  # fmt: skip
    assert (found.reason, len(found.removals)) == (None, 300)


@pytest.mark.parametrize(("gone", "held"), [(100, False), (101, True)])
def test_the_limits_are_the_last_that_pass(gone: int, *, held: bool) -> None:
    """The gate, 4: as many as PETSTREAM_REMOVAL_MAX_SHARE says may go, and not one more."""
    assert (verdict(set(range(gone + 1, 1001))).reason is not None) is held


@pytest.mark.parametrize(("lacking", "held"), [(2, False), (3, True)])
def test_t7_at_least_98_percent_of_todays_own_ids_are_in_the_list(
    lacking: int, *, held: bool
) -> None:
    """T7: a list of the right size that lacks ids this very export lists is held."""
    spoken = frozenset(range(1, 101))
    found = verdict(set(range(lacking + 1, 1001)), spoken)
    assert (found.reason is not None) is held
    assert found.removals == ()
    assert found.contradictions == lacking
