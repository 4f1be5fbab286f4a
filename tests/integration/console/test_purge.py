"""A purge against a real Kafka, a real Postgres and real files: what goes, what stays."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from moto.server import ThreadedMotoServer

from console.act import purge_targets
from console.act.purge import delete
from console.act.purge_targets import Locations, RunningError
from consumers.admin import purge
from consumers.engine.subscription import subscribed
from consumers.pictures.store.directory import DirectoryStore
from consumers.pictures.store.factory import open_store
from lab.simulator import history, serve_ftp, write_export
from petstream import topics
from petstream.errors import PetstreamError
from petstream.kafka import admin as kafka_admin
from petstream.kafka.client import ensure_topics
from petstream.kafka.records import ProducerRecord
from petstream.kafka.writer import send_all
from petstream.settings import KafkaAccess

pytestmark = pytest.mark.servers

HASH = "ab" * 32
PASSWORD = "canary-of-the-account"


class Stage:
    """A run of petstream that has something everywhere, and things beside that aren't ours."""

    def __init__(self, home: Path, kafka: str, database_url: str, prefix: str) -> None:
        """Make the files; the servers are filled by `run`."""
        self.home, self.kafka, self.prefix = home, KafkaAccess(kafka), prefix
        self.database_url = database_url
        self.pictures = home / "data" / "pictures"
        self.strangers = [
            self.pictures / "readme.txt",
            self.pictures / "ab" / "ab" / "holiday.jpg",
            home / "data" / "archive" / "notes" / "mine.txt",
        ]
        for path in self.strangers:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("not ours")
        (self.pictures / "ab" / "ab" / f"{HASH}.jpg.0123abcd.part").write_bytes(b"half")

    @property
    def locations(self) -> Locations:
        """Where a purge looks."""
        return Locations(
            self.prefix, self.home / "data" / "archive", self.kafka, self.database_url,
            self.pictures.as_uri(),
        )  # fmt: skip

    async def find_targets(self) -> list[purge_targets.PurgeTarget]:
        """Look everywhere."""
        return await purge_targets.find_targets(self.locations, datetime.now(UTC))

    def command(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a person would; nobody sits at the terminal."""
        environment = os.environ | {
            "PETSTREAM_KAFKA": self.kafka.bootstrap,
            "PETSTREAM_DATABASE_URL": self.database_url,
            "PETSTREAM_TOPIC_PREFIX": self.prefix,
            "PETSTREAM_DATA_DIR": str(self.home / "data"),
            "PETSTREAM_ARCHIVE_DAYS": "10000",
            "PETSTREAM_SETTLE_S": "0",
            **more,
        }
        return subprocess.run(  # noqa: S603  our own command
            [sys.executable, "-m", "console", *words],
            env=environment, check=False, capture_output=True, text=True, timeout=100,
            stdin=subprocess.DEVNULL, cwd=Path(__file__).parents[3],
        )  # fmt: skip

    async def fill(self) -> None:
        """Put a little everywhere, without a feed."""
        await ensure_topics(self.kafka, self.prefix)
        record = ProducerRecord(topics.PETS.full_name(self.prefix), b"1", b"{}", ())
        await send_all(self.kafka, [record])
        for part in ("pets", "images"):
            name = topics.PETS.full_name(self.prefix)
            async with subscribed(self.kafka, f"{self.prefix}{part}", [name]) as subscription:
                await subscription.commit(dict.fromkeys(await subscription.partitions([name]), 0))
        store = DirectoryStore(self.pictures)
        await store.put(f"ab/ab/{HASH}.jpg", b"picture")
        await store.put(f"ab/ab/{HASH}.320.jpg", b"small")
        raw = self.home / "data" / "archive" / "2026-11-20T08-12-04Z" / "pets_1.json.zst"
        raw.parent.mkdir(parents=True)
        raw.write_bytes(b"raw")

    async def sql(self, statement: str) -> None:
        """Do something in the database."""
        connection = await asyncpg.connect(self.database_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@asynccontextmanager
async def admin(stage: Stage) -> AsyncIterator[Any]:
    client = AIOKafkaAdminClient(bootstrap_servers=stage.kafka.bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
def stage(tmp_path: Path, kafka: str, database_url: str, prefix: str) -> Stage:
    return Stage(tmp_path, kafka, database_url, prefix)


def test_a_whole_run_is_purged_by_command_and_nothing_is_left(
    tmp_path: Path, kafka: str, prefix: str, databases: Callable[[], str]
) -> None:
    """The API's terms: when they end, everything derived from the feed is deleted."""
    stage = Stage(tmp_path, kafka, databases(), prefix)
    write_export(tmp_path / "ftp", history(pets=40, days=1), 0)
    with serve_ftp(tmp_path / "ftp", user="apikey-Key7", password=PASSWORD) as server:
        url = f"ftp://apikey-Key7:{PASSWORD}@127.0.0.1:{server.port}/"
        assert stage.command("ingest", PETSTREAM_FTP_URL=url).returncode == 0
    off = {"PETSTREAM_PICTURES": "off"}
    assert stage.command("consume", "all", "--drain", **off).returncode == 0

    wrong = stage.command("purge", "--confirm", "purge petstream.")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    asked = stage.command("purge")
    assert asked.returncode == 2
    assert f"add --confirm 'purge {prefix}'" in asked.stderr
    assert "table pet: 40 rows" in asked.stdout
    assert "1 exports" in asked.stdout
    assert stage.command("status", "--json").returncode == 0

    done = stage.command("purge", "--confirm", f"purge {prefix}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("deleted: ") == 5
    again = stage.command("purge", "--confirm", f"purge {prefix}")
    assert again.returncode == 0
    assert again.stdout.count("  nothing\n") == 5
    secrets = [PASSWORD, urlsplit(stage.database_url).password or PASSWORD]
    for ended in (wrong, asked, done, again):
        assert not [secret for secret in secrets if secret in ended.stdout + ended.stderr]

    assert not asyncio.run(purge.count_kafka(stage.kafka, prefix))
    assert not asyncio.run(purge.count_schema(stage.database_url))
    left = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert sorted(left) == sorted(stage.strangers)
    assert stage.command("migrate").returncode == 0


async def test_only_what_is_ours_goes(stage: Stage) -> None:
    """Topics, groups, files and tables of others stay, also under the same prefix."""
    await stage.fill()
    foreign = f"{stage.prefix}adopters.v1"
    async with admin(stage) as client:
        await client.create_topics([NewTopic(foreign, 1, 1)])
        async with subscribed(stage.kafka, f"{stage.prefix}site", [foreign]) as subscription:
            await subscription.commit(dict.fromkeys(await subscription.partitions([foreign]), 0))
        await stage.sql("CREATE TABLE public.adopters AS SELECT 1 AS one")
        await stage.sql("CREATE VIEW public.shown AS SELECT animal_id FROM petstream.pets")

        targets = await stage.find_targets()
        assert "view public.shown, which isn't ours, but shows our tables" in targets[1].contents
        assert targets[2].contents == ("3 files of pictures and thumbnails",)
        assert await delete(targets) == 0
        assert foreign in await client.list_topics()
        groups = {name for name, _ in await client.list_consumer_groups()}
    assert {group for group in groups if group.startswith(stage.prefix)} == {f"{stage.prefix}site"}
    assert all(path.exists() for path in stage.strangers)
    await stage.sql("SELECT * FROM public.adopters")
    assert [target.contents for target in await stage.find_targets()] == [()] * 5


async def test_nothing_is_deleted_while_a_consumer_runs(stage: Stage) -> None:
    """Looked at before the question, and once more behind it."""
    await stage.fill()
    targets = await stage.find_targets()
    name = topics.PETS.full_name(stage.prefix)
    async with subscribed(stage.kafka, f"{stage.prefix}pets", [name]) as subscription:
        await subscription.poll(timeout_ms=5_000)
        with pytest.raises(RunningError, match=f"the group {stage.prefix}pets has members"):
            await stage.find_targets()
        with pytest.raises(RunningError, match="stop petstream everywhere"):
            await delete(targets)
        assert await purge.count_schema(stage.database_url)
    assert [len(target.contents) for target in await stage.find_targets()] == [
        len(target.contents) for target in targets
    ]


async def test_a_purge_that_was_cut_off_goes_on_where_it_was(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed behind the topics: the second run finds the groups, the tables and the files."""
    await stage.fill()
    real = kafka_admin.delete_groups

    async def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(kafka_admin, "delete_groups", killed)
    with pytest.raises(KeyboardInterrupt):
        await delete(await stage.find_targets())
    monkeypatch.setattr(kafka_admin, "delete_groups", real)
    targets = await stage.find_targets()
    assert targets[0].contents == (f"group {stage.prefix}images", f"group {stage.prefix}pets")
    assert targets[1].delete
    assert await delete(targets) == 0
    assert await delete(targets) == 0  # what was found before is gone: harmless
    assert [target.delete for target in await stage.find_targets()] == [None] * 5


async def test_what_cannot_be_reached_is_told_and_the_rest_is_deleted(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 1 as long as something remains."""
    await stage.fill()
    nowhere = "postgresql://me:s3cret-canary@127.0.0.1:1/pets"
    locations = replace(stage.locations, database_url=nowhere)
    targets = await purge_targets.find_targets(locations, datetime.now(UTC))
    assert await delete(targets) == 1
    printed = capsys.readouterr()
    assert "not deleted: Postgres at 127.0.0.1:1, schema petstream of pets" in printed.err
    assert "s3cret" not in printed.out + printed.err + repr(targets)
    assert await purge.count_schema(stage.database_url)
    assert await delete(await stage.find_targets()) == 0


async def test_a_step_that_fails_is_told_and_the_others_are_done(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Postgres refuses in the middle."""
    await stage.fill()

    async def refuses(_: str) -> None:
        raise PetstreamError("Postgres refuses")

    targets = await stage.find_targets()
    monkeypatch.setattr(purge, "drop_schema", refuses)
    assert await delete(targets) == 1
    printed = capsys.readouterr()
    assert "Postgres refuses" in printed.err
    assert printed.out.count("deleted: ") == 3
    monkeypatch.undo()
    assert [bool(target.delete) for target in await stage.find_targets()] == [
        False,
        True,
        False,
        False,
        False,
    ]


async def test_a_bucket_is_emptied_of_pictures_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under its prefix, and nothing beside."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        url = "http://{}:{}".format(*server.get_host_and_port())
        for name, value in {
            "AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "canary-id", "AWS_SECRET_ACCESS_KEY": "canary-secret",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        for path in ("pictures", "pictures/home/ab/ab/backup.jpg", "pictures/other.txt"):
            asked = Request(f"{url}/{path}", b"not ours", method="PUT")  # noqa: S310  our own server
            with await asyncio.to_thread(urlopen, asked, timeout=10):
                pass
        store = open_store("s3://pictures/home")
        for number in range(40):
            await store.put(f"ab/ab/{'ab' * 31}{number:02x}.jpg", b"picture")
        assert await purge.count_pictures("s3://pictures/home") == 40
        assert await purge.delete_pictures("s3://pictures/home") == 40
        assert await purge.count_pictures("s3://pictures/home") == 0
        left = [file.key async for file in store.files("ab/")]
        assert left == ["ab/ab/backup.jpg"]
    finally:
        server.stop()
