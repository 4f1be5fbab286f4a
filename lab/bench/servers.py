"""The servers of a bench: Kafka, Postgres and FTP, new, and what each has cost so far."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from console.embedded import servers as embedded
from console.embedded.process import recorded
from console.runtime.processes import python_command
from consumers.engine.migrate import migrate
from consumers.engine.postgres import connected
from ingest import compiled
from lab.bench.feed import FIRST_DAY, MeasuredFeed
from lab.bench.usage import Usage, usage
from petstream.kafka.client import ensure_topics
from petstream.settings import KafkaAccess, kafka_variables

FTP_URL: Final = "ftp://apikey-Ab3dEf9h:bench@127.0.0.1:21899/"
"""Of a server on loopback, for as long as it's measured; the days stand in folders below."""


class BenchServers(NamedTuple):
    """The servers of a bench, and where they keep their data."""

    data_dir: Path
    kafka: KafkaAccess
    database_url: str
    ftp: int

    def usages(self) -> dict[str, Usage]:
        """Return what each server has cost so far."""
        usages = {"ftp": usage(self.ftp)}
        for name in ("kafka", "postgres"):
            process = recorded(self.data_dir, name)
            usages |= {} if process is None else {name: usage(process.pid)}
        return usages

    def costs_since(self, before: Mapping[str, Usage]) -> dict[str, Usage]:
        """Return what each has cost since."""
        return {name: used.since(before[name]) for name, used in self.usages().items()}


@contextmanager
def servers(data_dir: Path, feed: MeasuredFeed) -> Iterator[BenchServers]:
    """Start what is measured against: Kafka and Postgres as users get them, new, and FTP."""
    embedded.put_away(data_dir)
    shutil.rmtree(data_dir, ignore_errors=True)
    kafka, database_url = embedded.ensure_kafka(data_dir), embedded.ensure_postgres(data_dir)
    command = python_command("lab.bench.part", "serve", str(feed.directory))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as ftp:  # noqa: S603  our own module
        assert ftp.stdin is not None  # noqa: S101  it's piped
        assert ftp.stdout is not None  # noqa: S101  it's piped
        if not ftp.stdout.readline():
            raise SystemExit("the FTP server of the bench didn't start: see above")
        try:
            yield BenchServers(data_dir, kafka, database_url, ftp.pid)
        finally:
            ftp.stdin.close()
            embedded.put_away(data_dir)


def prepared(around: BenchServers, name: str) -> dict[str, str]:
    """Return the environment of a line of its own; its topics and tables are there already."""
    database_url = asyncio.run(fresh_database(around.database_url, f"bench_{name}"))
    asyncio.run(migrate(database_url))
    asyncio.run(ensure_topics(around.kafka, f"bench{name}."))
    return of_day(FIRST_DAY) | {
        **{
            key: value
            for key, value in os.environ.items()
            if not key.startswith("PETSTREAM_") or key == compiled.SETTING
        },
        **kafka_variables(around.kafka),
        "PETSTREAM_DATABASE_URL": database_url,
        "PETSTREAM_TOPIC_PREFIX": f"bench{name}.",
        "PETSTREAM_DATA_DIR": str(around.data_dir / name),
        "PETSTREAM_SETTLE_S": "0",
        "PETSTREAM_PICTURES": "off",  # they are listed; how fast they come is their host's affair
        # from 170,000 pets on a usual day removes more than are removed without a person
        "PETSTREAM_REMOVAL_MAX_COUNT": "1000000",
    }


def of_day(day: str) -> dict[str, str]:
    """Return which day of the feed is served to a part."""
    return {"PETSTREAM_FTP_URL": f"{FTP_URL}{day}"}


async def fresh_database(url: str, name: str) -> str:
    """Make a database anew, and return its URL."""
    async with connected(url) as connection:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {name}")
    return urlsplit(url)._replace(path=f"/{name}").geturl()


async def bring_to_rest(url: str) -> None:
    """Do now what Postgres would do by itself in the middle of the next step."""
    async with connected(url) as connection:
        await connection.execute("VACUUM (ANALYZE)")
        await connection.execute("CHECKPOINT")
