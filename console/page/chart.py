"""The charts of the last exports: what each changed and how long it took, as bars of SVGs. Pure.

Rule 1: all bars of a chart share one scale, and whatever isn't 0 can be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    return _drawn([
        (
            f"{one['exportId']}, {one['state']}: "
            + ", ".join(f"{one['counts']['pets'][kind]:,} {kind}" for kind in _KINDS),
            {kind: one["counts"]["pets"][kind] for kind in _KINDS},
        )
        for one in reversed(exports)
    ])  # fmt: skip


def durations(exports: Sequence[dict[str, Any]]) -> tuple[Bar, ...]:
    """Return how long each export took, in the order of `bars`."""
    took = [(one["exportId"], one["durationS"] or 0.0) for one in reversed(exports)]
    return _drawn([(f"{name}: {taken:,.1f} s", {"seconds": taken}) for name, taken in took])


def _drawn(columns: Sequence[tuple[str, dict[str, float]]]) -> tuple[Bar, ...]:
    most = max((sum(numbers.values()) for _, numbers in columns), default=0) or 1
    step = WIDTH / max(len(columns), _FEWEST)
    return tuple(
        Bar(round(place * step, 2), round(step * 0.8, 2), title, _parts(numbers, most))
        for place, (title, numbers) in enumerate(columns)
    )


def _parts(numbers: dict[str, float], most: float) -> tuple[Part, ...]:
    found: list[Part] = []
    y = float(HEIGHT)
    for kind, number in numbers.items():
        if number:
            height = max(1.0, round((HEIGHT - len(_KINDS)) * number / most, 2))
            y -= height
            found.append(Part(kind, round(y, 2), height))
    return tuple(found)
