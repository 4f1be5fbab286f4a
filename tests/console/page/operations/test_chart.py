"""The chart of exports: one scale with an axis, and what went wrong is seen."""

from __future__ import annotations

from typing import Any

from console.page.operations.chart import HEIGHT, chart


def _export(day: int, state: str = "completed", **pets: int) -> dict[str, Any]:
    return {"exportId": f"2026-03-{day:02}T08:00:00Z", "state": state, "counts": {"pets": pets}}


def test_bars_stand_inside_the_chart_on_one_scale_with_an_axis() -> None:
    drawn = chart([_export(2, added=500, removed=500), _export(1, added=300)])
    small, large = drawn.bars
    assert "2026-03-01" in small.title
    assert [segment.kind for segment in large.segments] == ["added", "removed"]
    assert large.segments[0].height == large.segments[1].height
    for segment in small.segments + large.segments:
        assert 0 <= segment.y <= HEIGHT - segment.height
    assert sum(segment.height for segment in large.segments) > HEIGHT * 0.9
    assert [tick.label for tick in drawn.ticks] == ["0", "200", "400", "600", "800", "1,000"]
    assert [date.label for date in drawn.dates] == ["03-01", "03-02"]


def test_whatever_is_not_0_can_be_seen() -> None:
    (bar,) = chart([_export(1, added=100_000, refused=1)]).bars
    assert bar.segments[-1].kind == "refused"
    assert bar.segments[-1].height >= 1


def test_the_first_export_does_not_make_the_others_small_and_is_marked_as_cut() -> None:
    drawn = chart([*(_export(day, added=300, removed=200) for day in (4, 3, 2)),
                   _export(1, added=60_000)])  # fmt: skip
    first, *others = drawn.bars
    assert first.is_cut
    assert first.total == 60_000
    assert sum(segment.height for segment in others[0].segments) > HEIGHT * 0.9
    assert not any(bar.is_cut for bar in others)
    assert sum(segment.height for segment in first.segments) <= HEIGHT


def test_a_failed_export_and_one_that_holds_removals_are_marked() -> None:
    exports = [_export(2, "failed", added=900), _export(1, added=5)]
    held, failed = chart(exports, {"2026-03-01T08:00:00Z"}).bars
    assert (held.is_held, failed.is_held) == (True, False)
    assert "removals are held" in held.title
    assert (failed.state, failed.segments, failed.is_cut) == ("failed", (), False)


def test_many_exports_have_few_dates_and_the_newest_has_one() -> None:
    drawn = chart([_export(day, added=day) for day in range(30, 0, -1)])
    assert len(drawn.dates) <= 8
    assert drawn.dates[-1].label == "03-30"
    assert chart([]).bars == ()
