"""There is no room left for a while: for Postgres under a consumer (T43), or for everything.

`scripts/test --long` fills the disk of a whole `up`, too.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from members import ROOT, Feed, Member, bugs, until
from server_homes import put_away
from small_disks import small_disk

from console.embedded import servers
from console.inspect.database_reader import Unavailable, fetch_rows
from lab.expectations import QUERIES, judge
from lab.simulator import History, expected, history, serve_ftp, write_export
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


@pytest.mark.long
async def test_a_full_disk_under_everything_is_waited_for_and_told(tmp_path: Path) -> None:
    """Kafka, Postgres, the ingester and the consumers share it; nobody helps but with room."""
    ftp, log = tmp_path / "ftp", tmp_path / "up.log"
    ftp.mkdir()
    made = history(seed=43, pets=400, days=2)
    with (
        small_disk(tmp_path / "data", 420 * 1024) as disk,
        put_away(disk),
        serve_ftp(ftp, user=USER, password=PASSWORD) as server,
        log.open("wb") as output,
    ):
        write_export(ftp, made, 0)
        up = subprocess.Popen(  # noqa: ASYNC220  our own command, at once
            [sys.executable, "-m", "lab.soak.up", "2"],
            stdout=output, stderr=subprocess.STDOUT, cwd=tmp_path,
            env={name: os.environ[name] for name in ("PATH", "HOME")} | {
                "PYTHONPATH": str(ROOT),
                "PETSTREAM_FTP_URL": server.url,
                "PETSTREAM_DATA_DIR": str(disk),
                "PETSTREAM_WINDOW": "00:00-23:59",
                "PETSTREAM_SETTLE_S": "0",
                "PETSTREAM_PICTURES": "off",
                "PETSTREAM_CONSOLE": "127.0.0.1:0",
                "PETSTREAM_TEST_FREE_PORTS": "1",
            },
        )  # fmt: skip
        try:
            await _until_right(disk, made, 0, up)
            write_export(ftp, made, 1)
            filler, began = disk / "filler", time.monotonic()
            while time.monotonic() - began < 60:
                _fill(filler)
                await asyncio.sleep(1)
            assert up.poll() is None, log.read_text()
            assert "a disk is full" in log.read_text()
            filler.unlink()
            await _until_right(disk, made, 1, up)
        finally:
            up.terminate()
            status = up.wait(30)
    assert status == 0
    said = log.read_text()
    assert (
        re.findall(r"^.*(?:this is a bug|Traceback|SIGBUS|again and again).*$", said, re.MULTILINE)
        == []
    )


def _fill(path: Path) -> None:
    """Take what room there is."""
    with suppress(OSError), path.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(512))


async def _until_right(disk: Path, made: History, day: int, up: subprocess.Popen[bytes]) -> None:
    """Wait until the tables are as a day has left the feed."""
    began = time.monotonic()
    while time.monotonic() - began < 400:
        assert up.poll() is None
        url = servers.running(disk).database_url
        rows = None if url is None else await fetch_rows(url, QUERIES)
        if rows is not None and not isinstance(rows, Unavailable):
            differences = judge(expected(made, day), rows).differences
            if not differences:
                return
        await asyncio.sleep(1)
    raise AssertionError(f"day {day} isn't in the tables")
