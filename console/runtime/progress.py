"""How far long work is: bars on a terminal, now and then a plain line elsewhere.

Rule 1: progress goes to stderr; stdout is for what a command was asked.
Rule 2: numbers are totals so far, by name; a name that begins again starts again.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

ReportProgress = Callable[[str, int], None]

_PLAIN_EVERY_S: Final = 10.0


@contextmanager
def shown(unit: str, stream: TextIO | None = None) -> Iterator[ReportProgress]:
    """Yield a function that takes a name and its total so far; `unit`: what is counted."""
    target = sys.stderr if stream is None else stream
    if target.isatty():
        with _bars(unit, target) as report:
            yield report
    else:
        yield _PlainLines(unit, target)


def adding_up(report: ReportProgress) -> ReportProgress:
    """Return a function that takes what came in addition, and reports the totals."""
    totals: Counter[str] = Counter()

    def more(name: str, number: int) -> None:
        totals[name] += number
        report(name, totals[name])

    return more


@contextmanager
def _bars(unit: str, target: TextIO) -> Iterator[ReportProgress]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TextColumn("{task.completed:,.0f} " + unit),
        TimeElapsedColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(file=target), transient=True) as progress:

        def report(name: str, total: int) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=None)
            progress.update(tasks[name], completed=total)

        yield report


class _PlainLines:
    """Says how far things are, but not more often than every ten seconds."""

    def __init__(self, unit: str, target: TextIO) -> None:
        self._unit, self._target = unit, target
        self._said_at = time.monotonic()

    def __call__(self, name: str, total: int) -> None:
        now = time.monotonic()
        if now - self._said_at >= _PLAIN_EVERY_S:
            self._said_at = now
            print(f"{name}: {total:,} {self._unit}", file=self._target, flush=True)
