"""The charts of the last exports: what each changed and how long it took, as bars of SVGs. Pure.

Rule 1: all bars of a chart share one scale, and whatever isn't 0 can be seen.
Rule 2: the first export adds everything: it doesn't make the others small, its bar ends at the top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

HEIGHT: Final = 100
WIDTH: Final = 600
_KINDS: Final = ("added", "updated", "removed", "refused")
_FEWEST: Final = 12


class Segment(NamedTuple):
    """A piece of a bar, in the SVG's units; y grows downwards."""

    kind: str
    y: float
    height: float


class Bar(NamedTuple):
    """One export: its segments from the bottom up, and the same in words."""

    x: float
    width: float
    title: str
    segments: tuple[Segment, ...]


class _Column(NamedTuple):
    """What a bar is drawn from: numbers by kind."""

    title: str
    numbers: dict[str, float]


def bars(exports: Sequence[dict[str, Any]]) -> tuple[Bar, ...]:
    """Return what each export changed; given newest first, the oldest stands on the left."""

    def column(export: dict[str, Any]) -> _Column:
        numbers = {kind: export["counts"]["pets"][kind] for kind in _KINDS}
        counts = ", ".join(f"{number:,} {kind}" for kind, number in numbers.items())
        return _Column(f"{export['exportId']}, {export['state']}: {counts}", numbers)

    return _drawn(exports, column)


def durations(exports: Sequence[dict[str, Any]]) -> tuple[Bar, ...]:
    """Return how long each export took, in the order of `bars`."""

    def column(export: dict[str, Any]) -> _Column:
        seconds = export["durationS"] or 0
        return _Column(f"{export['exportId']}: {seconds:,.1f} s", {"seconds": seconds})

    return _drawn(exports, column)


def unchanged(exports: Sequence[dict[str, Any]]) -> tuple[Bar, ...]:
    """Return how many rows of pets were read that hadn't changed, in the order of `bars`."""

    def column(export: dict[str, Any]) -> _Column:
        rows = export["counts"]["pets"]["unchanged"]
        return _Column(f"{export['exportId']}: {rows:,} unchanged", {"unchanged": rows})

    return _drawn(exports, column)


def _drawn(
    exports: Sequence[dict[str, Any]], column: Callable[[dict[str, Any]], _Column]
) -> tuple[Bar, ...]:
    """Draw a column of each export."""
    columns = [column(export) for export in reversed(exports)]
    totals = [sum(drawn.numbers.values()) for drawn in columns]
    modes = [export["mode"] for export in reversed(exports)]
    later = [total for total, mode in zip(totals, modes, strict=True) if mode != "initial"]
    most = max(later or totals, default=0) or 1
    step = WIDTH / max(len(columns), _FEWEST)
    return tuple(
        Bar(
            round(place * step, 2),
            round(step * 0.8, 2),
            drawn.title,
            _segments(drawn.numbers, max(most, total)),
        )
        for place, (drawn, total) in enumerate(zip(columns, totals, strict=True))
    )


def _segments(numbers: dict[str, float], most: float) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    y = float(HEIGHT)
    for kind, number in numbers.items():
        if number:
            height = max(1.0, round((HEIGHT - len(_KINDS)) * number / most, 2))
            y -= height
            segments.append(Segment(kind, round(y, 2), height))
    return tuple(segments)
