"""Measure every part, and print a table; the raw figures go to a file as JSON.

The steps are run in rounds, one after the other; the first round warms up and isn't counted.

Usage: scripts/bench [--pets N] [--rows 4.4|real] [--repeats N] [--json FILE] [--keep]
Nothing else should run meanwhile. Kafka, Postgres and the FTP server run on the same machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from console.runtime.arguments import positive
from lab.bench.feed import Kind, MeasuredFeed, feed
from lab.bench.steps import MEANINGS, Measured, round_of_steps, servers


def main() -> None:
    """Run the bench."""
    options = _options()
    kind: Kind = "real" if options.rows == "real" else "short"
    directory: Path = options.dir
    rounds: list[Measured] = []
    measured = feed(directory, options.pets, kind)
    names = ["warmup", *(f"run{number}" for number in range(1, options.repeats + 1))]
    rounds = _run(directory, measured, names, whole_line_only=options.end_to_end_only)
    for line in table(rounds, measured):
        print(line)  # noqa: T201  the result
    if options.json:
        figures = json.dumps(document(rounds, measured), indent=1)
        options.json.write_text(figures + "\n", encoding="ascii")


def table(rounds: Sequence[Measured], measured: MeasuredFeed) -> list[str]:
    """Return the medians as a Markdown table; rows/s with its extremes."""
    lines = [
        f"{measured.pets:,} pets, rows of {measured.row_bytes / 1000:.1f} KB, medians",
        "",
        "| step | rows/s (least-most) | MB/s | CPU µs a row, each process | peak RSS, MB |",
        "|---|---|---|---|---|",
    ]
    for step in dict.fromkeys(run.step for run in rounds):
        runs = [run for run in rounds if run.step == step]
        speeds = sorted(run.rows / run.seconds for run in runs)
        speed = statistics.median(speeds)
        names = dict.fromkeys(name for run in runs for name in run.costs)
        cpu = {
            name: _median(run.costs[name].cpu_s / run.rows * 1e6 for run in runs) for name in names
        }
        peaks = {name: max(run.costs[name].peak_mb for run in runs) for name in names}
        lines.append(
            f"| {step} | {speed:,.0f} ({speeds[0]:,.0f}-{speeds[-1]:,.0f}) "
            f"| {speed * measured.row_bytes / 1e6:,.0f} "
            f"| {' · '.join(f'{name} {used:,.0f}' for name, used in cpu.items() if used >= 1)} "
            f"| {' · '.join(f'{name} {peak:,.0f}' for name, peak in peaks.items())} |"
        )
        for key in runs[0].more:
            seconds = _median(run.more[key] for run in runs)
            lines.append(
                f"| - {MEANINGS[key]} | {measured.pets / seconds:,.0f} | | {seconds:.2f} s | |"
            )
    return lines


def document(rounds: Sequence[Measured], measured: MeasuredFeed) -> dict[str, object]:
    """Return everything that was measured, and on what machine."""
    return {
        "machine": {
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "pets": measured.pets,
        "row_bytes": measured.row_bytes,
        "runs": [
            run._asdict() | {"costs": {name: used._asdict() for name, used in run.costs.items()}}
            for run in rounds
        ],
    }


def _run(
    directory: Path, measured: MeasuredFeed, names: Sequence[str], *, whole_line_only: bool
) -> list[Measured]:
    """Run rounds of steps; the first one warms up and isn't counted."""
    counted: list[Measured] = []
    with servers(directory / "servers", measured) as around:
        for name in names:
            for run in round_of_steps(around, measured, name, whole_line_only=whole_line_only):
                speed = f"{run.rows / run.seconds:,.0f} rows/s"
                print(f"{name}: {run.step}: {speed}", file=sys.stderr, flush=True)  # noqa: T201  for the person who waits
                if name != names[0]:
                    counted.append(run)
    return counted


def _median(numbers: Iterable[float]) -> float:
    return statistics.median(numbers)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--pets", type=positive, default=64_000)
    parser.add_argument("--rows", choices=("4.4", "real"), default="4.4", help="KB a row")
    parser.add_argument("--repeats", type=positive, default=3)
    parser.add_argument("--end-to-end-only", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument(
        "--dir", type=Path, default=Path(".petstream-bench"), help="kept between runs"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
