"""The chaos' plan: drawn from a seed, and what it makes of the history's days."""

from __future__ import annotations

from collections import Counter

import pytest

from lab.chaos import plan
from lab.chaos.plan import ChaosDay, Cut, doubted, drawn
from lab.simulator import FAULTS


def test_the_same_seed_draws_the_same_trouble_and_another_other_trouble() -> None:
    assert drawn(7, 30) == drawn(7, 30)
    assert drawn(7, 30) != drawn(8, 30)


@pytest.mark.parametrize("seed", range(20))
def test_each_kind_of_trouble_befalls_any_plan_of_thirty_days(seed: int) -> None:
    days = drawn(seed, 30)
    assert {victim for day in days for victim in day.killed} == set(plan.VICTIMS)
    assert {day.clock_step_s for day in days} == {0, *plan.CLOCK_STEPS_S}
    kinds = Counter(
        kind
        for day in days
        for kind, befalls in {
            "cut": day.cut is not None,
            "Kafka's directory": day.log_of is not None,
            "Postgres'": day.tables_of is not None,
            "full disk": day.is_disk_full,
            "no whole export": day.unread is not None,
        }.items()
        if befalls
    )
    assert kinds.keys() >= {"cut", "Kafka's directory", "Postgres'", "full disk"}
    assert kinds["cut"] == kinds["no whole export"] == 2
    killed = [day for day in days if day.is_mending_killed]
    assert killed, "Kafka's directory is put back on one day at the least, which is mended"
    needless = {"pictures.v1", "requests.v1"}
    assert all(
        day.log_of is not None or set(day.cut.topics) - needless for day in killed if day.cut
    )
    assert all(day.cut is not None or day.log_of is not None for day in killed)


@pytest.mark.parametrize("days", [plan.FEWEST_DAYS, 12, plan.ALL_KINDS_DAYS, 30, 100])
def test_what_is_put_back_was_kept_on_a_day_before(days: int) -> None:
    for seed in range(20):
        drawn_days = drawn(seed, days)
        assert [day.number for day in drawn_days] == list(range(days))
        for day in drawn_days:
            if day.log_of is not None:
                assert day.log_of < day.number
                assert "kafka" in drawn_days[day.log_of].kept
            if day.tables_of is not None:
                assert day.tables_of < day.number
                assert "postgres" in drawn_days[day.tables_of].kept
            if day.cut is not None:
                assert 0 <= day.cut.since < day.number


def test_the_first_two_days_and_the_last_two_are_without_trouble() -> None:
    for seed in range(20):
        days = drawn(seed, 30)
        assert [str(day) for day in (*days[:2], *days[-2:])] == [""] * 4


def test_an_export_that_is_not_whole_has_a_known_fault() -> None:
    assert set(plan.UNREAD) < FAULTS.keys()


def test_a_day_says_what_befalls_it() -> None:
    cut = Cut(("exports.v1", "pets.v1"), since=3, is_torn=True)
    day = ChaosDay(
        5, killed=("up", "kafka"), clock_step_s=-3_000, cut=cut, tables_of=2,
        is_mending_killed=True,
    )  # fmt: skip
    assert str(day) == (
        "the parts' clock is off by -0.8 h; kill -9 of up; kill -9 of kafka; power cut, "
        "exports.v1, pets.v1 end where day 4 did, torn; Postgres put back to day 3; "
        "kill -9 of the watch while it mends"
    )
    assert str(ChaosDay(5)) == ""


def test_only_what_the_log_lost_and_exports_that_never_came_make_days_doubted() -> None:
    days = [ChaosDay(number) for number in range(12)]
    days[3] = ChaosDay(3, killed=("everything",), tables_of=0, is_disk_full=True)
    days[5] = ChaosDay(5, cut=Cut(("exports.v1", "orgs.v1"), since=3, is_torn=False))
    assert doubted(days, 11) == frozenset()
    days[7] = ChaosDay(7, log_of=5)
    days[9] = ChaosDay(9, unread="cut-file")
    assert doubted(days, 11) == {6, 7, 9, 10}
    assert doubted(days, 9) == {6, 7, 9}
    days[5] = ChaosDay(5, cut=Cut(("pets.v1",), since=3, is_torn=False))
    assert doubted(days, 6) == {4, 5}
