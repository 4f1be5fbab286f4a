"""What the login of the embedded Kafka costs: start, connection, throughput, with it and without.

Each round has both, in turn, in data directories of their own; the first warms up and isn't
counted. The load beside is printed, since it changes the figures more than a login does.

Usage: .venv/bin/python tests/support/login_cost.py [--rounds 3] [--records 30000]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from console.embedded import servers
from console.runtime.arguments import positive
from petstream import topics
from petstream.kafka.client import ensure_topics
from petstream.kafka.reader import read_to_end
from petstream.kafka.records import ProducerRecord
from petstream.kafka.writer import send_all, send_batch
from petstream.settings import KafkaAccess

_VALUE: Final = os.urandom(500).hex().encode()
"""1 kB, of which compression leaves half."""

_AT_ONCE: Final = 5_000
_PREFIX: Final = "login."
MEANINGS: Final = {
    "start_s": "from nothing to the first answer, s",
    "again_s": "started again, s",
    "connect_ms": "a connection and one record, ms",
    "write": "records of 1 kB written a second",
    "read": "records of 1 kB read a second",
}
"""What is measured, with its unit."""

Figures = dict[str, float]


def main() -> None:
    """Measure, and print a table of medians."""
    options = _options()
    rounds: list[dict[bool, Figures]] = []
    load_before = os.getloadavg()[0]
    for number in range(options.rounds + 1):
        order = (True, False) if number % 2 else (False, True)
        rounds.append({login: _measured(options.records, login=login) for login in order})
    for line in table(rounds[1:]):
        print(line)  # noqa: T201  the result
    load = f"{load_before:.1f} before, {os.getloadavg()[0]:.1f} after"
    print(f"{os.cpu_count()} cores, load {load}, {options.rounds} rounds")  # noqa: T201  the result


def table(rounds: list[dict[bool, Figures]]) -> list[str]:
    """Return the medians with their extremes as a Markdown table.

    >>> table([{True: {"start_s": 3.0}, False: {"start_s": 2.0}}])[-1]
    '| from nothing to the first answer, s | 3.00 (3.00-3.00) | 2.00 (2.00-2.00) |'
    """
    lines = ["| | with the login | without |", "|---|---|---|"]
    for name in rounds[0][True]:
        cells = (_cell([figures[login][name] for figures in rounds]) for login in (True, False))
        lines.append(f"| {MEANINGS[name]} | {' | '.join(cells)} |")
    return lines


def _cell(figures: list[float]) -> str:
    spec = ",.0f" if min(figures) >= 100 else ".2f"
    middle, least, most = statistics.median(figures), min(figures), max(figures)
    return f"{middle:{spec}} ({least:{spec}}-{most:{spec}})"


def _measured(records: int, *, login: bool) -> Figures:
    """Start a Kafka, use it, start it again, and put it away."""
    with tempfile.TemporaryDirectory(prefix="petstream-login-") as directory:
        home = Path(directory)
        try:
            start_s, access = _started(home, login=login)
            figures = asyncio.run(_used(access, records))
            servers.down(home)
            again_s, _ = _started(home, login=login)
        finally:
            servers.down(home)
    return {"start_s": start_s, "again_s": again_s, **figures}


def _started(home: Path, *, login: bool) -> tuple[float, KafkaAccess]:
    began_s = time.monotonic()
    access = servers.ensure_kafka(home, for_tests=True, authenticated=login)
    return time.monotonic() - began_s, access


async def _used(access: KafkaAccess, count: int) -> Figures:
    await ensure_topics(access, _PREFIX)
    name = topics.PETS.full_name(_PREFIX)
    await send_all(access, [ProducerRecord(name, b"first", _VALUE, ())])  # it finds its leaders
    began_s = time.monotonic()
    for _ in range(10):
        await send_all(access, [ProducerRecord(name, b"connected", _VALUE, ())])
    connected_s = time.monotonic()
    for first in range(0, count, _AT_ONCE):
        await send_batch(access, _records(name, range(first, min(count, first + _AT_ONCE))))
    written_s = time.monotonic()
    read = 0
    async for records in read_to_end(access, [name]):
        read += len(records)
    ended_s = time.monotonic()
    return {
        "connect_ms": (connected_s - began_s) * 100,
        "write": count / (written_s - connected_s),
        "read": read / (ended_s - written_s),
    }


def _records(name: str, numbers: range) -> list[ProducerRecord]:
    return [ProducerRecord(name, b"%d" % number, _VALUE, ()) for number in numbers]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What the login of the embedded Kafka costs.")
    parser.add_argument("--rounds", type=positive, default=3, help="both, in turn (3)")
    parser.add_argument("--records", type=positive, default=30_000, help="of 1 kB (30,000)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
