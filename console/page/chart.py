"""The charts of the last exports: what each changed and how long it took, as bars of SVGs. Pure.

Rule 1: all bars of a chart share one scale, and whatever isn't 0 can be seen.
Rule 2: the first export adds everything: it doesn't make the others small, its bar ends at the top.
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


class Column(NamedTuple):
    """What a bar stands for; `first`: of the export that adds everything."""

    title: str
    numbers: dict[str, float]
    first: bool


def bars(exports: Sequence[dict[str, Any]]) -> tuple[Bar, ...]:
    """Return what each export changed; given newest first, the oldest stands on the left."""
    return _drawn([
        Column(
            f"{one['exportId']}, {one['state']}: "
            + ", ".join(f"{one['counts']['pets'][kind]:,} {kind}" for kind in _KINDS),
            {kind: one["counts"]["pets"][kind] for kind in _KINDS},
            one["mode"] == "initial",
        )
        for one in reversed(exports)
    ])  # fmt: skip


def durations(exports: Sequence[dict[str, Any]]) -> tuple[Bar, ...]:
    """Return how long each export took, in the order of `bars`."""
    return _drawn([
        Column(
            f"{one['exportId']}: {one['durationS'] or 0:,.1f} s",
            {"seconds": one["durationS"] or 0},
            one["mode"] == "initial",
        )
        for one in reversed(exports)
    ])  # fmt: skip


def unchanged(exports: Sequence[dict[str, Any]]) -> tuple[Bar, ...]:
    """Return how many rows of pets were read that hadn't changed, in the order of `bars`."""
    return _drawn([
        Column(
            f"{one['exportId']}: {one['counts']['pets']['unchanged']:,} unchanged",
            {"unchanged": one["counts"]["pets"]["unchanged"]},
            one["mode"] == "initial",
        )
        for one in reversed(exports)
    ])  # fmt: skip


def _drawn(columns: Sequence[Column]) -> tuple[Bar, ...]:
    others = [one for one in columns if not one.first] or columns
    most = max((sum(one.numbers.values()) for one in others), default=0) or 1
    step = WIDTH / max(len(columns), _FEWEST)
    return tuple(
        Bar(
            round(place * step, 2), round(step * 0.8, 2), one.title,
            _parts(one.numbers, max(most, sum(one.numbers.values()))),
        )
        for place, one in enumerate(columns)
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
