"""The consumers against a real Kafka and a real Postgres."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from msgspec import structs

from consumers.admin.lag import lag
from consumers.app import consume
from consumers.engine.migrate import migrate, missing_migrations
from consumers.engine.queries import queries
from consumers.engine.runner import Consumer, RunContext, run
from consumers.engine.subscription import Rebalances, subscribed
from consumers.pets import history, removals
from consumers.pictures import wanted
from consumers.registry import Name
from petstream import codec, topics
from petstream.errors import PetstreamError
from petstream.events import (
    Counts,
    ExportCounts,
    ExportEvent,
    OrganizationEvent,
    PetEvent,
    Plan,
    PlanEvent,
    Source,
)
from petstream.kafka.client import ensure_topics
from petstream.kafka.records import ConsumerRecord, ProducerRecord, TopicPartition
from petstream.kafka.writer import send_all
from petstream.model import Organization, Pet, Picture, Rendition
from petstream.settings import KafkaAccess, Settings

pytestmark = pytest.mark.servers

START = datetime(2026, 11, 20, 8, 12, 4, tzinfo=UTC)
VIEWS = {
    "pets": "*", "organizations": "*", "pet_pictures": "*", "removed_pets": "*",
    "pet_history": "*", "exports": "*", "removal_plans": "*", "dead_letters": "*",
}  # fmt: skip


def record(  # noqa: PLR0913, PLR0917  what an event is made of
    topic: str, type_: str, subject: str, sequence: int, event: Any, day: int
) -> ConsumerRecord:
    value = codec.encode(event)
    headers = codec.headers(
        type_=type_, subject=subject, sequence=sequence, export_id=f"export-{day}",
        digest=codec.digest(value), time=START + timedelta(days=day),
    )  # fmt: skip
    return ConsumerRecord(
        TopicPartition(topic, 0), sequence, subject.partition("/")[2].encode(), value, headers
    )


def pet(
    op: Any, animal_id: int, day: int, name: str | None = "Rex", pictures: Any = ()
) -> ConsumerRecord:
    event = PetEvent(
        op=op, animal_id=animal_id, sequence=1_000 + day, first_seen_at=START,
        pet=Pet(animal_id=animal_id, org_id=7, name=name, pictures=pictures, extra={"new": [1]}),
        changed=("name",) if op == "updated" else (), old={"name": "Old"} if day else {},
        source=Source(f"export-{day}", "daily", "updatedpets_1.json", 1),
    )  # fmt: skip
    return record("pets.v1", f"pet.{op}", f"pet/{animal_id}", event.sequence, event, day)


def org(op: Any, org_id: int, day: int, name: str) -> ConsumerRecord:
    event = OrganizationEvent(
        op=op, org_id=org_id, sequence=1_000 + day, first_seen_at=START,
        organization=Organization(org_id=org_id, name=name),
        source=Source(f"export-{day}", "daily", "orgs_1.json", 1),
    )  # fmt: skip
    return record(
        "orgs.v1", f"organization.{op}", f"organization/{org_id}", 1_000 + day, event, day
    )


def export(
    state: Any, day: int, hours: int, plan: Plan | None = None, *, sequence: int | None = None
) -> ConsumerRecord:
    event = ExportEvent(
        export_id=f"export-{day}", mode="daily", state=state, plan=plan,
        at=START + timedelta(days=day, hours=hours), counts=ExportCounts(Counts(hours), Counts()),
    )  # fmt: skip
    number = day if sequence is None else sequence
    return record("exports.v1", f"export.{state}", f"export/export-{day}", number, event, day)


def decided(decision: Any, day: int, part: int = 0) -> ConsumerRecord:
    event = PlanEvent(
        plan_id="plan", export_id=f"export-{day}", decision=decision, at=START + timedelta(days=9)
    )
    subject = f"removal-plan/plan/{part}" if part else f"export/export-{day}"
    return record("exports.v1", f"removals.{decision}", subject, day + part, event, day)


def picture(ident: int, position: int, day: int) -> Picture:
    url = f"https://cdn.example/{ident}-{position}.jpg"
    return Picture(ident, position, START + timedelta(days=day), Rendition(url))


LIFE = (
    pet("added", 1, 0, pictures=(picture(11, 1, 0), picture(12, 2, 0))),
    pet("updated", 1, 1, "Max", pictures=(picture(12, 1, 1),)),
    pet("removed", 1, 2),
    pet("added", 2, 0, pictures=(picture(21, 1, 0),)),
    pet("removed", 2, 1),
    pet("relisted", 2, 2, "Back", pictures=(picture(21, 1, 0), picture(22, 2, 2))),
    pet("updated", 3, 1, "One"),
    pet("updated", 3, 1, "Two of the same sequence"),
    org("added", 7, 0, "Shelter"),
    org("updated", 7, 1, "Better shelter"),
    org("added", 8, 0, "Closing"),
    org("removed", 8, 1, "Closing"),
    export("started", 0, 0),
    export("failed", 0, 1),
    export("started", 0, 2),
    export("completed", 0, 3),
    export("completed", 0, 5),
    export("started", 1, 0),
    export("failed", 1, 1),
    export("held", 1, 1, Plan("plan", 1, 2, (1, 2, 3))),
    export("held", 1, 1, Plan("plan", 2, 2, (4,))),
    decided("approved", 1),
    # as 0.2 says it: a plan once more after a crash, and decided for each part; a clock put back
    export("held", 1, 2, Plan("plan", 1, 2, (1, 2, 3, 5)), sequence=12),
    decided("approved", 1, part=1),
    decided("approved", 1, part=2),
    export("started", 2, 5, sequence=20),
    export("failed", 2, 3, sequence=21),
)


async def apply(connection: Any, records: Sequence[ConsumerRecord], rng: random.Random) -> None:
    """Apply records in some order, some of them twice, cut into batches, by all consumers."""
    consumers: list[Consumer[Any]] = [history.CONSUMER, removals.CONSUMER, wanted.consumer(None)]
    for consumer in rng.sample(consumers, 3):
        sent = [*records, *rng.sample(records, len(records) // 3)]
        rng.shuffle(sent)
        names = {topic.name for topic in consumer.topics}
        mine = [record for record in sent if record.topic in names]
        while mine:
            size = rng.randrange(1, 9)
            batch, mine = mine[:size], mine[size:]
            items = [item for record in batch if (item := consumer.read(record)) is not None]
            await consumer.apply(connection, items)


async def content(connection: Any) -> dict[str, list[tuple[Any, ...]]]:
    return {
        view: [tuple(row) for row in await connection.fetch(f"SELECT {columns} FROM petstream.{view} ORDER BY 1, 2")]  # noqa: S608, E501  the names are literals above
        for view, columns in VIEWS.items()
    }  # fmt: skip


async def test_any_order_and_any_duplicates_end_in_the_same_tables(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        first: dict[str, list[tuple[Any, ...]]] = {}
        for seed in range(40):
            transaction = connection.transaction()
            await transaction.start()
            await apply(connection, LIFE, random.Random(seed))  # noqa: S311  a schedule, no secret
            ending = await content(connection)
            await transaction.rollback()
            first = first or ending
            assert ending == first, f"seed {seed}"
    finally:
        await connection.close()
    assert [row[0] for row in first["pets"]] == [2, 3]
    assert [row[:2] for row in first["pet_pictures"]] == [(2, 21), (2, 22)]
    assert [(row[0], row[4]) for row in first["removed_pets"]] == [(1, "Rex")]
    assert len(first["pet_history"]) == 7
    assert [row[1] for row in first["organizations"]] == ["Better shelter"]
    assert [row[2] for row in first["exports"]] == ["completed", "failed", "failed"]
    assert [(row[2], row[4]) for row in first["removal_plans"]] == [("approved", 5)]


async def test_every_query_fits_the_migrated_tables(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        for name, text in queries().items():
            prepared = await connection.prepare(text)
            assert prepared.get_query() == text, name
    finally:
        await connection.close()


async def test_a_second_migration_has_nothing_to_do(database_url: str) -> None:
    assert await missing_migrations(database_url) == []
    assert await migrate(database_url) == []


class Stage:
    """The topics of one test, and its consumers."""

    def __init__(self, kafka: str, database_url: str, prefix: str) -> None:
        """Name the servers."""
        self.kafka, self.database_url, self.prefix = KafkaAccess(kafka), database_url, prefix

    async def publish(self, topic: topics.Topic, records: Sequence[ConsumerRecord]) -> None:
        """Publish records as they are."""
        await ensure_topics(self.kafka, self.prefix)
        name = topic.full_name(self.prefix)
        sent = [
            ProducerRecord(name, record.key, record.value, record.headers) for record in records
        ]
        await send_all(self.kafka, sent)

    async def consume(self, *names: Name) -> None:
        """Run consumers until they have applied all there is."""
        await consume(
            names, Settings(topic_prefix=self.prefix), kafka=self.kafka,
            database_url=self.database_url, drain=True, stopping=asyncio.Event(),
        )  # fmt: skip

    def context(self) -> RunContext:
        """Where a consumer of this stage runs, by itself, until it has applied all there is."""
        return RunContext(
            self.kafka, self.database_url, self.prefix, drain=True, stopping=asyncio.Event(),
            progress=lambda _name, _records: None,
        )  # fmt: skip

    async def fetch(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database."""
        connection = await asyncpg.connect(self.database_url)
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()


@pytest.fixture
def stage(kafka: str, database_url: str, prefix: str) -> Stage:
    return Stage(kafka, database_url, prefix)


async def test_only_refused_records_become_dead_letters_and_others_are_applied(
    stage: Stage,
) -> None:
    records = [pet("added", number, 0) for number in range(1, 61)]
    records[20] = pet("added", 21, 0, name="a NUL \0 that Postgres refuses")
    records[40] = structs.replace(records[40], value=b"{not json")
    await stage.publish(topics.PETS, records)
    await stage.consume("pets")
    await stage.consume("pets")
    listed = {row[0] for row in await stage.fetch("SELECT animal_id FROM petstream.pets")}
    assert listed == set(range(1, 61)) - {21, 41}
    letters = await stage.fetch("SELECT id, origin, reason FROM petstream.dead_letters ORDER BY 3")
    assert sorted(row[0] for row in letters) == ["0", "1"]
    assert [row[2] for row in letters] == ["postgres-22021", "value"]
    assert all(row[1].startswith(f"{stage.prefix}pets.v1/") for row in letters)
    lags = await lag(stage.kafka, stage.prefix)
    assert {partition.lag for partition in lags if partition.consumer == "pets"} == {0}


async def test_a_database_that_was_emptied_is_filled_again_though_its_group_is_ahead(
    stage: Stage,
) -> None:
    await stage.publish(topics.PETS, [pet("added", number, 0) for number in range(1, 31)])
    await stage.consume("pets")
    await stage.fetch("DELETE FROM petstream.pet")
    await stage.fetch("DELETE FROM petstream.consumer_position")
    await stage.consume("pets")
    assert await stage.fetch("SELECT count(*) FROM petstream.pets") == [(30,)]


async def test_a_rebalance_before_the_first_commit_skips_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rebalance puts a member back to the group's offsets, which are ahead of this database."""
    await stage.publish(topics.PETS, [pet("added", number, 0) for number in range(1, 1_501)])
    await stage.consume("pets")
    await stage.fetch("DELETE FROM petstream.pet")
    await stage.fetch("DELETE FROM petstream.consumer_position")
    in_hand, shared, whole_again = asyncio.Event(), asyncio.Event(), asyncio.Event()
    count = Rebalances.on_partitions_assigned

    def assigned(self: Rebalances, places: set[Any]) -> None:
        count(self, places)
        if not in_hand.is_set():
            return
        if len(places) < 9:
            shared.set()
        elif shared.is_set():
            whole_again.set()

    async def apply_late(connection: Any, items: Sequence[Any]) -> None:
        in_hand.set()
        await whole_again.wait()
        await history.CONSUMER.apply(connection, items)

    monkeypatch.setattr(Rebalances, "on_partitions_assigned", assigned)
    slow = Consumer("pets", history.CONSUMER.topics, history.CONSUMER.read, apply_late)
    names = [topic.full_name(stage.prefix) for topic in history.CONSUMER.topics]
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(run(slow, stage.context()))
        await in_hand.wait()
        async with subscribed(stage.kafka, f"{stage.prefix}pets", names):
            await shared.wait()
    assert await stage.fetch("SELECT count(*) FROM petstream.pets") == [(1_500,)]


async def test_pictures_that_are_known_keep_what_is_known_of_them(stage: Stage) -> None:
    before = (picture(11, 1, 0), picture(12, 2, 0))
    await stage.publish(topics.PETS, [pet("added", 1, 0, pictures=before)])
    await stage.consume("pets", "images")
    await stage.fetch("UPDATE petstream.pet_picture SET status = 'stored'")
    after = (picture(11, 2, 0), picture(12, 1, 3), picture(13, 3, 0))
    await stage.publish(topics.PETS, [pet("updated", 1, 1, pictures=after)])
    await stage.consume("pets", "images")
    pictures = await stage.fetch(
        "SELECT picture_id, position, status FROM petstream.pet_pictures ORDER BY 1"
    )
    assert pictures == [(11, 2, "stored"), (12, 1, "due"), (13, 3, "due")]


async def test_an_event_of_an_unknown_version_stops_the_consumer(stage: Stage) -> None:
    newer = pet("added", 1, 0)
    headers = tuple(
        (name, b"2.0" if name == "ce_specversion" else value) for name, value in newer.headers
    )
    await stage.publish(topics.PETS, [structs.replace(newer, headers=headers)])
    with pytest.raises(PetstreamError, match="update petstream"):
        await stage.consume("pets")
    assert (
        await stage.fetch("SELECT * FROM petstream.consumer_position WHERE next_offset > 0") == []
    )


async def test_a_record_of_somebody_else_becomes_a_dead_letter(stage: Stage) -> None:
    ours = pet("added", 1, 0)
    headers = tuple(
        (name, b"/elsewhere" if name == "ce_source" else value) for name, value in ours.headers
    )
    await stage.publish(topics.PETS, [structs.replace(ours, headers=headers), pet("added", 2, 0)])
    await stage.consume("pets")
    assert await stage.fetch("SELECT animal_id FROM petstream.pets") == [(2,)]


async def test_a_database_that_is_behind_its_group_catches_up(stage: Stage) -> None:
    """As after its restoration from a backup."""
    await stage.publish(topics.PETS, [pet("added", number, 0) for number in range(1, 11)])
    await stage.consume("pets")
    saved = await stage.fetch(
        "SELECT topic, partition, next_offset FROM petstream.consumer_position"
    )
    await stage.publish(topics.PETS, [pet("updated", number, 1, "New") for number in range(1, 11)])
    await stage.consume("pets")
    await stage.fetch("DELETE FROM petstream.pet WHERE sequence > 0")
    for topic, partition, offset in saved:
        await stage.fetch(
            f"UPDATE petstream.consumer_position SET next_offset = {offset} "  # noqa: S608  our own
            f"WHERE topic = '{topic}' AND partition = {partition}"
        )
    await stage.consume("pets")
    assert await stage.fetch("SELECT DISTINCT name FROM petstream.pets") == [("New",)]


async def test_a_killed_connection_to_postgres_costs_nothing(stage: Stage) -> None:
    await stage.publish(topics.PETS, [pet("added", number, 0) for number in range(1, 1_501)])
    killed = False

    async def apply(connection: Any, items: Sequence[Any]) -> None:
        nonlocal killed
        await history.CONSUMER.apply(connection, items)
        if not killed:
            killed = True
            await stage.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    consumer = Consumer("pets", history.CONSUMER.topics, history.CONSUMER.read, apply)
    await run(consumer, stage.context())
    assert await stage.fetch("SELECT count(*) FROM petstream.pets") == [(1_500,)]
    assert await stage.fetch("SELECT * FROM petstream.dead_letters") == []


async def test_a_consumer_told_to_stop_finishes_its_batch(stage: Stage) -> None:
    await stage.publish(topics.PETS, [pet("added", number, 0) for number in range(1, 1_501)])
    context = stage.context()

    async def apply(connection: Any, items: Sequence[Any]) -> None:
        context.stopping.set()
        await history.CONSUMER.apply(connection, items)

    await run(Consumer("pets", history.CONSUMER.topics, history.CONSUMER.read, apply), context)
    (applied,) = await stage.fetch("SELECT count(*) FROM petstream.pets")
    (moved,) = await stage.fetch("SELECT sum(next_offset) FROM petstream.consumer_position")
    assert 0 < applied[0] < 1_500
    assert moved == applied


async def test_a_consumer_told_to_stop_does_not_wait_for_a_kafka_that_is_away(
    database_url: str, prefix: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listening
        away = KafkaAccess(f"127.0.0.1:{taken.getsockname()[1]}")
        stopping = asyncio.Event()
        asyncio.get_running_loop().call_later(0.5, stopping.set)
        async with asyncio.timeout(10):
            await consume(
                ["pets"], Settings(topic_prefix=prefix), kafka=away, database_url=database_url,
                stopping=stopping,
            )  # fmt: skip


async def test_too_many_refused_records_stop_the_consumer_and_move_nothing(stage: Stage) -> None:
    broken = [structs.replace(pet("added", number, 0), value=b"{") for number in range(1, 200)]
    await stage.publish(topics.PETS, broken)
    with pytest.raises(PetstreamError, match="records were refused"):
        await stage.consume("pets", "deletions")
    ((moved,),) = await stage.fetch(
        "SELECT sum(next_offset) FROM petstream.consumer_position WHERE consumer = 'pets'"
    )
    assert (moved or 0) <= 20


async def test_a_database_that_was_not_migrated_is_named_in_one_line(
    kafka: str, postgres: str, prefix: str
) -> None:
    stage = Stage(kafka, postgres, prefix)
    with pytest.raises(PetstreamError, match="run 'petstream migrate'"):
        await stage.consume("pets")
