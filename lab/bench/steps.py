"""The steps that are measured, each with the servers' cost beside its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any, Final

from console.runtime.processes import python_command
from consumers.registry import NAMES
from lab.bench.feed import MeasuredFeed
from lab.bench.measured import MEANINGS, Measured
from lab.bench.servers import BenchServers, bring_to_rest, prepared
from lab.bench.usage import Usage
from lab.bench.whole_line import whole_line


def round_of_steps(
    around: BenchServers, feed: MeasuredFeed, name: str, *, whole_line_only: bool
) -> Iterator[Measured]:
    """Run every step once, with topics and databases of its own."""
    if not whole_line_only:
        apart = prepared(around, f"{name}_a")
        yield _measured(around, "first import", apart, "ingest", "initial")
        yield _measured(around, "nothing changed", apart, "ingest", "scrub")
        for consumer in NAMES:
            yield _measured(around, f"rebuild: {consumer}", apart, "consume", consumer)
    yield _end_to_end(around, feed, prepared(around, f"{name}_b"))
    yield from whole_line(around, feed, prepared(around, f"{name}_c"))


def _measured(
    around: BenchServers, step: str, environment: Mapping[str, str], *arguments: str
) -> Measured:
    before = around.usages()
    report = _report_of(_begun(environment, *arguments))
    more = {key: float(report[key]) for key in MEANINGS if key in report}
    costs = {arguments[0]: _usage_in(report)} | around.costs_since(before)
    asyncio.run(bring_to_rest(environment["PETSTREAM_DATABASE_URL"]))
    return Measured(step, report["rows"], report["seconds"], costs, more)


def _end_to_end(
    around: BenchServers, feed: MeasuredFeed, environment: Mapping[str, str]
) -> Measured:
    """From the start of the ingester to the last row committed by the consumer pets."""
    before = around.usages()
    records = feed.pets + feed.organizations + 2  # export.started, export.completed
    consumer = _begun(environment, "consume", "pets", str(records))
    ingester = _begun(environment, "ingest", "initial")
    try:
        ingested = _report_of(ingester)
    except SystemExit:
        consumer.kill()  # it would wait for ever
        raise
    consumed = _report_of(consumer)
    costs = {"ingest": _usage_in(ingested), "consume pets": _usage_in(consumed)}
    costs |= around.costs_since(before)
    asyncio.run(bring_to_rest(environment["PETSTREAM_DATABASE_URL"]))
    return Measured("end to end", feed.pets, consumed["last"] - ingested["began"], costs, {})


_PART: Final = python_command("lab.bench.part")


def _begun(environment: Mapping[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*_PART, *arguments], env=environment, stdout=subprocess.PIPE)  # noqa: S603  our own module


def _report_of(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"a part of the bench failed with status {process.returncode}: see above")
    report: dict[str, Any] = json.loads(out.splitlines()[-1])
    return report


def _usage_in(report: Mapping[str, Any]) -> Usage:
    return Usage(report["cpu_s"], report["peak_mb"])
