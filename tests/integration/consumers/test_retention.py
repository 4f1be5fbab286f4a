"""What is forgotten of those that left, and of contacts, against a real Postgres."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from consumers.app import consume
from consumers.engine.queries import query
from consumers.engine.runner import Consumer
from consumers.pets import history, removals
from consumers.pets.retention import RetentionPolicy, forget_if_due
from consumers.pictures import wanted
from consumers.registry import NAMES
from petstream import codec, topics
from petstream.events import (
    Counts,
    ExportCounts,
    ExportEvent,
    OrganizationEvent,
    PetEvent,
    Source,
)
from petstream.kafka.client import ensure_topics
from petstream.kafka.records import ConsumerRecord, ProducerRecord, TopicPartition
from petstream.kafka.writer import send_all
from petstream.model import Organization, Pet, Picture, Rendition
from petstream.settings import KafkaAccess, Settings

pytestmark = pytest.mark.servers

START = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)
KEPT = {"animal_id", "org_id", "sequence", "digest", "listed", "removed_at", "export_id"}
MONTH = RetentionPolicy(30, contacts=False)
FOR_EVER = RetentionPolicy(None, contacts=False)
CONTACTS = {"contactName", "contactEmail"}


def name_of(day: int) -> str:
    return f"{START + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}"


def record(topic: str, type_: str, subject: str, event: Any, day: int) -> ConsumerRecord:
    value = codec.encode(event)
    headers = codec.headers(
        type_=type_, subject=subject, sequence=1_000 + day, export_id=name_of(day),
        digest=codec.digest(value), time=START + timedelta(days=day),
    )  # fmt: skip
    return ConsumerRecord(
        TopicPartition(topic, 0), day, subject.partition("/")[2].encode(), value, headers
    )


def pet(op: Any, day: int, animal_id: int = 1, name: str = "Rex") -> ConsumerRecord:
    picture = Picture(11, 1, START, Rendition("https://cdn.example/11.jpg"))
    event = PetEvent(
        op=op, animal_id=animal_id, sequence=1_000 + day, first_seen_at=START,
        pet=Pet(
            animal_id=animal_id, org_id=7, name=name, pictures=(picture,), description_text="d",
            contact_name="Jo", contact_email="jo@example.org", extra={"new": 1},
        ),
        changed=("name", "contactName") if op == "updated" else (),
        old={"name": "Old", "contactName": "Ann"} if op == "updated" else {},
        source=Source(name_of(day), "daily", "updatedpets_1.json", 1),
    )  # fmt: skip
    return record("pets.v1", f"pet.{op}", f"pet/{animal_id}", event, day)


def org(op: Any, day: int) -> ConsumerRecord:
    event = OrganizationEvent(
        op=op, org_id=7, sequence=1_000 + day, first_seen_at=START,
        organization=Organization(org_id=7, name="Shelter", phone="555", email="a@example.org"),
        source=Source(name_of(day), "daily", "orgs_1.json", 1),
    )  # fmt: skip
    return record("orgs.v1", f"organization.{op}", "organization/7", event, day)


def completed(day: int) -> ConsumerRecord:
    event = ExportEvent(
        export_id=name_of(day), mode="daily", state="completed", at=START,
        counts=ExportCounts(Counts(), Counts()),
    )  # fmt: skip
    return record("exports.v1", "export.completed", f"export/{name_of(day)}", event, day)


LIFE = (
    pet("added", 0), pet("updated", 1), pet("removed", 2),
    pet("added", 0, 2), pet("updated", 1, 2),
    org("added", 0), org("removed", 2),
)  # fmt: skip


class Tables:
    """A database, and the consumers that write it."""

    def __init__(self, connection: Any) -> None:
        """Use a connection."""
        self.connection = connection

    async def apply(self, *records: ConsumerRecord) -> None:
        """Let every consumer apply what concerns it."""
        consumers: list[Consumer[Any]] = [
            history.CONSUMER,
            removals.CONSUMER,
            wanted.consumer(None),
        ]
        for consumer in consumers:
            names = {topic.name for topic in consumer.topics}
            mine = [record for record in records if record.topic in names]
            items = [item for record in mine if (item := consumer.read(record)) is not None]
            await consumer.apply(self.connection, items)

    async def rows(self, query: str) -> list[dict[str, Any]]:
        """Ask."""
        return [dict(row) for row in await self.connection.fetch(query)]

    async def pet(self, animal_id: int = 1) -> dict[str, Any]:
        """Return a pet's row, whatever stands in it."""
        [row] = await self.rows(f"SELECT * FROM petstream.pet WHERE animal_id = {animal_id}")  # noqa: S608  a number
        return row

    async def old(self, animal_id: int = 1) -> list[Any]:
        """Return the old values of a pet's history."""
        rows = await self.rows(
            f"SELECT old FROM petstream.pet_event WHERE animal_id = {animal_id} ORDER BY sequence"  # noqa: S608  a number
        )
        return [json.loads(row["old"]) for row in rows]


@pytest.fixture
async def tables(database_url: str) -> AsyncIterator[Tables]:
    connection = await asyncpg.connect(database_url)
    yield Tables(connection)
    await connection.close()


def data_in(row: dict[str, Any], kept: set[str]) -> set[str]:
    return {name for name, value in row.items() if value is not None} - kept


async def test_a_pet_that_left_long_ago_is_forgotten_and_its_tombstone_stays(
    tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    """Columns, attributes, old values, pictures; one line, and none when nothing was left."""
    caplog.set_level(logging.INFO, "consumers.pets.retention")
    await tables.apply(*LIFE, completed(31))
    before = await tables.pet()
    await forget_if_due(tables.connection, MONTH)
    assert data_in(await tables.pet(), KEPT) == data_in(before, KEPT)

    await tables.apply(completed(32))
    await forget_if_due(tables.connection, MONTH)
    after = await tables.pet()
    assert data_in(after, KEPT) == set()
    assert after["org_id"] is None
    assert [after[name] for name in KEPT - {"org_id"}] == [
        before[name] for name in KEPT - {"org_id"}
    ]
    [shelter] = await tables.rows("SELECT * FROM petstream.organization")
    assert (
        data_in(shelter, {"org_id", "sequence", "digest", "listed", "removed_at", "export_id"})
        == set()
    )
    assert await tables.old() == [{}, {}, {}]
    held = await tables.rows("SELECT animal_id FROM petstream.pet_picture")
    assert held == [{"animal_id": 2}]
    assert len(await tables.rows("SELECT * FROM petstream.removed_pets")) == 1

    listed = await tables.pet(2)
    assert (listed["name"], listed["listed"]) == ("Rex", True)
    assert await tables.old(2) == [{}, {"name": "Old"}]  # but for the contact
    assert "pets 1, organizations 1, events 1, pictures 1" in caplog.records[-1].getMessage()
    lines = len(caplog.records)
    assert await forget_if_due(tables.connection, MONTH) is None
    assert len(caplog.records) == lines


async def test_no_column_is_left_out(tables: Tables) -> None:
    """Also one that a later migration adds."""
    for table, forget in (("pet", "forget_pets"), ("organization", "forget_organizations")):
        columns = await tables.rows(
            "SELECT column_name AS name FROM information_schema.columns"  # noqa: S608  a literal above
            f" WHERE table_schema = 'petstream' AND table_name = '{table}'"
        )
        key = "animal_id" if table == "pet" else "org_id"
        kept = {key, "sequence", "digest", "listed", "removed_at", "export_id"}
        nulled = re.findall(r"(\w+) = NULL", query(forget))
        assert sorted(nulled) == sorted({row["name"] for row in columns} - kept)


async def test_nothing_older_brings_a_forgotten_pet_back_and_a_relisted_one_is_whole(
    tables: Tables,
) -> None:
    await tables.apply(*LIFE, completed(40))
    await forget_if_due(tables.connection, MONTH)
    for late in (pet("added", 0), pet("updated", 1), pet("removed", 2)):
        await tables.apply(late)
        row = await tables.pet()
        assert (row["listed"], data_in(row, KEPT)) == (False, set())
    await tables.apply(pet("relisted", 41, name="Back"))
    row = await tables.pet()
    assert (row["listed"], row["name"], row["removed_at"], row["org_id"]) == (True, "Back", None, 7)
    assert json.loads(row["attributes"])["extra"] == {"new": 1}
    pictures = await tables.rows("SELECT status FROM petstream.pet_pictures WHERE animal_id = 1")
    assert pictures == [{"status": "due"}]
    await forget_if_due(tables.connection, RetentionPolicy(0, contacts=True))
    assert (await tables.pet())["name"] == "Back"


async def test_what_a_rebuild_brings_back_is_forgotten_at_the_next_look(tables: Tables) -> None:
    """The topics still hold the last known pet: its row comes again, and goes again."""
    await tables.apply(completed(40))
    await forget_if_due(tables.connection, MONTH)  # today's run is done, and the tables are empty
    await tables.apply(*LIFE)
    assert (await tables.pet())["name"] == "Rex"
    done = await forget_if_due(tables.connection, MONTH)
    assert done is not None
    assert (done.pets, done.events) == (1, 1)
    assert data_in(await tables.pet(), KEPT) == set()


async def test_history_that_a_replay_brings_back_is_forgotten_within_a_day(tables: Tables) -> None:
    await tables.apply(*LIFE, completed(40))
    await forget_if_due(tables.connection, MONTH)
    await tables.apply(pet("updated", 1))
    assert await tables.old() == [{}, {"name": "Old", "contactName": "Ann"}, {}]
    await tables.connection.execute(
        "UPDATE petstream.retention SET ran_at = ran_at - interval '25 hours'"
    )
    await forget_if_due(tables.connection, MONTH)
    assert await tables.old() == [{}, {}, {}]


@pytest.mark.parametrize(
    ("policy", "day", "gone"),
    [
        (RetentionPolicy(0, contacts=True), 2, True),
        (RetentionPolicy(1, contacts=True), 2, False),
        (RetentionPolicy(1, contacts=True), 3, True),
        (RetentionPolicy(None, contacts=True), 30_000, False),
        (RetentionPolicy(365, contacts=True), 366, False),
    ],
)
async def test_days_count_up_to_the_newest_completed_export(
    tables: Tables, policy: RetentionPolicy, day: int, *, gone: bool
) -> None:
    await tables.apply(*LIFE)
    await forget_if_due(tables.connection, policy)  # without an export nothing is forgotten
    assert (await tables.pet())["name"] == "Rex"
    await tables.apply(completed(day))
    await forget_if_due(tables.connection, policy)
    assert ((await tables.pet())["name"] is None) == gone


async def test_an_export_of_the_future_ages_nothing(tables: Tables) -> None:
    """A start stamp of the year 2107 isn't believed further than the clock."""
    left = (datetime.now(UTC) - START).days - 1
    await tables.apply(pet("added", 0), pet("removed", left), completed(30_000))
    await forget_if_due(tables.connection, MONTH)
    assert (await tables.pet())["name"] == "Rex"


async def test_contacts_go_when_they_are_not_published_any_more(tables: Tables) -> None:
    """Switched from publish to omit: listed pets too, rows and history, and only the contacts."""
    await tables.apply(*LIFE)
    await forget_if_due(tables.connection, FOR_EVER._replace(contacts=True))
    assert json.loads((await tables.pet(2))["attributes"]).keys() >= CONTACTS
    done = await forget_if_due(tables.connection, FOR_EVER)
    assert done is not None
    assert done.contacts == 4
    for animal_id in (1, 2):
        held = json.loads((await tables.pet(animal_id))["attributes"])
        assert not held.keys() & CONTACTS
        assert held["extra"] == {"new": 1}
        assert (await tables.old(animal_id))[1] == {"name": "Old"}
    assert await forget_if_due(tables.connection, FOR_EVER) is None


async def test_it_never_waits_for_a_row_that_somebody_holds(
    tables: Tables, database_url: str
) -> None:
    """A consumer in the middle of its batch: passed over now, forgotten at the next look."""
    await tables.apply(*LIFE, completed(40))
    other = await asyncpg.connect(database_url)
    try:
        async with other.transaction():
            await other.execute(
                "UPDATE petstream.pet SET export_id = export_id WHERE animal_id = 1"
            )
            async with asyncio.timeout(10):
                await forget_if_due(tables.connection, MONTH)
        assert (await tables.pet())["name"] == "Rex"
    finally:
        await other.close()
    await forget_if_due(tables.connection, MONTH)
    assert (await tables.pet())["name"] is None


async def test_many_are_forgotten_in_small_steps(tables: Tables) -> None:
    """Also of the same moment, and more than one step takes."""
    await tables.connection.execute(
        "INSERT INTO petstream.pet (animal_id, sequence, digest, listed, removed_at, export_id,"
        " name, first_seen_at, attributes) SELECT n, 1, 'd', false, $1, 'e', 'x', $1, '{}'"
        " FROM generate_series(1, 1203) AS n",
        START,
    )
    await tables.apply(completed(40))
    done = await forget_if_due(tables.connection, MONTH)
    assert done is not None
    assert done.pets == 1203
    assert await tables.rows("SELECT FROM petstream.pet WHERE name IS NOT NULL") == []


async def test_the_consumers_do_it_by_themselves(
    kafka: str, database_url: str, prefix: str
) -> None:
    """`consume --drain`, by the settings; a rebuild from the topics ends the same."""
    access = KafkaAccess(kafka)
    await ensure_topics(access, prefix)
    for topic in (topics.PETS, topics.ORGS, topics.EXPORTS):
        mine: Sequence[ConsumerRecord] = [
            record for record in (*LIFE, completed(40)) if record.topic == topic.name
        ]
        name = topic.full_name(prefix)
        await send_all(
            access,
            [ProducerRecord(name, record.key, record.value, record.headers) for record in mine],
        )
    settings = Settings(topic_prefix=prefix, removed_days=30, pictures="off")
    for _ in range(2):
        await consume(
            NAMES, settings, kafka=access, database_url=database_url,
            drain=True, stopping=asyncio.Event(),
        )  # fmt: skip
        connection = await asyncpg.connect(database_url)
        try:
            tables = Tables(connection)
            assert data_in(await tables.pet(), KEPT) == set()
            assert await tables.old() == [{}, {}, {}]
            for table in ("pet", "pet_event", "organization", "picture_set", "consumer_position"):
                await connection.execute(f"TRUNCATE petstream.{table}")
            await connection.execute("UPDATE petstream.retention SET ran_at = '-infinity'")
        finally:
            await connection.close()
