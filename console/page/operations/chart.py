"""The chart of the last exports: what each changed, with an axis, dates, and what went wrong. Pure.

Rule 1: all bars share one scale, and whatever isn't 0 can be seen.
Rule 2: the scale is that of the usual exports: what is far beyond it (the first one adds
        everything) ends at the top, and is marked as cut, with its number.
Rule 3: a failed export has a bar of its own kind, whatever it read; one that holds removals has a
        mark. Each leads to its page.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from statistics import median
from typing import Any, Final, NamedTuple

WIDTH: Final = 720
HEIGHT: Final = 150
"""Of the bars; dates stand below, marks above."""

_KINDS: Final = ("added", "updated", "relisted", "removed", "refused")
_FEWEST: Final = 12
_SCALE_OVER_MEDIAN: Final = 4
_MOST_DATES: Final = 8
_TICKS: Final = 5
_SMALLEST_UNITS: Final = 1.5
_ROUND: Final = (1, 2, 5, 10)


class Segment(NamedTuple):
    """A piece of a bar, in the SVG's units; y grows downwards."""

    kind: str
    y: float
    height: float


class Bar(NamedTuple):
    """One export: its segments from the bottom up, the same in words, and what is odd about it."""

    export_id: str
    x: float
    width: float
    title: str
    segments: tuple[Segment, ...]
    state: str
    is_cut: bool
    is_held: bool
    total: int


class Tick(NamedTuple):
    """A line of the axis, or a date below a bar: where, and what it says."""

    at: float
    label: str


class Chart(NamedTuple):
    """What is drawn."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    dates: tuple[Tick, ...]


def chart(exports: Sequence[dict[str, Any]], held: Collection[str] = ()) -> Chart:
    """Return the chart of exports, given newest first; the oldest stands on the left.

    Args:
        exports: as `petstream status --json` prints them.
        held: ids of those that hold removals.
    """
    columns = [_numbers(export) for export in reversed(exports)]
    top = _top([sum(numbers.values()) for numbers in columns])
    step = WIDTH / max(len(columns), _FEWEST)
    bars = tuple(
        _bar(export, numbers, top, place * step, step, is_held=export["exportId"] in held)
        for place, (export, numbers) in enumerate(zip(reversed(exports), columns, strict=True))
    )
    ticks = tuple(
        Tick(_y(top * number / _TICKS, top), f"{top * number // _TICKS:,}")
        for number in range(_TICKS + 1)
        if top >= _TICKS or number in {0, _TICKS}
    )
    return Chart(bars, ticks, _dates(bars))


def _numbers(export: dict[str, Any]) -> dict[str, int]:
    pets = export["counts"]["pets"]
    return {kind: pets.get(kind, 0) for kind in _KINDS}


def _top(totals: Sequence[int]) -> int:
    """Return where the axis ends: a round number that holds the usual exports (rule 2)."""
    some = [total for total in totals if total]
    if not some:
        return _TICKS
    most = max(some)
    usual = median(some)
    if most > _SCALE_OVER_MEDIAN * usual:
        most = max(total for total in some if total <= _SCALE_OVER_MEDIAN * usual)
    magnitude: int = 10 ** (len(str(most)) - 1)
    return max(_TICKS, next(magnitude * step for step in _ROUND if magnitude * step >= most))


def _bar(  # noqa: PLR0913  what a bar is drawn from
    export: dict[str, Any], numbers: dict[str, int], top: int, x: float, step: float, *,
    is_held: bool,
) -> Bar:  # fmt: skip
    total = sum(numbers.values())
    is_failed = export["state"] == "failed"
    counts = ", ".join(f"{number:,} {kind}" for kind, number in numbers.items() if number)
    held = ", removals are held" if is_held else ""
    title = f"{export['exportId']}, {export['state']}{held}: {counts or 'nothing changed'}"
    return Bar(
        export["exportId"], round(x + step * 0.1, 2), round(step * 0.8, 2), title,
        () if is_failed else _segments(numbers, max(top, total)), export["state"],
        total > top and not is_failed, is_held, total,
    )  # fmt: skip


def _segments(numbers: dict[str, int], top: int) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    y = float(HEIGHT)
    room = HEIGHT - _SMALLEST_UNITS * len(_KINDS)
    for kind, number in numbers.items():
        if number:
            height = max(_SMALLEST_UNITS, round(room * number / top, 2))
            y -= height
            segments.append(Segment(kind, round(y, 2), height))
    return tuple(segments)


def _y(number: float, top: int) -> float:
    return round(HEIGHT - (HEIGHT - _SMALLEST_UNITS * len(_KINDS)) * number / top, 2)


def _dates(bars: Sequence[Bar]) -> tuple[Tick, ...]:
    every = max(1, -(-len(bars) // _MOST_DATES))
    chosen = bars[::-1][::every][::-1]  # the newest has one
    return tuple(Tick(bar.x + bar.width / 2, bar.export_id[5:10]) for bar in chosen)
