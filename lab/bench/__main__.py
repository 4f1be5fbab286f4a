"""Measure every part, and print a table; the raw figures go to a file as JSON.

The steps are run in rounds, one after the other; the first round warms up and isn't counted.

Usage: scripts/bench [--pets N] [--rows 4.4|real] [--repeats N] [--end-to-end-only] [--peers]
                     [--latency] [--profile DIR] [--check | --set-baseline] [--json FILE]
                     [--dir DIR]
Nothing else should run meanwhile. Kafka, Postgres and the FTP server run on the same machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from console.runtime.arguments import positive
from lab.bench import check, latency, others
from lab.bench.feed import Kind, MeasuredFeed, feed
from lab.bench.measured import Measured, document, table
from lab.bench.servers import BenchServers, servers
from lab.bench.steps import round_of_steps


def main() -> None:
    """Run the bench."""
    options = _options()
    if options.check:
        options.pets, options.rows = (check.baseline()[key] for key in ("pets", "rows"))
    kind: Kind = "real" if options.rows == "real" else "short"
    measured = feed(options.dir, options.pets, kind)
    calibration = check.calibration_s()
    with servers(options.dir / "servers", measured) as around:
        rounds = _rounds(around, measured, options)
        lines = table(rounds, measured)
        if options.latency:
            waits = latency.waits(around.kafka, around.database_url, around.data_dir)
            lines += ["", *waits]
        if options.profile:
            options.profile.mkdir(parents=True, exist_ok=True)
            programs = others.installed(options.dir)
            lines += ["", *map(str, others.profile(around, programs, options.profile))]
    costs = check.costs_of(rounds)
    if options.check:
        lines += ["", *check.compared(costs, calibration, check.baseline())]
    if options.set_baseline:
        text = check.baseline_of(costs, calibration, options.pets, options.rows)
        check.BASELINE.write_text(text, encoding="ascii")
    for line in lines:
        print(line)  # noqa: T201  the result
    if options.json:
        figures = json.dumps(document(rounds, measured), indent=1)
        options.json.write_text(figures + "\n", encoding="ascii")


def _rounds(
    around: BenchServers, measured: MeasuredFeed, options: argparse.Namespace
) -> list[Measured]:
    """Run rounds of steps; the first one warms up and isn't counted."""
    counted: list[Measured] = []
    programs = others.installed(options.dir) if options.peers else None
    for number in range(options.repeats + 1):
        name = f"run{number}"
        runs = [round_of_steps(around, measured, name, whole_line_only=options.end_to_end_only)]
        if programs is not None:
            runs.append(others.peers(around, measured, name, programs))
        for run in (run for of_kind in runs for run in of_kind):
            speed = f"{run.rows / run.seconds:,.0f} rows/s"
            what = f"{run.step}: {speed}" if number else f"warm-up: {run.step}: {speed}"
            print(what, file=sys.stderr, flush=True)  # noqa: T201  for the person who waits
            if number:
                counted.append(run)
    return counted


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--pets", type=positive, default=64_000)
    parser.add_argument("--rows", choices=("4.4", "real"), default="4.4", help="KB a row")
    parser.add_argument("--repeats", type=positive, default=3)
    parser.add_argument("--end-to-end-only", action="store_true")
    parser.add_argument("--peers", action="store_true", help="a plain script and dlt beside it")
    parser.add_argument("--latency", action="store_true", help="of an event that comes alone")
    parser.add_argument("--profile", type=Path, metavar="DIR", help="draw flame graphs there")
    judging = parser.add_mutually_exclusive_group()
    judging.add_argument(
        "--check", action="store_true", help="compare with the baseline, on its feed"
    )
    judging.add_argument("--set-baseline", action="store_true", help="make this the baseline")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument(
        "--dir", type=Path, default=Path(".petstream-bench"), help="kept between runs"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
