"""How long an event that comes alone takes from its sender to its row, on servers that are idle.

Usage: ``python -m lab.bench.latency [--events N] [--dir DIR]``. It starts a Kafka and a Postgres of
its own and the consumer pets, publishes one event at a time, and prints a table. What is measured
is from the stamp that the sender gives a record to its row, seen by a query each millisecond.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from console.embedded import servers as embedded
from console.runtime.arguments import positive
from console.runtime.processes import python_command
from consumers.engine.migrate import migrate
from consumers.engine.postgres import Connection, connected
from petstream import codec
from petstream.events import PetEvent, Source
from petstream.kafka.client import ensure_topics
from petstream.kafka.records import ProducerRecord
from petstream.kafka.writer import send_all
from petstream.model import Pet
from petstream.settings import KafkaAccess
from petstream.topics import PETS

_PREFIX: Final = "petstream."
_EXPORT: Final = "2026-11-01T08:00:00Z"
_WARM_UP: Final = 20
_LONGEST_S: Final = 30.0
_SENT: Final = """
    SELECT max(timestamp_ms) FROM petstream.consumer_position, petstream.pets
    WHERE consumer = 'pets' AND animal_id = $1"""
"""When the newest record was sent whose row is there; null: this pet's isn't yet."""


def main() -> None:
    """Publish, look, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=positive, default=200)
    parser.add_argument("--dir", type=Path, default=Path(".petstream-bench/latency"))
    options = parser.parse_args()
    embedded.put_away(options.dir)
    shutil.rmtree(options.dir, ignore_errors=True)  # a log without its tables is read again first
    kafka, url = embedded.ensure_kafka(options.dir), embedded.ensure_postgres(options.dir)
    try:
        for line in waits(kafka, url, options.dir, options.events):
            print(line)  # noqa: T201  the result
    finally:
        embedded.put_away(options.dir)


def waits(kafka: KafkaAccess, url: str, data_dir: Path, events: int = 200) -> list[str]:
    """Return as a Markdown table how long events that come alone take to their rows."""
    waits_ms = sorted(asyncio.run(measured(kafka, url, data_dir, events)))
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
    figures = {name: waits_ms[int(len(waits_ms) * share)] for name, share in shares.items()}
    figures["slowest"] = waits_ms[-1]
    return [
        "| " + " | ".join(f"{name}, ms" for name in figures) + " |",
        "|" + "---|" * len(figures),
        "| " + " | ".join(f"{wait_ms:.1f}" for wait_ms in figures.values()) + " |",
    ]


async def measured(kafka: KafkaAccess, url: str, data_dir: Path, events: int) -> list[float]:
    """Return how long each event's row was waited for, in milliseconds."""
    await migrate(url)
    await ensure_topics(kafka, _PREFIX)
    environment = os.environ | {
        "PETSTREAM_DATABASE_URL": url, "PETSTREAM_DATA_DIR": f"{data_dir}",
    }  # fmt: skip
    consumer = await asyncio.create_subprocess_exec(
        *python_command("console", "consume", "pets"), env=environment
    )
    try:
        async with connected(url) as connection:
            newest = await connection.fetchval("SELECT max(animal_id) FROM petstream.pet") or 0
            return await _each(kafka, connection, range(newest + 1, newest + 1 + events))
    finally:
        consumer.terminate()
        await consumer.wait()


async def _each(kafka: KafkaAccess, connection: Connection, animal_ids: range) -> list[float]:
    waits_ms = []
    moments = random.Random(1)  # noqa: S311  pauses, no secrets
    for animal_id in animal_ids:
        await asyncio.sleep(moments.uniform(0.1, 0.5))
        async with asyncio.timeout(_LONGEST_S), asyncio.TaskGroup() as group:
            group.create_task(send_all(kafka, [_record(animal_id)]))
            while (sent_ms := await connection.fetchval(_SENT, animal_id)) is None:  # noqa: ASYNC110  Postgres tells nobody of it
                await asyncio.sleep(0.001)
            waits_ms.append(time.time() * 1_000 - sent_ms)
    return waits_ms[min(_WARM_UP, len(waits_ms) // 2) :]


def _record(animal_id: int) -> ProducerRecord:
    now = datetime.now(UTC)
    event = PetEvent(
        op="added", animal_id=animal_id, sequence=1, first_seen_at=now,
        pet=Pet(animal_id=animal_id, name="Rex"),
        source=Source(_EXPORT, "daily", "updatedpets_1.json", 1),
    )  # fmt: skip
    value = codec.encode(event)
    headers = codec.headers(
        type_="pet.added", subject=f"pet/{animal_id}", sequence=1, export_id=_EXPORT,
        digest=codec.digest(value), time=now,
    )  # fmt: skip
    return ProducerRecord(PETS.full_name(_PREFIX), f"{animal_id}".encode(), value, headers)


if __name__ == "__main__":
    main()
