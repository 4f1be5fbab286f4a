"""The soak's plan, and its verdict on what grows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.simulator import FAULTS
from lab.soak import plan, report
from lab.soak.flatness import Sample, trends
from lab.soak.report import Soaked


def days_of(
    figure: Callable[[int, int], float], *, lives_of: int = 1000, name: str = "files"
) -> list[Sample]:
    """Return 200 days of one figure, by day and by the days since the process began."""
    return [
        Sample(day, "pets", day // lives_of + 1, {name: figure(day, day % lives_of)})
        for day in range(200)
    ]


def grown(samples: list[Sample]) -> list[str]:
    return [trend.grown for trend in trends(samples) if trend.grown]


def test_what_swings_is_flat() -> None:
    assert grown(days_of(lambda day, _: 16 + day % 3)) == []
    assert grown(days_of(lambda day, _: 88 + day % 7, lives_of=40, name="rss_mb")) == []


def test_what_grows_in_the_first_quarter_only_has_warmed_up() -> None:
    assert grown(days_of(lambda day, _: 60 + min(day, 30))) == []


@pytest.mark.parametrize("figure", ["files", "sockets", "threads", "processes", "connections"])
def test_t49_a_leak_a_day_isnt_flat(figure: str) -> None:
    """T49: one more of anything a day."""
    (trend,) = grown(days_of(lambda day, _: 16 + day, name=figure))
    assert trend.endswith("over all days")


def test_t49_a_leak_that_ends_with_its_process_is_seen_within_its_life() -> None:
    """T49: over all days the figures of such a process go up and down."""
    (trend,) = grown(days_of(lambda _, age: 16 + age, lives_of=25))
    assert trend == "from 24.5 to 37.0 over days 1 to 25, the life of a process"


def test_t49_memory_that_a_new_process_doesnt_take_is_a_leak() -> None:
    """T49: what a process holds for its age, not for the log."""
    (trend,) = grown(days_of(lambda _, age: 90 + age, lives_of=40, name="rss_mb"))
    assert (
        trend == "124.5 at the end of days 1 to 40, the life of a process, and 93.0 in the next one"
    )


def test_memory_that_a_new_process_takes_as_well_is_the_log() -> None:
    assert grown(days_of(lambda day, _: 90 + day, lives_of=40, name="rss_mb")) == []


def test_a_process_that_hasnt_read_the_log_yet_is_no_measure() -> None:
    def held(day: int, age: int) -> float:
        return 85 if age < 2 else 90 + day

    assert grown(days_of(held, lives_of=40, name="rss_mb")) == []


def test_tables_and_topics_may_grow() -> None:
    samples = days_of(lambda day, _: float(day), name="topics_mb")
    assert grown(samples) == []
    assert report.right(Soaked((), (), samples, (), ()))


def test_the_account_ends_with_what_is_wrong() -> None:
    samples = days_of(lambda day, _: 16.0 + day)
    printed = list(report.lines(Soaked((), [1.0], samples, (), ["pets: 1 is missing"])))
    assert printed[2] == "| pets | files | 48.5 | 115 | 182 | **grown** |"
    assert printed[4] == "wrong: pets: 1 is missing"
    assert printed[-1].startswith("not flat: pets, files: from 90.5 to 190.5")
    assert not report.right(Soaked((), [1.0], [], (), ["pets: 1 is missing"]))


def test_the_same_seed_draws_the_same_days_and_another_others() -> None:
    days = plan.drawn(7, 200, 0.2)
    assert days == plan.drawn(7, 200, 0.2)
    assert days != plan.drawn(8, 200, 0.2)


def test_all_kinds_of_trouble_are_drawn_and_only_known_ones() -> None:
    days = plan.drawn(7, 400, 0.5)
    assert {day.fault for day in days} == {None, *plan.UNREAD, *plan.HELD, *plan.TAKEN}
    assert {*plan.UNREAD, *plan.HELD, *plan.TAKEN} < FAULTS.keys()
    assert {day.killed for day in days} == {None, *plan.PARTS}
    assert {day.away for day in days} == {None, *plan.HOSTS}
    assert {day.restart for day in days} == {None, "end", "reload"}
    assert str(days[0]) == str(days[-1]) == ""


def test_without_faults_there_are_restarts_only() -> None:
    days = plan.drawn(7, 100, 0)
    assert {day.number: str(day) for day in days if str(day)} == {
        24: "stopped and started",
        49: "stopped and started",
        74: "stopped and started",
        94: "stopped and started",
    }
