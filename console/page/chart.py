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


class Part(NamedTuple):
    """A piece of a bar, in the SVG's units; y grows downwards."""

    kind: str
    y: float
    height: float


class Bar(NamedTuple):
    """One export: its pieces from the bottom up, and the same in words."""

    x: float
    width: float
    title: str
    parts: tuple[Part, ...]


def bars(exports: Sequence[dict[str, Any]]) -> tuple[Bar, ...]:
    """Return what each export changed; given newest first, the oldest stands on the left."""

    def column(one: dict[str, Any]) -> tuple[str, dict[str, float]]:
        numbers = {kind: one["counts"]["pets"][kind] for kind in _KINDS}
        told = ", ".join(f"{number:,} {kind}" for kind, number in numbers.items())
        return f"{one['exportId']}, {one['state']}: {told}", numbers

    return _drawn(exports, column)


def durations(exports: Sequence[dict[str, Any]]) -> tuple[Bar, ...]:
    """Return how long each export took, in the order of `bars`."""

    def column(one: dict[str, Any]) -> tuple[str, dict[str, float]]:
        seconds = one["durationS"] or 0
        return f"{one['exportId']}: {seconds:,.1f} s", {"seconds": seconds}

    return _drawn(exports, column)


def unchanged(exports: Sequence[dict[str, Any]]) -> tuple[Bar, ...]:
    """Return how many rows of pets were read that hadn't changed, in the order of `bars`."""

    def column(one: dict[str, Any]) -> tuple[str, dict[str, float]]:
        rows = one["counts"]["pets"]["unchanged"]
        return f"{one['exportId']}: {rows:,} unchanged", {"unchanged": rows}

    return _drawn(exports, column)


def _drawn(
    exports: Sequence[dict[str, Any]],
    column: Callable[[dict[str, Any]], tuple[str, dict[str, float]]],
) -> tuple[Bar, ...]:
    """Draw a column of each export: its title, and its numbers by kind."""
    columns = [column(one) for one in reversed(exports)]
    totals = [sum(numbers.values()) for _, numbers in columns]
    modes = [one["mode"] for one in reversed(exports)]
    later = [total for total, mode in zip(totals, modes, strict=True) if mode != "initial"]
    most = max(later or totals, default=0) or 1
    step = WIDTH / max(len(columns), _FEWEST)
    return tuple(
        Bar(
            round(place * step, 2), round(step * 0.8, 2), title, _parts(numbers, max(most, total))
        )
        for place, ((title, numbers), total) in enumerate(zip(columns, totals, strict=True))
    )  # fmt: skip


def _parts(numbers: dict[str, float], most: float) -> tuple[Part, ...]:
    found: list[Part] = []
    y = float(HEIGHT)
    for kind, number in numbers.items():
        if number:
            height = max(1.0, round((HEIGHT - len(_KINDS)) * number / most, 2))
            y -= height
            found.append(Part(kind, round(y, 2), height))
    return tuple(found)
