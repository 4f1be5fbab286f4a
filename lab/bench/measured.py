"""What was measured: one run of one step, and all of them as a table or a document."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from ingest import compiled
from lab.bench.feed import MeasuredFeed
from lab.bench.usage import Usage

MEANINGS: Final[dict[str, str]] = {
    "folded_s": "until the topics were folded",
    "reading_s": "reading rows of pets_n",
}
"""What is measured within a step, in seconds."""

_HEAD: Final = (
    "| step | seconds | rows/s (least-most) | MB/s | CPU ns a byte | CPU µs a row, each process | "
    "peak RSS, MB |"
)


class Measured(NamedTuple):
    """One run of one step: so many rows in so many seconds, and what each process has cost."""

    step: str
    rows: int
    seconds: float
    costs: dict[str, Usage]
    more: dict[str, float]


def table(rounds: Sequence[Measured], measured: MeasuredFeed) -> list[str]:
    """Return the medians as a Markdown table; rows/s with its extremes."""
    lines = [
        f"{measured.pets:,} pets, rows of {measured.row_bytes / 1000:.1f} KB, medians",
        f"`ingest`: {compiled.FORM.what}",
        "",
        _HEAD,
        "|---|---|---|---|---|---|---|",
    ]
    for step in steps_of(rounds):
        runs = [run for run in rounds if run.step == step]
        speeds = sorted(run.rows / run.seconds for run in runs)
        speed = statistics.median(speeds)
        cpu = cpu_us(runs)
        names = dict.fromkeys(name for run in runs for name in run.costs)
        peaks = {name: max(run.costs[name].peak_mb for run in runs) for name in names}
        lines.append(
            f"| {step} | {_median(runs, lambda run: run.seconds):.1f} "
            f"| {speed:,.0f} ({speeds[0]:,.0f}-{speeds[-1]:,.0f}) "
            f"| {speed * measured.row_bytes / 1e6:,.0f} "
            f"| {sum(cpu.values()) / measured.row_bytes * 1e3:,.0f} "
            f"| {' · '.join(f'{name} {used:,.0f}' for name, used in cpu.items() if used >= 1)} "
            f"| {' · '.join(f'{name} {peak:,.0f}' for name, peak in peaks.items())} |"
        )
        for key in runs[0].more:
            seconds = statistics.median(run.more[key] for run in runs)
            speed = measured.pets / seconds
            lines.append(f"| - {MEANINGS[key]} | {seconds:.2f} | {speed:,.0f} | | | | |")
    return lines


def steps_of(rounds: Sequence[Measured]) -> list[str]:
    """Return the steps in the order they were run in."""
    return [*dict.fromkeys(run.step for run in rounds)]


def cpu_us(runs: Sequence[Measured]) -> dict[str, float]:
    """Return the median CPU µs a row of each process in the runs of a step."""
    names = dict.fromkeys(name for run in runs for name in run.costs)
    return {
        name: statistics.median(run.costs[name].cpu_s / run.rows * 1e6 for run in runs)
        for name in names
    }


def document(rounds: Sequence[Measured], measured: MeasuredFeed) -> dict[str, object]:
    """Return everything that was measured, and on what machine."""
    return {
        "machine": {
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
            "ingest": compiled.FORM.what,
        },
        "pets": measured.pets,
        "row_bytes": measured.row_bytes,
        "runs": [
            run._asdict() | {"costs": {name: used._asdict() for name, used in run.costs.items()}}
            for run in rounds
        ],
    }


def _median(runs: Sequence[Measured], figure: Callable[[Measured], float]) -> float:
    return statistics.median(map(figure, runs))
