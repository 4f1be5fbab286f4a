"""What repeated looks tell: rates, what is left, and who stands still."""

from __future__ import annotations

from typing import Any

import pytest

from console.page.operations import trends
from console.page.operations.trends import Progress, Trends


def _status(position: int = 0, end: int = 0, due: int = 0, rows: int | None = None) -> Any:
    report = {"doing": "reading", "rows": {"pets_1.json": rows}} if rows is not None else None
    lag = {"consumer": "pets", "position": position, "end": end, "lag": end - position}
    counts = {"pets": {"read": 900}, "orgs": {"read": 100}}
    return {
        "lag": [lag],
        "pictures": {"due": due, "stored": 1_000 - due, "failed": 0, "gone": 0, "off": 5},
        "parts": [{"part": "watch", "state": "running", "report": report}],
        "exports": [
            {"state": "started", "mode": "daily"},
            {"state": "completed", "mode": "scrub", "counts": {}},
            {"state": "completed", "mode": "daily", "counts": counts},
        ],
    }


def test_a_consumer_that_catches_up_says_how_fast_and_how_long() -> None:
    seen = Trends()
    seen.see(_status(100, 1_000), 0.0)
    seen.see(_status(300, 1_000), 10.0)
    (step,) = trends.catching_up(_status(300, 1_000), seen).values()
    assert step == Progress(300, 1_000, 20.0)
    assert step.left_s == 35
    assert trends.catching_up(_status(1_000, 1_000), seen) == {}


def test_pictures_say_how_many_are_done_and_when_the_rest_is() -> None:
    seen = Trends()
    seen.see(_status(due=200), 0.0)
    seen.see(_status(due=150), 10.0)
    step = trends.picturing(_status(due=150), seen)
    assert step == Progress(850, 1_000, 5.0)
    assert step is not None
    assert step.left_s == 30
    assert trends.picturing(_status(due=0), seen) is None


def test_an_export_being_read_is_compared_with_the_last_of_its_mode() -> None:
    seen = Trends()
    seen.see(_status(rows=100), 0.0)
    seen.see(_status(rows=250), 5.0)
    assert trends.reading(_status(rows=250), seen) == Progress(250, 1_000, 30.0)
    beyond = trends.reading(_status(rows=1_001), seen)
    assert beyond is not None
    assert beyond.total is None
    assert trends.reading(_status(), seen) is None


@pytest.mark.parametrize(("later", "stalled"), [(1_000, {"pets": 300.0}), (999, {})])
def test_who_has_work_and_no_less_of_it_for_five_minutes_stands_still(
    later: int, stalled: dict[str, float]
) -> None:
    seen = Trends()
    seen.see(_status(0, 1_000), 0.0)
    seen.see(_status(0, later), 300.0)
    assert seen.trend().stalled_s == stalled
    seen.see(_status(1_000, 1_000), 301.0)
    assert seen.trend().stalled_s == {}


def test_pictures_due_hours_ago_are_remembered_and_not_at_once() -> None:
    seen = Trends()
    for hour in range(6):
        seen.see(_status(due=100 + hour), hour * 3_600.0)
        assert seen.trend().due_before is None
    seen.see(_status(due=500), 6 * 3_600.0)
    assert seen.trend().due_before == 100


def test_what_takes_for_ever_says_no_time() -> None:
    assert Progress(1, 10, 0.0).left_s is None
    assert Progress(1, 10, -3.0).left_s is None
    assert Progress(1, None, 3.0).left_s is None
