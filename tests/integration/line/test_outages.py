"""Servers that die, restart, flap or only fall silent, under a consumer and an ingest (T40, T41).

The servers are this module's own. Nothing may be lost or become a dead letter, everything goes on
by itself once the server is back, and nobody spins or chatters meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from members import Feed, Member, Server, Used, bugs, until
from server_homes import put_away

from console.embedded import servers as embedded
from console.embedded.process import stop
from consumers.engine.migrate import migrate
from ingest.publish import producer as ingest_kafka
from ingest.publish import publisher
from lab.simulator import history, serve_ftp
from petstream import failpoints
from petstream.settings import FtpUrl

pytestmark = pytest.mark.servers

USER, PASSWORD = "apikey-Ab3dEf9h", "canary-password"
OWNER = "an_owner"
AWAY_S = 3.0
CPU_S = 1.5
"""What a process may use while a server is away for so long: one that spins uses all of it."""
LINES = 40
Join = Callable[..., Member]

_log = logging.getLogger(__name__)


class Servers:
    """A Kafka and a Postgres to be maltreated."""

    def __init__(self, data_dir: Path) -> None:
        """Start them."""
        self.data_dir = data_dir
        self.kafka = Server(data_dir, "kafka")
        self.postgres = Server(data_dir, "postgres")
        self.start_kafka()
        self.start_postgres()

    def start_kafka(self) -> str:
        """Start Kafka if it isn't up; return its address, which stays."""
        return embedded.ensure_kafka(self.data_dir, for_tests=True, authenticated=False).bootstrap

    def start_postgres(self) -> str:
        """Start Postgres if it isn't up; return its URL, which stays."""
        return embedded.ensure_postgres(self.data_dir, for_tests=True)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with put_away(tmp_path_factory.mktemp("outages")) as data_dir:
        started = Servers(data_dir)
        make_owner = f"CREATE ROLE {OWNER} LOGIN PASSWORD '{PASSWORD}'"
        asyncio.run(execute(started.start_postgres(), make_owner))
        yield started


@pytest.fixture
async def feed(tmp_path: Path, servers: Servers) -> AsyncIterator[Feed]:
    home = tmp_path / "ftp"
    home.mkdir()
    url, name = servers.start_postgres(), f"test_{secrets.token_hex(4)}"
    await execute(url, f"CREATE DATABASE {name} OWNER {OWNER}")
    at = url.rpartition("@")[2].partition("/")[0]
    database_url = f"postgresql://{OWNER}:{PASSWORD}@{at}/{name}"
    await migrate(database_url)
    with serve_ftp(home, user=USER, password=PASSWORD) as server:
        yield Feed(
            history(seed=41, pets=200, days=6), home,
            ftp=FtpUrl(USER, PASSWORD, "127.0.0.1", server.port, "", tls=False),
            kafka=servers.start_kafka(), database_url=database_url,
            prefix=f"t{secrets.token_hex(4)}.",
        )  # fmt: skip


@pytest.fixture
def join(feed: Feed, tmp_path: Path) -> Iterator[Join]:
    """Starts a consumer."""
    with ExitStack() as members:

        def begin(**settings: str) -> Member:
            log = tmp_path / f"member-{secrets.token_hex(2)}.log"
            member = Member(feed, log, **{"TEST_MAX_RECORDS": "20"} | settings)
            members.callback(member.done_with)
            return member

        yield begin


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def impatient(**options: Any) -> AIOKafkaProducer:
    """Make a client that gives up what it sends before Kafka is back: it must be sent again."""
    return AIOKafkaProducer(**options | {"request_timeout_ms": 1_000})


async def opened(feed: Feed) -> float:
    """Return when Kafka's port was open."""
    host, port = feed.kafka.bootstrap.split(":")

    async def is_open() -> bool:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            return False
        writer.close()
        return True

    await until("open", is_open)
    return time.monotonic()


def at_point(monkeypatch: pytest.MonkeyPatch, name: str, do: Callable[[], object]) -> None:
    """Do something once, when the ingest in this process passes a place the second time."""
    passed = 0

    def point(passing: str) -> None:
        nonlocal passed
        passed += passing == name
        if passed == 2 and passing == name:
            do()

    monkeypatch.setattr(failpoints, "point", point)


def assert_calm(used: Used) -> None:
    _log.info("used while a server was away: %s", used)
    assert used.cpu_s < CPU_S
    assert used.lines < LINES


async def test_t40_kafka_is_killed_under_a_consumer_and_an_ingest_and_is_away_at_their_start(
    feed: Feed,
    servers: Servers,
    join: Join,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """T40, with the time-outs that users' consumers have."""
    consumer = join(TEST_STILL_AT="consumer.apply.after")
    await feed.publish()

    async def stands_still() -> bool:
        return consumer.stands_still()

    async def is_gone() -> bool:
        return embedded.running(servers.data_dir).kafka is None

    await until("in the middle of a batch", stands_still)
    with monkeypatch.context() as patched:
        patched.setattr(ingest_kafka, "AIOKafkaProducer", impatient)
        at_point(patched, "ingest.send.after", lambda: servers.kafka.send(signal.SIGKILL))
        publishing = asyncio.create_task(feed.publish())
        await until("killed while sending", is_gone)
        consumer.send(signal.SIGCONT)
        before = consumer.used()
        await asyncio.sleep(AWAY_S)
        assert_calm(consumer.used().since(before))
        await asyncio.to_thread(servers.start_kafka)
        assert (await publishing).exit_status == 0
    await feed.applied()

    servers.kafka.send(signal.SIGTERM)
    await until("away", is_gone)
    publishing = asyncio.create_task(feed.publish())
    late = join()
    opening = asyncio.create_task(opened(feed))
    await asyncio.to_thread(servers.start_kafka)
    assert (await publishing).exit_status == 0
    await feed.applied()
    _log.info("all was applied %.1f s after Kafka's port opened", time.monotonic() - await opening)
    assert await feed.differences() == ()
    assert bugs([consumer, late]) == []


async def test_t40_a_silent_kafka_is_given_up_and_found_again(
    feed: Feed, servers: Servers, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T40: connections stay open and nothing answers, for longer than every time-out."""
    consumer = join(TEST_SHORT_TIMEOUTS="1")
    await feed.publish()
    await feed.applied()
    said = consumer.used().lines
    monkeypatch.setattr(publisher, "_DEADLINE_S", 2.0)
    with ExitStack() as silence, monkeypatch.context() as patched:
        silent = asyncio.Event()

        def fall_silent() -> None:
            silence.enter_context(servers.kafka.frozen())
            silent.set()

        at_point(patched, "ingest.send.after", fall_silent)
        publishing = asyncio.create_task(feed.publish())
        await silent.wait()
        before = consumer.used()

        async def has_noticed() -> bool:
            return consumer.used().lines > said

        await until("noticed", has_noticed)
        await asyncio.sleep(AWAY_S)
        assert_calm(consumer.used().since(before))
    assert (await publishing).exit_status == 0
    await feed.applied()
    assert await feed.differences() == ()
    assert bugs([consumer]) == []


async def test_t41_postgres_is_frozen_restarted_again_and_again_read_only_and_full(
    feed: Feed, servers: Servers, join: Join
) -> None:
    """T41: the consumer waits, no offset moves ahead of the tables, and no dead letter is made."""
    consumer = join(TEST_SHORT_TIMEOUTS="1", TEST_STILL_AT="consumer.apply.after")
    await feed.publish()

    async def stands_still() -> bool:
        return consumer.stands_still()

    await until("in the middle of a batch", stands_still)
    before = consumer.used()
    with servers.postgres.frozen():
        consumer.send(signal.SIGCONT)

        async def has_noticed() -> bool:
            return consumer.used().lines > before.lines + 1

        await until("noticed", has_noticed)
        await asyncio.sleep(AWAY_S)
        assert_calm(consumer.used().since(before))
    await feed.applied()

    before = consumer.used()
    publishing = asyncio.create_task(feed.publish())
    for away_s in (AWAY_S, 0.0, 0.0):
        await asyncio.to_thread(stop, servers.data_dir, "postgres")
        await asyncio.sleep(away_s)
        await asyncio.to_thread(servers.start_postgres)
    assert_calm(consumer.used().since(before))
    assert (await publishing).exit_status == 0
    await feed.applied()

    name, url = urlsplit(feed.database_url).path[1:], servers.start_postgres()
    gone = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608  both are ours
    for error, trouble, over in (
        (
            "it lets no more connections in",
            f"ALTER ROLE {OWNER} CONNECTION LIMIT 0",
            f"ALTER ROLE {OWNER} CONNECTION LIMIT -1",
        ),
        (
            "default_transaction_read_only is on",
            f"ALTER DATABASE {name} SET default_transaction_read_only = on",
            f"ALTER DATABASE {name} RESET default_transaction_read_only",
        ),
    ):

        async def has_met(error: str = error) -> bool:
            return error in consumer.said()

        before = consumer.used()
        await execute(url, trouble, gone)
        await feed.publish()
        await until(error, has_met)
        assert_calm(consumer.used().since(before))
        await execute(url, over)
        await feed.applied()
    assert await feed.differences() == ()
    assert bugs([consumer]) == []
