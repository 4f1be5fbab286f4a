"""Postgres has no room left, for a while, under a consumer (T43)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from members import Feed, Member, bugs, until

from lab.simulator import history, serve_ftp
from petstream.settings import FtpUrl

pytestmark = pytest.mark.servers

USER, PASSWORD = "apikey-Ab3dEf9h", "canary-password"
FULL = """
    CREATE FUNCTION petstream.full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END
    $$;
    CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON petstream.pet_event
        FOR EACH ROW EXECUTE FUNCTION petstream.full_disk()"""
ROOM_AGAIN = "DROP FUNCTION petstream.full_disk CASCADE"


@pytest.fixture
def feed(tmp_path: Path, kafka: str, prefix: str, database_url: str) -> Iterator[Feed]:
    home = tmp_path / "ftp"
    home.mkdir()
    with serve_ftp(home, user=USER, password=PASSWORD) as server:
        ftp = FtpUrl(USER, PASSWORD, "127.0.0.1", server.port, "", tls=False)
        yield Feed(
            history(seed=43, pets=60, days=2), home,
            ftp=ftp, kafka=kafka, database_url=database_url, prefix=prefix,
        )  # fmt: skip


async def execute(url: str, statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


async def test_t43_a_full_disk_is_waited_for_and_nothing_is_parked_or_lost(
    feed: Feed, tmp_path: Path
) -> None:
    """T43: what Postgres says then (SQLSTATE 53100) is trouble with a server, not with a pet."""
    consumer = Member(feed, tmp_path / "member.log", TEST_MAX_RECORDS="20")
    try:
        await feed.publish()
        await feed.applied()
        before = await feed.positions()
        await execute(feed.database_url, FULL)
        await feed.publish()

        async def has_met_it_often() -> bool:
            return consumer.said().count("DiskFullError") > 2

        await until("no room", has_met_it_often)
        pets = {place for place in before if "pets" in place.topic}
        now = await feed.positions()
        assert {place: now[place] for place in pets} == {place: before[place] for place in pets}
        await execute(feed.database_url, ROOM_AGAIN)
        await feed.applied()
        assert await feed.differences() == ()
        assert bugs([consumer]) == []
    finally:
        consumer.done_with()
