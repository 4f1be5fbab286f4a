"""The whole line: from the start of `ingest` to the last row of every consumer, as users run it.

Rule 1: the parts are the commands that users have, each consumer a process of its own, as below
        `petstream up`; the consumers are up already, as those of a daemon are.
Rule 2: it ends when Postgres holds what Kafka holds: the positions are moved with the data.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from console.runtime.processes import python_command
from consumers.engine.postgres import Connection, connected
from consumers.registry import NAMES, Name, group_of, topics_of
from lab.bench.feed import USUAL_DAY, MeasuredFeed
from lab.bench.measured import Measured
from lab.bench.servers import BenchServers, bring_to_rest, of_day
from lab.bench.usage import Usage, ended, usage
from petstream.kafka.groups import describe_each
from petstream.kafka.reader import bounds
from petstream.topics import EXPORTS

FIRST_IMPORT: Final = "all consumers: first import"
DAY: Final = "all consumers: usual day"

_LOOK_EVERY_S: Final = 0.01
_LONGEST_S: Final = 600.0
_POSITIONS: Final = (
    "SELECT consumer, topic, partition, next_offset FROM petstream.consumer_position"
)

Positions = dict[tuple[str, str, int], int]
"""The next offset of each consumer in each partition of its topics."""


def whole_line(
    around: BenchServers, feed: MeasuredFeed, environment: Mapping[str, str]
) -> Iterator[Measured]:
    """Measure a first import and the usual day after it, with all consumers at work."""
    prefix = environment["PETSTREAM_TOPIC_PREFIX"]
    with _consumers(environment) as consumers:
        asyncio.run(_joined(around, prefix))
        days = (
            (FIRST_IMPORT, feed.pets, "initial", environment),
            (DAY, feed.usual_rows, "daily", {**environment, **of_day(USUAL_DAY)}),
        )
        for step, rows, mode, settings in days:
            before = around.usages() | _usages(consumers)
            began = time.monotonic()
            ingested = _ingested(settings, mode)
            asyncio.run(_caught_up(around, settings["PETSTREAM_DATABASE_URL"], prefix))
            seconds = time.monotonic() - began
            costs = around.costs_since(before) | {"ingest": ingested}
            for name, used in _usages(consumers).items():
                costs[name] = used.since(before[name])
            yield Measured(step, rows, seconds, costs, {})
            asyncio.run(_audited(around, settings["PETSTREAM_DATABASE_URL"], prefix))
            asyncio.run(bring_to_rest(settings["PETSTREAM_DATABASE_URL"]))


@contextmanager
def _consumers(environment: Mapping[str, str]) -> Iterator[dict[Name, int]]:
    """Run every consumer; gives their process ids."""
    processes = {
        name: subprocess.Popen(  # noqa: S603  our own command
            python_command("console", "consume", name), env=environment, stderr=subprocess.DEVNULL
        )
        for name in NAMES
    }
    try:
        yield {name: process.pid for name, process in processes.items()}
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait()


def _usages(consumers: Mapping[Name, int]) -> dict[str, Usage]:
    return {f"consume {name}": usage(pid) for name, pid in consumers.items()}


def _ingested(environment: Mapping[str, str], mode: str) -> Usage:
    """Read an export, and return what that has cost."""
    command = python_command("console", "ingest", "--mode", mode)
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603  our own command
    return ended(process, "ingest")


async def _joined(around: BenchServers, prefix: str) -> None:
    """Return once every consumer's group has its member."""
    groups = [group_of(name, prefix) for name in NAMES]
    async with asyncio.timeout(_LONGEST_S):
        while not all(  # noqa: ASYNC110  Kafka tells nobody of it
            group.members for group in (await describe_each(around.kafka, groups)).values()
        ):
            await asyncio.sleep(_LOOK_EVERY_S)


async def _caught_up(around: BenchServers, url: str, prefix: str) -> None:
    """Return once every consumer's position is at the end of each partition of its topics."""
    names = sorted({topic for name in NAMES for topic in topics_of(name, prefix)})
    measured = await bounds(around.kafka, names)
    ends: Positions = {
        (name, topic, number): end
        for (topic, number), (_, end) in measured.items()
        for name in NAMES
        if topic in topics_of(name, prefix)
    }
    async with asyncio.timeout(_LONGEST_S), connected(url) as connection:
        while not _reached(await _positions(connection), ends):  # noqa: ASYNC110  Postgres tells nobody of it
            await asyncio.sleep(_LOOK_EVERY_S)


async def _audited(around: BenchServers, url: str, prefix: str) -> None:
    """Return once the audit of the export is over, which between two days it is."""
    topic = EXPORTS.full_name(prefix)
    ends: Positions = {
        ("audit", topic, number): end
        for (_, number), (_, end) in (await bounds(around.kafka, [topic])).items()
    }
    async with asyncio.timeout(_LONGEST_S), connected(url) as connection:
        while not _reached(await _positions(connection), ends):  # noqa: ASYNC110  as above
            await asyncio.sleep(_LOOK_EVERY_S)


async def _positions(connection: Connection) -> Positions:
    rows = await connection.fetch(_POSITIONS)
    return {(row["consumer"], row["topic"], row["partition"]): row["next_offset"] for row in rows}


def _reached(positions: Positions, ends: Positions) -> bool:
    return all(positions.get(place, 0) >= end for place, end in ends.items())
