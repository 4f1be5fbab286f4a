"""Costs beside the committed baseline: scaled to this machine, and only informing."""

from __future__ import annotations

import json

import pytest

from lab.bench import check
from lab.bench.measured import Measured
from lab.bench.usage import Usage

BEFORE = {"calibration_s": 0.5, "cpu_us": {"first import": {"ingest": 100.0, "ftp": 0.4}}}


def lines(ingest_us: float, calibration_s: float = 0.5) -> str:
    costs = {"first import": {"ingest": ingest_us, "ftp": 0.5}}
    return "\n".join(check.compared(costs, calibration_s, BEFORE))


@pytest.mark.parametrize(
    ("ingest_us", "said"),
    [
        (100, "| 100 | 100 | 1.00 |"),
        (114, "| 114 | 100 | 1.14 |"),
        (116, "| 116 | 100 | 1.16 dearer |"),
        (86, "| 86 | 100 | 0.86 |"),
        (84, "| 84 | 100 | 0.84 cheaper |"),
    ],
)
def test_more_than_noise_is_marked(ingest_us: float, said: str) -> None:
    assert f"| first import | ingest {said}" in lines(ingest_us)


def test_a_machine_of_half_the_speed_is_no_loss() -> None:
    assert "| ingest | 200 | 200 | 1.00 |" in lines(200, calibration_s=1.0)
    assert "2.00 of the baseline's time" in lines(200, calibration_s=1.0)


def test_what_a_tick_of_the_clock_may_make_is_left_out() -> None:
    assert "| ftp |" not in lines(100)


def test_a_step_that_was_not_measured_is_named() -> None:
    assert "| first import | ingest | not measured | 100 | |" in check.compared({}, 0.5, BEFORE)


def test_what_is_set_as_baseline_is_what_is_compared_with() -> None:
    rounds = [
        Measured("first import", 1_000, 1.0, {"ingest": Usage(cpu_s, 1.0)}, {})
        for cpu_s in (0.1, 0.2, 0.9)
    ]
    costs = check.costs_of(rounds)
    assert costs == {"first import": {"ingest": pytest.approx(200)}}
    before = json.loads(check.baseline_of(costs, 0.25, 4_000, "4.4"))
    assert (before["pets"], before["rows"]) == (4_000, "4.4")
    assert "| 200 | 200 | 1.00 |" in "\n".join(check.compared(costs, 0.25, before))


def test_the_committed_baseline_knows_every_step_and_its_feed() -> None:
    before = check.baseline()
    assert before["calibration_s"] > 0
    assert before["pets"] >= 1_000
    assert before["rows"] in {"4.4", "real"}
    steps = {
        "first import", "nothing changed", "rebuild: pets", "rebuild: deletions",
        "rebuild: images", "end to end", "all consumers: first import", "all consumers: usual day",
    }  # fmt: skip
    assert before["cpu_us"].keys() == steps


def test_the_calibration_costs_time_and_ends() -> None:
    assert 0 < check.calibration_s() < 60
