"""Kafka Connect and Debezium's JDBC sink, by the files and lines of docs/engines/connect."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from profiles import rounds
from rows_of_tables import columns_of_view, rows_of
from simulated_days import DAYS, simulated_days

from consumers.tables.columns import PET_TABLE

LACKING = [program for program in ("java", "mvn") if shutil.which(program) is None]
TRIED_DAYS = rounds(2, long=DAYS)

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(bool(LACKING), reason=f"{' and '.join(LACKING)} isn't there"),
]

WITHIN_S = 240.0
_log = logging.getLogger(__name__)

DOCS = Path(__file__).parents[3] / "docs" / "engines" / "connect"


def fetched(home: Path) -> Path:
    """Run the first lines of the page; return where they leave the worker."""
    (lines,) = re.findall(
        r"```sh\n[^`]*?cp -r .*?\n(.*?)```", (DOCS / "README.md").read_text(), re.DOTALL
    )
    worker = home / "my-connect"
    kept = os.environ.get("PETSTREAM_TEST_ENGINES")
    if kept is not None:
        shutil.copytree(DOCS, worker)
        for name in ("lib", "plugins"):
            (worker / name).symlink_to(Path(kept) / "connect" / name)
        return worker
    shutil.copytree(DOCS, worker)
    subprocess.run(["bash", "-ec", lines], cwd=worker, check=True, timeout=600)  # noqa: S603, S607  our page
    return worker


@contextmanager
def connect(worker: Path, kafka: str, prefix: str, database_url: str) -> Iterator[None]:
    """Run the sink as the page does, with this Kafka and this database."""
    mine = (worker / "worker.properties").read_text().replace(":8083", ":0")
    (worker / "my-worker.properties").write_text(f"{mine}\nbootstrap.servers={kafka}\n")
    url = urlsplit(database_url)
    environment = os.environ | {
        "PETSTREAM_TOPIC_PREFIX": prefix,
        "SINK_URL": f"jdbc:postgresql://{url.hostname}:{url.port}{url.path}",
        "SINK_USER": url.username or "postgres",
        "SINK_PASSWORD": url.password or "",
    }
    with (worker / "log").open("w") as log:
        process = subprocess.Popen(
            ["java", "-Xmx256m", "-cp", "lib/*", "org.apache.kafka.connect.cli.ConnectStandalone",  # noqa: S607  as the page says
             "my-worker.properties", "pets.properties"],
            cwd=worker, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


async def test_a_jdbc_sink_keeps_a_table_equal_to_the_view_day_by_day(
    tmp_path: Path, kafka: str, database_url: str, prefix: str
) -> None:
    worker = await asyncio.to_thread(fetched, tmp_path)
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE SCHEMA mart")
    await connection.close()
    compared = 0
    with (
        simulated_days(tmp_path, kafka, database_url, prefix, "connect", days=TRIED_DAYS) as feed,
        connect(worker, kafka, prefix, database_url),
    ):
        async for day in feed.days():
            began = time.monotonic()
            wanted = await columns_of_view(database_url, PET_TABLE)

            while await rows_of(database_url, "mart.pets", "animal_id") != wanted:
                waited_s = time.monotonic() - began
                said = (worker / "log").read_text()[-3_000:]
                assert waited_s < WITHIN_S, f"day {day}: {len(wanted)} rows; it says {said}"
                await asyncio.sleep(0.2)
            _log.info("day %s: %s rows after %.1f s", day, len(wanted), time.monotonic() - began)
            compared += 1
    assert compared == TRIED_DAYS
