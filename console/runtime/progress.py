"""How far long work is: bars on a terminal, now and then a plain line elsewhere.

Rule 1: progress goes to stderr; stdout is for what a command was asked.
Rule 2: numbers are totals so far, by name; a name that begins again starts again.
Rule 3: bars are loaded only for a terminal that can draw them.
Rule 4: what has a known end also says how much that is, how fast it goes, and how long it takes.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol, TextIO

_PLAIN_EVERY_S: Final = 10.0
_MB: Final = 1_000_000
_SLOWEST_PER_S: Final = 0.1
_TENTHS_BELOW: Final = 10


class ReportProgress(Protocol):
    """Takes how far something is: its name, how much is done, and of how much, if that is known."""

    def __call__(
        self, name: str, done: int, total: int | None = None, unit: str | None = None, /
    ) -> None:
        """Take it; `unit`: what is counted, if not what all else is; ``bytes`` are said in MB."""


@contextmanager
def shown(
    unit: str, stream: TextIO | None = None, *, for_program: bool = False
) -> Iterator[ReportProgress]:
    """Yield a function that takes how far work is.

    Args:
        unit: what is counted.
        stream: where it is shown; stderr, if there is none.
        for_program: a program reads the result: there are no bars, wherever stderr goes.
    """
    target = sys.stderr if stream is None else stream
    if has_bars(target) and not for_program:
        with _bars(unit, target) as report:
            yield report
    else:
        yield _PlainLines(unit, target)


def has_bars(stream: TextIO) -> bool:
    """Tell whether this is a terminal that can draw bars."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def adding_up(report: ReportProgress) -> ReportProgress:
    """Return a function that takes what came in addition, and reports the totals."""
    totals: Counter[str] = Counter()

    def more(name: str, done: int, total: int | None = None, unit: str | None = None) -> None:
        totals[name] += done
        report(name, totals[name], total, unit)

    return more


def figures(done: float, total: float | None, unit: str, per_s: float | None) -> str:
    """Return how far work is, in words.

    >>> figures(1_250, 5_000, "records", 500)
    '1,250 of 5,000 records · 500 a second · 7 s left'
    >>> figures(1_250, None, "records", None)
    '1,250 records'
    >>> figures(2_500_000, 130_000_000, "bytes", 1_000_000)
    '2.5 of 130.0 MB · 1.0 a second · 2 min 7 s left'
    """
    shown_unit = "MB" if unit == "bytes" else unit
    whole = "" if total is None else f" of {_amount(total, unit)}"
    words = [f"{_amount(done, unit)}{whole} {shown_unit}"]
    if per_s is not None and per_s >= _SLOWEST_PER_S:
        words.append(f"{_amount(per_s, unit, tenths=per_s < _TENTHS_BELOW)} a second")
        if total is not None:
            words.append(f"{_left(max(0.0, total - done) / per_s)} left")
    return " · ".join(words)


def _amount(number: float, unit: str, *, tenths: bool = False) -> str:
    if unit == "bytes":
        return f"{number / _MB:,.1f}"
    return f"{number:,.1f}" if tenths else f"{number:,.0f}"


def _left(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


@contextmanager
def _bars(unit: str, target: TextIO) -> Iterator[ReportProgress]:
    from rich import progress as bars  # noqa: PLC0415  rule 3
    from rich.console import Console  # noqa: PLC0415  the same
    from rich.text import Text  # noqa: PLC0415  the same

    class Figures(bars.ProgressColumn):
        """What a bar says beside it."""

        def render(self, task: bars.Task) -> Text:
            speed = None if task.finished else task.speed
            return Text(figures(task.completed, task.total, task.fields["unit"], speed))

    columns = (
        bars.SpinnerColumn(),
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(bar_width=20),
        Figures(),
    )
    with bars.Progress(*columns, console=Console(file=target), transient=True) as progress:
        tasks = {}

        def report(
            name: str, done: int, total: int | None = None, its_unit: str | None = None
        ) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=total, unit=its_unit or unit)
            progress.update(tasks[name], completed=done, total=total)

        yield report


class _PlainLines:
    """Says how far things are, but not more often than every ten seconds."""

    def __init__(self, unit: str, target: TextIO) -> None:
        self._unit, self._target = unit, target
        self._said_at = time.monotonic()

    def __call__(
        self, name: str, done: int, total: int | None = None, unit: str | None = None, /
    ) -> None:
        now = time.monotonic()
        if now - self._said_at >= _PLAIN_EVERY_S:
            self._said_at = now
            words = figures(done, total, unit or self._unit, None)
            print(f"{name}: {words}", file=self._target, flush=True)
