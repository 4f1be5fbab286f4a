"""The steps that are measured, each with the servers' cost beside its own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from console.embedded import servers as embedded
from console.embedded.process import recorded
from console.runtime.processes import python_command
from consumers.engine.migrate import migrate
from consumers.engine.postgres import connected
from consumers.registry import NAMES
from lab.bench import part
from lab.bench.feed import MeasuredFeed
from lab.bench.usage import Usage, usage
from petstream.kafka.client import ensure_topics
from petstream.settings import KafkaAccess, kafka_variables

MEANINGS: Final[dict[str, str]] = {
    "folded_s": "until the topics were folded",
    "reading_s": "reading rows of pets_n",
}
"""What is measured within a step, in seconds."""

_PORT: Final = 21_899


class Measured(NamedTuple):
    """One run of one step."""

    step: str
    rows: int
    seconds: float
    costs: dict[str, Usage]
    more: dict[str, float]


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


@contextmanager
def servers(data_dir: Path, feed: MeasuredFeed) -> Iterator[BenchServers]:
    """Start what is measured against: Kafka and Postgres as users get them, new, and FTP."""
    embedded.down(data_dir)
    shutil.rmtree(data_dir, ignore_errors=True)
    kafka, database_url = embedded.ensure_kafka(data_dir), embedded.ensure_postgres(data_dir)
    command = [*_PART, "serve", str(feed.directory), str(_PORT)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as ftp:  # noqa: S603  our own module
        assert ftp.stdin is not None  # noqa: S101  it's piped
        assert ftp.stdout is not None  # noqa: S101  it's piped
        if not ftp.stdout.readline():
            raise SystemExit("the FTP server of the bench didn't start: see above")
        try:
            yield BenchServers(data_dir, kafka, database_url, ftp.pid)
        finally:
            ftp.stdin.close()
            embedded.down(data_dir)


def round_of_steps(
    around: BenchServers, feed: MeasuredFeed, name: str, *, whole_line_only: bool
) -> Iterator[Measured]:
    """Run every step once, with topics and databases of its own."""
    if whole_line_only:
        yield _end_to_end(around, feed, _prepared(around, f"{name}_b"))
        return
    apart = _prepared(around, f"{name}_a")
    yield _measured(around, "first import", apart, "ingest", "initial")
    yield _measured(around, "nothing changed", apart, "ingest", "scrub")
    for consumer in NAMES:
        yield _measured(around, f"rebuild: {consumer}", apart, "consume", consumer)
    yield _end_to_end(around, feed, _prepared(around, f"{name}_b"))


def _prepared(around: BenchServers, name: str) -> dict[str, str]:
    """Return the environment of the parts; topics and tables are there already."""
    database_url = asyncio.run(_fresh_database(around.database_url, f"bench_{name}"))
    asyncio.run(migrate(database_url))
    asyncio.run(ensure_topics(around.kafka, f"bench{name}."))
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("PETSTREAM_")},
        "PETSTREAM_FTP_URL": f"ftp://{part.USER}:{part.PASSWORD}@127.0.0.1:{_PORT}/",
        **kafka_variables(around.kafka),
        "PETSTREAM_DATABASE_URL": database_url,
        "PETSTREAM_TOPIC_PREFIX": f"bench{name}.",
        "PETSTREAM_DATA_DIR": str(around.data_dir),
        "PETSTREAM_SETTLE_S": "0",
    }


async def _fresh_database(url: str, name: str) -> str:
    async with connected(url) as connection:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {name}")
    return urlsplit(url)._replace(path=f"/{name}").geturl()


async def _at_rest(url: str) -> None:
    """Do now what Postgres would do by itself in the middle of the next step."""
    async with connected(url) as connection:
        await connection.execute("VACUUM (ANALYZE)")
        await connection.execute("CHECKPOINT")


def _measured(
    around: BenchServers, step: str, environment: Mapping[str, str], *arguments: str
) -> Measured:
    before = around.usages()
    report = _report_of(_begun(environment, *arguments))
    more = {key: float(report[key]) for key in MEANINGS if key in report}
    costs = _costs(around, before, {arguments[0]: report})
    asyncio.run(_at_rest(environment["PETSTREAM_DATABASE_URL"]))
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
    costs = _costs(around, before, {"ingest": ingested, "consume pets": consumed})
    asyncio.run(_at_rest(environment["PETSTREAM_DATABASE_URL"]))
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


def _costs(
    around: BenchServers, before: Mapping[str, Usage], parts: Mapping[str, Mapping[str, Any]]
) -> dict[str, Usage]:
    own = {name: Usage(report["cpu_s"], report["peak_mb"]) for name, report in parts.items()}
    return own | {name: used.since(before[name]) for name, used in around.usages().items()}
