"""Whether figures stay flat over many days. Pure.

Rule 1: flat is: the median of the last quarter is at most a tenth, and a small allowance, above
        that of the second. The first quarter warms up.
Rule 2: it must hold over all days, and within the life of every process of `LONG` days or more: a
        process that begins again would hide what it leaked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Final, NamedTuple

ALLOWED: Final[Mapping[str, float]] = {
    "rss_mb": 8.0,
    "files": 2.0,
    "sockets": 2.0,
    "threads": 1.0,
    "processes": 1.0,
    "connections": 2.0,
}
"""What is judged, and how much it may grow beside the tenth; tables and topics grow by right."""

_NOT_OURS: Final = {("kafka", "rss_mb"), ("kafka", "files")}
"""A Java heap takes what it may, and a log has files."""

LONG: Final = 16
_TENTH: Final = 1.1
_QUARTERS: Final = 4


class Sample(NamedTuple):
    """What one process was like at the end of a day; `pid` 0: it isn't of one process."""

    day: int
    part: str
    pid: int
    figures: Mapping[str, float]


class Row(NamedTuple):
    """One figure of one part: the medians of the three thirds of all days, and how it grew."""

    part: str
    figure: str
    thirds: tuple[float, float, float]
    grown: str | None


def rows(samples: Sequence[Sample]) -> list[Row]:
    """Return a row for each figure of each part; `grown` is None for what is flat or not judged."""
    found = []
    for part in dict.fromkeys(one.part for one in samples):
        own = [one for one in samples if one.part == part]
        for figure in own[0].figures:
            values = [one.figures[figure] for one in own]
            found.append(Row(part, figure, _thirds(values), _grown(own, figure)))
    return found


def judged(part: str, figure: str) -> bool:
    """Tell whether this must be flat."""
    return figure in ALLOWED and (part, figure) not in _NOT_OURS


def _grown(own: Sequence[Sample], figure: str) -> str | None:
    if not judged(own[0].part, figure):
        return None
    spans = [("all days", own), *_lives(own)]
    for name, span in spans:
        values = [one.figures[figure] for one in span]
        before, after = _quarter(values, 1), _quarter(values, 3)
        if after > before * _TENTH + ALLOWED[figure]:
            return f"from {before:,.1f} to {after:,.1f} over {name}"
    return None


def _lives(own: Iterable[Sample]) -> Iterator[tuple[str, list[Sample]]]:
    lives: dict[int, list[Sample]] = {}
    for one in own:
        lives.setdefault(one.pid, []).append(one)
    for life in lives.values():
        if len(life) >= LONG:
            yield f"days {life[0].day + 1} to {life[-1].day + 1}, the life of a process", life


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
