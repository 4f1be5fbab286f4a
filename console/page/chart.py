"""The chart of the last exports: what each changed, as bars of an SVG. Pure.

Rule 1: all bars share one scale, and whatever isn't 0 can be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

HEIGHT: Final = 100
WIDTH: Final = 600
_KINDS: Final = ("added", "updated", "removed")


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
    """Return the bars of exports given newest first; the oldest stands on the left."""
    counted = [(one, one["counts"]["pets"]) for one in reversed(exports)]
    most = max((sum(pets[kind] for kind in _KINDS) for _, pets in counted), default=0) or 1
    step = WIDTH / max(len(counted), 12)
    return tuple(
        Bar(
            round(place * step, 2),
            round(step * 0.8, 2),
            f"{one['exportId']}, {one['state']}: "
            + ", ".join(f"{pets[kind]:,} {kind}" for kind in _KINDS),
            _parts(pets, most),
        )
        for place, (one, pets) in enumerate(counted)
    )


def _parts(pets: dict[str, int], most: int) -> tuple[Part, ...]:
    found: list[Part] = []
    y = float(HEIGHT)
    for kind in _KINDS:
        if pets[kind]:
            height = max(1.0, round((HEIGHT - len(_KINDS)) * pets[kind] / most, 2))
            y -= height
            found.append(Part(kind, round(y, 2), height))
    return tuple(found)
