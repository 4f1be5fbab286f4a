"""Whether figures stay flat over many days. Pure.

Rule 1: flat is: the median of the last quarter is at most a tenth, and a small allowance, above
        that of the second. The first quarter warms up. It must hold over all days, and within the
        life of every process of `LONG` days or more: a new process would hide what the old leaked.
Rule 2: memory grows by right with the log, which a simulated feed makes longer by some percent a
        day. So it is compared with that of the next process of the same part, which has the same
        log to read, and is young: an old one holds at most a tenth and the allowance more than it
        did at its highest on its first days. Before its first audit it hasn't read the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple

ALLOWED: Final[Mapping[str, float]] = {
    "rss_mb": 8.0,
    "files": 2.0,
    "sockets": 2.0,
    "threads": 3.0,
    "processes": 1.0,
    "connections": 2.0,
}
"""What is judged, and how much it may grow beside the tenth; tables and topics grow by right."""

_NOT_OURS: Final = {("kafka", "rss_mb"), ("kafka", "files")}
"""A Java heap takes what it may, and a log has files."""

LONG: Final = 16
_YOUNG: Final = 4
_MEMORY: Final = "rss_mb"
_TENTH: Final = 1.1
_QUARTERS: Final = 4


class Sample(NamedTuple):
    """What one process was like at the end of a day; `pid` 0: it isn't of one process."""

    day: int
    part: str
    pid: int
    figures: Mapping[str, float]


class Trend(NamedTuple):
    """One figure of one part: the medians of the three thirds of all days, and how it grew."""

    part: str
    figure: str
    thirds: tuple[float, float, float]
    grown: str | None


def trends(samples: Sequence[Sample]) -> list[Trend]:
    """Return each figure of each part; `grown` is None for what is flat or not judged."""
    drawn = []
    for part in dict.fromkeys(sample.part for sample in samples):
        own = [sample for sample in samples if sample.part == part]
        for figure in own[0].figures:
            values = [sample.figures[figure] for sample in own]
            drawn.append(Trend(part, figure, _thirds(values), _grown(own, figure)))
    return drawn


def judged(part: str, figure: str) -> bool:
    """Tell whether this must be flat."""
    return figure in ALLOWED and (part, figure) not in _NOT_OURS


def _grown(own: Sequence[Sample], figure: str) -> str | None:
    if not judged(own[0].part, figure):
        return None
    lives = _lives(own)
    if figure == _MEMORY:
        return _heavier(lives)
    for name, span in [("all days", own), *((_named(life), life) for life in lives)]:
        if len(span) < LONG and span is not own:
            continue
        values = [sample.figures[figure] for sample in span]
        before, after = _quarter(values, 1), _quarter(values, 3)
        if after > before * _TENTH + ALLOWED[figure]:
            return f"from {before:,.1f} to {after:,.1f} over {name}"
    return None


def _heavier(lives: Sequence[Sequence[Sample]]) -> str | None:
    """Compare the end of each life with the beginning of the next."""
    for life, following in pairwise(lives):
        old = _quarter([sample.figures[_MEMORY] for sample in life], 3)
        young = max(sample.figures[_MEMORY] for sample in following[:_YOUNG])
        if len(following) >= _YOUNG and old > young * _TENTH + ALLOWED[_MEMORY]:
            return f"{old:,.1f} at the end of {_named(life)}, and {young:,.1f} in the next one"
    return None


def _lives(own: Iterable[Sample]) -> list[list[Sample]]:
    lives: dict[int, list[Sample]] = {}
    for sample in own:
        lives.setdefault(sample.pid, []).append(sample)
    return list(lives.values())


def _named(life: Sequence[Sample]) -> str:
    return f"days {life[0].day + 1} to {life[-1].day + 1}, the life of a process"


def _quarter(values: Sequence[float], which: int) -> float:
    many = len(values)
    return median(
        values[many * which // _QUARTERS : many * (which + 1) // _QUARTERS] or values[-1:]
    )


def _thirds(values: Sequence[float]) -> tuple[float, float, float]:
    many = len(values)
    first, second, third = (
        median(values[many * at // 3 : many * (at + 1) // 3] or values[-1:]) for at in range(3)
    )
    return first, second, third
