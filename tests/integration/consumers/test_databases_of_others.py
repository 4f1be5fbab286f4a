"""Databases as others have them: another encoding, a pooler, users who may only read, firewalls.

Each works, or is refused at once by a line that is the same from whoever goes there.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from handmade_events import Log
from poolers import pooled

from console.doctor.postgres import check_postgres
from console.inspect.database_reader import Unavailable, fetch_rows
from consumers.app import consume
from consumers.audit import schedule
from consumers.audit.compare import compare
from consumers.engine import postgres as doors
from consumers.engine.backoff import Retry
from consumers.engine.migrate import check_migrated, migrate
from consumers.engine.postgres import AwayError, NotWritableError, connected, rows_of
from petstream.errors import PetstreamError
from petstream.kafka.client import ensure_topics
from petstream.settings import KafkaAccess, Settings

pytestmark = pytest.mark.servers


async def execute(url: str, *statements: str) -> list[Any]:
    connection = await asyncpg.connect(
        url, server_settings={"default_transaction_read_only": "off"}
    )
    try:
        return [await connection.fetch(statement) for statement in statements]
    finally:
        await connection.close()


@asynccontextmanager
async def database(postgres: str, options: str) -> AsyncIterator[str]:
    name = f"test_{secrets.token_hex(4)}"
    await execute(postgres, f"CREATE DATABASE {name} TEMPLATE template0 {options}")
    try:
        yield urlsplit(postgres)._replace(path=f"/{name}").geturl()
    finally:
        await execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def role(url: str, *grants: str) -> AsyncIterator[str]:
    """Make a user with these rights; give the URL of the database for it."""
    name = f"role_{secrets.token_hex(4)}"
    await execute(url, f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
    await execute(url, *(grant.format(role=name) for grant in grants))
    parts = urlsplit(url)
    try:
        yield parts._replace(netloc=f"{name}:x@{parts.hostname}:{parts.port}").geturl()
    finally:
        await execute(url, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


async def drained(kafka: str, url: str, prefix: str) -> None:
    settings = Settings(topic_prefix=prefix, pictures="off")
    await consume(
        ("pets", "deletions", "images"), settings, kafka=KafkaAccess(kafka), database_url=url,
        drain=True, stopping=asyncio.Event(),
    )  # fmt: skip


async def lines(url: str, kafka: str, prefix: str) -> list[str]:
    """Return what migrate, a consumer and doctor say; each has a second for it."""
    said = []
    for work in (migrate(url), drained(kafka, url, prefix)):
        with pytest.raises(PetstreamError) as caught:
            async with asyncio.timeout(5):
                await work
        said.append(str(caught.value))
    (failed,) = [result for result in await check_postgres(url) if result.state == "fail"]
    return [*said, failed.what]


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP", "WIN1251"])
async def test_o2_a_database_of_another_encoding_is_refused_by_one_line(
    postgres: str, kafka: str, prefix: str, encoding: str
) -> None:
    """O2: 16 of 300 pets were parked under status 0, without a line."""
    await ensure_topics(KafkaAccess(kafka), prefix)
    async with database(postgres, f"ENCODING '{encoding}' LOCALE_PROVIDER libc LOCALE 'C'") as url:
        said = await lines(url, kafka, prefix)
        reading = await fetch_rows(url, {})
        assert isinstance(reading, Unavailable)
        said.append(reading.reason)
    assert len(set(said)) == 1
    assert f"keeps this database in {encoding}" in said[0]


PROCESSES = 4


@pytest.fixture(params=["session", "transaction"])
def through_a_pooler(request: pytest.FixtureRequest, database_url: str) -> Iterator[str]:
    size = "20" if request.param == "session" else str(PROCESSES)
    with pooled(database_url, pool_mode=request.param, default_pool_size=size) as url:
        yield url


async def left_behind(url: str) -> list[Any]:
    """Return what was left on the processes of the server that a pooler lends."""
    left: list[Any] = []
    connections = [await asyncpg.connect(url, statement_cache_size=0) for _ in range(PROCESSES)]
    for connection in connections:  # each transaction has a process for itself
        await connection.execute("BEGIN")
    for connection in connections:
        left += await connection.fetch("SELECT * FROM pg_prepared_statements WHERE name <> ''")
        left += await connection.fetch("SELECT * FROM pg_locks WHERE locktype = 'advisory'")
        left += await connection.fetch(
            "SELECT * FROM pg_settings WHERE name ~ 'timeout|jit' AND setting <> reset_val"
        )
    for connection in connections:
        await connection.close()
    return left


async def test_o3_everything_works_through_a_pooler_and_leaves_nothing_there(
    through_a_pooler: str, kafka: str, prefix: str
) -> None:
    """O3: it ended in "a bug": a pooler lends a connection to others, with whatever is left on it.

    As here: another client of the same library, whose statements have the same names.
    """
    url = through_a_pooler
    log = Log(KafkaAccess(kafka), prefix)
    await ensure_topics(log.access, prefix)
    await log.send(*(log.pet(number, 0) for number in range(1, 40)))
    await log.complete(0)
    assert await migrate(url) == []
    await drained(kafka, url, prefix)
    async with connected(url) as connection, connected(url) as other:
        await asyncio.gather(*(each.fetchval("SELECT $1::int", 1) for each in (connection, other)))
        assert await connection.fetchval("SELECT count(*) FROM petstream.pets") == 39
    audit = await compare(log.access, url, prefix)
    assert audit.equal
    assert {result.state for result in await check_postgres(url)} == {"pass"}
    assert await left_behind(url) == []


async def test_o3_the_audit_is_one_processs_at_a_time_through_a_pooler(
    through_a_pooler: str,
) -> None:
    """O3: a lock of the session would stay with a process of the server that is lent to others."""
    url = through_a_pooler
    async with schedule.alone(url) as first, schedule.alone(url) as second:
        assert (first, second) == (True, False)
    async with schedule.alone(through_a_pooler) as third:
        assert third


async def test_o3_a_pooler_that_lends_for_one_statement_only_is_refused_by_what_to_set(
    database_url: str, kafka: str, prefix: str
) -> None:
    """O3: petstream needs transactions."""
    await ensure_topics(KafkaAccess(kafka), prefix)
    with pooled(database_url, pool_mode="statement") as url:
        said = await lines(url, kafka, prefix)
    assert len(set(said)) == 1
    assert "set pool_mode=transaction or pool_mode=session" in said[0]


async def test_o3_what_a_pooler_refuses_is_said_by_what_to_mend(database_url: str) -> None:
    """O3: it has one code for all of its errors, that of a broken protocol."""
    with pooled(database_url, pool_mode="transaction", max_client_conn="1") as url:
        parts = urlsplit(url)
        odd = {
            f"{url}?options=-c%20search_path%3Dx": "ignore_startup_parameters=options",
            f"{url}?sslmode=require": "offers no TLS",
            parts._replace(netloc=f"nobody:x@127.0.0.1:{parts.port}").geturl(): "mend the user",
            parts._replace(path="/nowhere").geturl(): "user, password or database|can't reach",
        }
        for wrong, said in odd.items():
            with pytest.raises(PetstreamError, match=said):
                await check_migrated(wrong)
        async with connected(url):
            with pytest.raises(AwayError, match="lets no more connections in"):
                await check_migrated(url)


@pytest.mark.parametrize("whose", ["user", "database"])
async def test_o7_a_database_that_is_read_only_is_refused_at_once(
    database_url: str, kafka: str, prefix: str, whose: str
) -> None:
    """O7: it was tried for 72 s, and then "a server was away"."""
    await ensure_topics(KafkaAccess(kafka), prefix)
    name = urlsplit(database_url).path[1:]
    everything = (
        "GRANT ALL ON SCHEMA petstream TO {role}",
        "GRANT ALL ON ALL TABLES IN SCHEMA petstream TO {role}",
    )
    async with role(database_url, *everything) as url:
        what = f"ROLE {urlsplit(url).username}" if whose == "user" else f"DATABASE {name}"
        await execute(database_url, f"ALTER {what} SET default_transaction_read_only = on")
        said = await lines(url, kafka, prefix)
        assert (await fetch_rows(url, {"one": ("SELECT 1 AS x", ())})) == {"one": [{"x": 1}]}
    assert len(set(said)) == 1
    assert "default_transaction_read_only is on" in said[0]


async def test_o7_a_user_who_may_only_read_is_refused_at_once(
    database_url: str, kafka: str, prefix: str
) -> None:
    """O7: it ended in "a bug in petstream"."""
    await ensure_topics(KafkaAccess(kafka), prefix)
    reads = (
        "GRANT USAGE ON SCHEMA petstream TO {role}",
        "GRANT SELECT ON ALL TABLES IN SCHEMA petstream TO {role}",
    )
    async with role(database_url, *reads) as url:
        _, consumer, doctor = await lines(url, kafka, prefix)
    assert consumer == doctor
    assert "this user may not write petstream's tables" in consumer


async def test_o7_a_user_who_may_not_make_the_schema_is_told(empty_database: str) -> None:
    """O7: migrate needs the owner of the database."""
    async with role(empty_database) as url:
        with pytest.raises(PetstreamError, match="connect as the owner of the schema"):
            await migrate(url)


async def test_o7_a_daemon_waits_for_a_database_that_becomes_the_primary(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """O7: after a failover the new primary looks like a standby for a moment."""
    name = urlsplit(database_url).path[1:]
    retry = Retry("consumer pets", asyncio.Event(), limited=False)
    await execute(database_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    async with retry, connected(database_url):
        pytest.fail("it can't be written")
    assert "default_transaction_read_only is on" in caplog.text
    admin = database_url + "?options=-c%20default_transaction_read_only%3Doff"
    async with connected(admin) as connection:
        await connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    async with retry, connected(database_url) as connection:
        assert await connection.fetchval("SELECT 1") == 1
    with pytest.raises(NotWritableError):
        async with Retry("x", asyncio.Event(), limited=True):
            raise NotWritableError


async def test_o10_a_connection_is_kept_alive_as_the_url_says(database_url: str) -> None:
    """O10: a firewall that forgets idle connections held up a day for 127 s."""
    for query, idle_s in {"": 30, "?keepalives_idle=7": 7}.items():
        async with connected(database_url + query) as connection:
            link = connection._transport.get_extra_info("socket")  # type: ignore[attr-defined]  # noqa: SLF001  in public there is no way to it
            assert link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == idle_s
            assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
    async with connected(f"{database_url}?keepalives=0") as connection:
        link = connection._transport.get_extra_info("socket")  # type: ignore[attr-defined]  # noqa: SLF001  the same
        assert link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0


async def test_o10_a_connection_that_leads_nowhere_is_noticed_within_seconds(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O10: a statement would wait for two minutes."""
    monkeypatch.setattr(doors, "_LOOK_S", 0.3)
    parts = urlsplit(database_url)
    passing = asyncio.Event()
    passing.set()
    pumps: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            if passing.is_set():
                writer.write(data)
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, there = await asyncio.open_connection(parts.hostname, parts.port)
        pumps.add(asyncio.create_task(pump(reader, there)))
        pumps.add(asyncio.create_task(pump(back, writer)))

    async with await asyncio.start_server(forward, "127.0.0.1", 0) as firewall:
        port = firewall.sockets[0].getsockname()[1]
        netloc = f"{parts.username}:{parts.password}@127.0.0.1:{port}"
        url = parts._replace(netloc=netloc, query="sslmode=disable").geturl()
        async with connected(url) as connection:
            await doors.look(connection)
            passing.clear()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(20):
                    await doors.look(connection)
            passing.set()
            connection.terminate()
        await asyncio.wait(pumps, timeout=10)


async def test_rows_are_given_in_order_whatever_is_fetched_at_a_time(database_url: str) -> None:
    async with connected(database_url) as connection, connection.transaction():
        for count in (0, 1, 4, 5):
            sql = f"SELECT generate_series AS x FROM generate_series(1, {count})"  # noqa: S608  a number
            rows = [row["x"] async for row in rows_of(connection, sql, prefetch=2)]
            assert rows == list(range(1, count + 1))
