"""Flink SQL by the files of docs/engines/flink: both ways, ten days, a restart without state."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from members import until
from simulated_days import DAYS, SimulatedDays, simulated_days

from consumers.tables.columns import PET_TABLE
from petstream.kafka.records import ProducerRecord
from petstream.kafka.writer import send_all

pytestmark = [pytest.mark.servers, pytest.mark.long]

DOCS = Path(__file__).parents[3] / "docs" / "engines" / "flink"
GHOST = 999_999

_log = logging.getLogger(__name__)


def fetched(home: Path) -> Path:
    """Run the first lines of the page; return where they leave everything."""
    (lines,) = re.findall(
        r"```sh\n[^`]*?cp -r .*?\n(.*?)```", (DOCS / "README.md").read_text(), re.DOTALL
    )
    place = home / "my-flink"
    shutil.copytree(DOCS, place)
    kept = os.environ.get("PETSTREAM_TEST_ENGINES")
    if kept is not None:
        for name in ("venv", "jars"):
            (place / name).symlink_to(Path(kept) / "flink" / name)
        return place
    lines = lines.replace("python3 -m venv", f"{sys.executable} -m venv")
    subprocess.run(["bash", "-ec", lines], cwd=place, check=True, timeout=1_200)  # noqa: S603, S607  our page
    return place


@contextmanager
def running(place: Path, feed: SimulatedDays) -> Iterator[None]:
    """Run the statements as the page does."""
    url = urlsplit(feed.database_url)
    environment = os.environ | {
        "PETSTREAM_KAFKA": feed.access.bootstrap,
        "PETSTREAM_TOPIC_PREFIX": feed.settings.topic_prefix,
        "SINK_URL": f"jdbc:postgresql://{url.hostname}:{url.port}{url.path}",
        "SINK_USER": url.username or "postgres",
        "SINK_PASSWORD": url.password or "",
    }
    with (place / "log").open("a") as log:
        process = subprocess.Popen(  # noqa: S603  our page
            [f"{place}/venv/bin/python", "run.py"], cwd=place, env=environment, stdout=log,
            stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            yield
        finally:
            os.killpg(process.pid, 9)
            process.wait(30)


async def rows(feed: SimulatedDays, statement: str) -> list[Any]:
    """Ask the database."""
    connection = await asyncpg.connect(feed.database_url)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


async def equal(feed: SimulatedDays, relation: str, *, ghosts: int = 0) -> float:
    """Wait until a sink shows what the view does."""
    columns = "animal_id, sequence, org_id, name, status"
    wanted = sorted(await rows(feed, f"SELECT {columns} FROM petstream.pets"))  # noqa: S608  our names

    async def so() -> bool:
        shown = sorted(await rows(feed, f"SELECT {columns} FROM {relation}"))  # noqa: S608  our names
        return [row for row in shown if row[0] != GHOST] == wanted and len(shown) == len(
            wanted
        ) + ghosts

    return await until(f"{relation} has the {len(wanted)} rows of the view", so)


async def test_both_ways_show_the_view_through_ten_days_and_after_a_restart_without_state(
    tmp_path: Path, kafka: str, database_url: str, prefix: str
) -> None:
    place = await asyncio.to_thread(fetched, tmp_path)
    connection = await asyncpg.connect(database_url)
    await connection.execute((place / "sinks.sql").read_text())
    await connection.close()
    compared = 0
    with simulated_days(tmp_path, kafka, database_url, prefix, "json") as feed:
        with running(place, feed):
            async for day in feed.days():
                began = time.monotonic()
                await equal(feed, "mart.flink_listed")
                await equal(feed, "mart.flink_table")
                _log.info("day %s: both equal after %.1f s", day, time.monotonic() - began)
                compared += 1
        assert compared == DAYS
        await leave_ghosts(feed)
        with running(place, feed):
            await equal(feed, "mart.flink_listed")
            await equal(feed, "mart.flink_table", ghosts=1)
        await rows(feed, "TRUNCATE mart.flink_table")
        with running(place, feed):
            await equal(feed, "mart.flink_table")


async def leave_ghosts(feed: SimulatedDays) -> None:
    """Put rows into the sinks of which the topics hold only the removal."""
    await rows(
        feed,
        "UPDATE mart.flink_pets SET op = 'updated', sequence = 1 WHERE animal_id = "
        "(SELECT min(animal_id) FROM petstream.removed_pets)",
    )
    name = PET_TABLE.topic.full_name(feed.settings.topic_prefix)
    null = ProducerRecord(name, str(GHOST).encode(), None, ())
    await send_all(feed.access, [null])
    await rows(feed, f"INSERT INTO mart.flink_table (animal_id, name) VALUES ({GHOST}, 'a ghost')")  # noqa: S608  a number
