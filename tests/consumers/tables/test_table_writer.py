"""The consumer tables where the log lost something, and where partitions were raised."""

from __future__ import annotations

import json
import logging
import random

import pytest
from handmade_events import Log, export_id, sequence
from msgspec.structs import replace
from table_world import PREFIX, TableWorld

from petstream import codec, topics
from petstream.events import Counts, ExportCounts, ExportEvent, Unstated, export_subject
from petstream.kafka.positions import end_behind
from petstream.kafka.records import ProducerRecord
from petstream.settings import KafkaAccess

RNG = random.Random(1)  # noqa: S311  no secret
LOG = Log(KafkaAccess("memory"), PREFIX)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> TableWorld:
    return TableWorld(monkeypatch)


def complete(world: TableWorld, day: int, *, snapshot: int, unstated: tuple[int, ...] = ()) -> None:
    ends = {
        str(place): end_behind(records[-1])
        for place, records in world.records.items()
        if records and place.topic == LOG.pets
    }
    event = ExportEvent(
        export_id=export_id(day), mode="scrub", state="completed",
        at=codec.decode(LOG.pet(1, day).headers, LOG.pet(1, day).value).time,
        counts=ExportCounts(Counts(), Counts()), base=snapshot // 4_000_000, ends=ends,
        snapshot=snapshot, unstated=Unstated(pets=unstated),
    )  # fmt: skip
    value = codec.encode(event)
    headers = codec.headers(
        type_="export.completed", subject=export_subject(export_id(day)),
        sequence=sequence(day, 9), export_id=export_id(day), digest=codec.digest(value),
        time=event.at,
    )  # fmt: skip
    key = export_id(day).encode()
    world.append(ProducerRecord(topics.EXPORTS.full_name(PREFIX), key, value, headers))


async def lost(world: TableWorld, *keys: int) -> None:
    """Let the table topic know pets that the log then loses."""
    for key in keys:
        world.append(LOG.pet(key, 1, op="added"))
    await (await world.connect()).drain(RNG)
    world.empty(LOG.pets)
    world.append(LOG.pet(9, 2, op="added"))


async def test_what_the_log_lost_stays_until_a_snapshot_and_is_asked_for(
    world: TableWorld,
) -> None:
    await lost(world, 1, 2)
    await (await world.connect()).drain(RNG)
    assert (set(world.table()), world.asked) == ({1, 2, 9}, 1)


async def test_what_a_snapshot_does_not_state_leaves_with_the_snapshots_sequence(
    world: TableWorld,
) -> None:
    await lost(world, 1, 2)
    complete(world, 2, snapshot=sequence(2, 0), unstated=(2,))
    await (await world.connect()).drain(RNG)
    assert (set(world.table()), world.asked) == ({2, 9}, 0)
    nulls = [
        record
        for place in world.places(topics.PET_TABLE.full_name(PREFIX))
        for record in world.records[place]
        if record.value is None
    ]
    assert [int(dict(record.headers)["ce_sequence"]) for record in nulls] == [sequence(2, 0)]


async def test_whom_postgres_still_lists_stays_until_a_person_has_decided(
    world: TableWorld,
) -> None:
    await lost(world, 1, 2)
    complete(world, 2, snapshot=sequence(2, 0))
    world.listed_in_postgres = {1}
    await (await world.connect()).drain(RNG)
    assert set(world.table()) == {1, 9}
    world.listed_in_postgres = set()
    await world.connect()
    assert set(world.table()) == {9}


async def test_an_event_that_only_restates_a_row_leaves_when_it_was_changed(
    world: TableWorld,
) -> None:
    world.append(LOG.pet(1, 1, op="added"))
    world.append(LOG.pet(2, 1, op="added"))
    member = await world.connect()
    await member.drain(RNG)
    world.append(LOG.pet(1, 2, restated=True))
    world.append(LOG.pet(2, 2, name="Fido"))
    await member.drain(RNG)
    rows = {key: json.loads(value) for key, value in world.table().items()}
    changed = {key: (row["sequence"], row["changed_at"]) for key, row in rows.items()}
    assert changed == {1: (sequence(2), export_id(1)), 2: (sequence(2), export_id(2))}


async def test_a_removal_whose_null_the_table_topic_lost_is_said_again(world: TableWorld) -> None:
    world.append(LOG.pet(1, 1, op="added"))
    world.append(LOG.pet(1, 2, op="removed"))
    await (await world.connect()).drain(RNG)
    assert world.sent == 0  # a row that nobody ever saw needs no null
    world.append(LOG.pet(2, 1, op="added"))
    await (await world.connect()).drain(RNG)
    world.append(LOG.pet(2, 2, op="removed"))
    await (await world.connect()).drain(RNG)
    (place,) = [
        place for place in world.places(topics.PET_TABLE.full_name(PREFIX)) if world.records[place]
    ]
    world.lose_tail(place, 1)
    assert set(world.table()) == {2}
    await world.connect()
    assert set(world.table()) == set()


async def test_records_in_partitions_of_other_keys_are_told_and_not_written_again(
    world: TableWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.append(LOG.pet(1, 1, op="added"))
    await (await world.connect()).drain(RNG)
    sent = world.sent
    (place,) = [
        place for place in world.places(topics.PET_TABLE.full_name(PREFIX)) if world.records[place]
    ]
    other = place._replace(partition=(place.partition + 1) % 4)
    world.records[other] = [
        replace(record, topic_partition=other) for record in world.records.pop(place)
    ]
    world.records[place] = []
    world.ends[place], world.ends[other] = 0, world.ends[place]
    with caplog.at_level(logging.WARNING):
        await world.connect()
    assert "petstream table-topics rebuild" in caplog.text
    assert world.sent == sent
