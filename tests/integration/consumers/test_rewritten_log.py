"""Consumers whose log isn't the one they knew: cut and regrown, put back, made anew, repartitioned.

The Kafka is this module's own.
"""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from handmade_events import sequence
from handmade_house import House
from lossy_kafka import LossyKafka
from members import until

from consumers.engine import runner
from consumers.registry import NAMES
from petstream.kafka.client import ensure_topics
from petstream.topics import PETS

pytestmark = pytest.mark.servers


@pytest.fixture
async def house(lossy_kafka: LossyKafka, database_url: str, prefix: str) -> House:
    await ensure_topics(lossy_kafka.access, prefix)
    return House(lossy_kafka, database_url, prefix)


EVERY_LOSS: set[tuple[str, str, int]] = {(name, "lost", 3) for name in NAMES}


async def test_a_tail_that_was_lost_and_grew_again_is_read_from_the_beginning(
    house: House,
) -> None:
    pet = house.log.pet
    await house.log.send(pet(1, 0), pet(2, 0), pet(3, 0, name="Lost"))
    await house.drain()
    assert await house.names() == {1: "Rex", 2: "Rex", 3: "Lost"}
    await house.kafka.cut((house.pets0, 1))
    await house.log.send(pet(2, 1, name="New"), pet(4, 1, name="Unseen"), pet(5, 1), pet(6, 1))
    await house.drain()
    assert await house.rewritten() == EVERY_LOSS
    shown = await house.names()
    assert (shown[2], shown[4]) == ("New", "Unseen"), "below the old position, above its loss"
    assert shown.keys() == {1, 2, 3, 4, 5, 6}, "nothing is deleted for a lost record"


async def test_a_log_that_ends_before_the_position_is_a_loss_and_stays_one_when_it_grew(
    house: House,
) -> None:
    pet = house.log.pet
    await house.log.send(pet(1, 0), pet(2, 0), pet(3, 0))
    await house.drain()
    await house.kafka.cut((house.pets0, 2))
    await house.drain()
    assert await house.rewritten() == EVERY_LOSS
    assert {await house.offset(name) for name in NAMES} == {2}, "read again, up to the end"
    await house.log.send(pet(3, 0, name="Other"))
    await house.drain()
    assert (await house.names())[3] in {"Rex", "Other"}
    assert await house.rewritten() == EVERY_LOSS, "and found once"


@pytest.mark.logs_errors("aiokafka forgets a commit that was on its way when Kafka was killed")
async def test_a_directory_put_back_under_running_consumers_is_found_when_they_reach_it_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_PROBE_EVERY_S", 3_600.0)
    pet = house.log.pet
    async with house.running():
        await house.log.send(pet(1, 0))
        await house.shows({1: "Rex"})
        await house.kafka.copy()
        await house.log.send(pet(2, 0), pet(3, 0))
        await house.shows({1: "Rex", 2: "Rex", 3: "Rex"})
        await house.all_are_at(3)
        await house.kafka.put_back()
        await house.log.send(*(pet(key, 1, name="New") for key in (4, 5, 6)))
        await house.shows({1: "Rex", 2: "Rex", 3: "Rex", 4: "New", 5: "New", 6: "New"})

        async def has_looked() -> bool:
            open_marks = "SELECT FROM petstream.rewritten_position WHERE settled_at IS NULL"
            return not await house.sql(open_marks)

        await until("the audit has looked at what was found", has_looked)
        (question,) = await house.sql("SELECT sequence FROM petstream.snapshot_question")
        assert question["sequence"] == sequence(0), "two pets are in no log any more"
        await house.has_rewritten(EVERY_LOSS)


async def test_a_topic_made_anew_under_running_consumers_is_read_when_it_has_records(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_PROBE_EVERY_S", 3_600.0)
    pet = house.log.pet
    async with house.running():
        await house.log.send(pet(1, 0), pet(2, 0), pet(3, 0))
        await house.shows({1: "Rex", 2: "Rex", 3: "Rex"})
        await house.all_are_at(3)
        await house.kafka.make_anew(house.log.pets, house.prefix)
        await house.log.send(pet(1, 1, name="New"), pet(4, 1, name="New"))
        await house.shows({1: "New", 2: "Rex", 3: "Rex", 4: "New"})
        await house.has_rewritten(EVERY_LOSS)


async def test_a_topic_made_anew_and_left_empty_is_noticed_within_half_a_minute(
    house: House,
) -> None:
    pet = house.log.pet
    async with house.running():
        await house.log.send(pet(1, 0), pet(2, 0), pet(3, 0))
        await house.shows({1: "Rex", 2: "Rex", 3: "Rex"})
        await house.all_are_at(3)
        await house.kafka.make_anew(house.log.pets, house.prefix)
        async with asyncio.timeout(40):
            await house.has_rewritten(EVERY_LOSS)
    assert await house.names() == {1: "Rex", 2: "Rex", 3: "Rex"}


async def test_partitions_that_are_added_are_read_from_their_beginnings_without_a_restart(
    house: House,
) -> None:
    pet = house.log.pet
    async with house.running():
        await house.log.send(pet(1, 0))
        await house.shows({1: "Rex"})
        admin = AIOKafkaAdminClient(bootstrap_servers=house.kafka.access.bootstrap)
        await admin.start()
        await admin.create_partitions({house.log.pets: NewPartitions(24)})
        await admin.close()

        async def can_be_sent() -> bool:
            await house.log.send(pet(2, 0, partition=20))
            return True

        await until("a new partition takes records", can_be_sent)
        async with asyncio.timeout(35):
            await house.shows({1: "Rex", 2: "Rex"})
    assert await house.rewritten() == set()


async def test_a_position_of_0_1_is_believed_and_learns_its_record_with_the_next_batch(
    house: House,
) -> None:
    pet = house.log.pet
    await house.log.send(pet(1, 0), pet(2, 0), pet(3, 0))
    await house.drain()
    await house.sql("UPDATE petstream.consumer_position SET record_id = NULL, timestamp_ms = 0")
    await house.sql("DELETE FROM petstream.pet")
    await house.log.send(pet(4, 1))
    await house.drain()
    assert await house.names() == {4: "Rex"}, "nothing before the position was read again"
    (known,) = await house.sql(
        "SELECT DISTINCT record_id FROM petstream.consumer_position WHERE topic = $1",
        house.log.pets,
    )
    assert known["record_id"].endswith("/pet/4/" + known["record_id"].rpartition("/")[2])
    await house.kafka.cut((house.pets0, 3))
    await house.log.send(pet(5, 1))
    await house.drain()
    assert await house.rewritten() == {(name, "lost", 4) for name in NAMES}


@pytest.mark.parametrize(
    ("timestamp_ms", "standing"), [(1_700_000_000_000, "unknown"), (None, "lost")]
)
async def test_a_record_that_is_gone_is_a_loss_only_if_it_is_too_young_to_be_compacted_away(
    house: House, timestamp_ms: int | None, standing: str
) -> None:
    pet = house.log.pet
    await house.log.send(pet(1, 0), pet(2, 0), pet(3, 0))
    await house.drain()
    admin = AIOKafkaAdminClient(bootstrap_servers=house.kafka.access.bootstrap)
    await admin.start()
    # records are deleted by hand where a policy says that they may be deleted at all
    configs = PETS.configs | {"cleanup.policy": "compact,delete", "retention.ms": "-1"}
    topic = ConfigResource(ConfigResourceType.TOPIC, house.log.pets, configs=configs)
    await admin.alter_configs([topic])
    await admin.delete_records({house.pets0: RecordsToDelete(3)})
    await admin.close()
    await house.sql(
        "UPDATE petstream.consumer_position SET timestamp_ms = coalesce($1, timestamp_ms)",
        timestamp_ms,
    )
    await house.log.send(pet(4, 1))
    await house.drain()
    assert await house.rewritten() == {(name, standing, 3) for name in NAMES}
    assert await house.names() == {1: "Rex", 2: "Rex", 3: "Rex", 4: "Rex"}
