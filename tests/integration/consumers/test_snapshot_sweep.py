"""What a snapshot doesn't state again has left: swept, held, or asked for."""

from __future__ import annotations

import asyncio
import json
import secrets
from datetime import datetime
from typing import NamedTuple

import asyncpg
import pytest
from handmade_events import DAY, START, export_id, picture, sequence
from handmade_house import House
from lossy_kafka import LossyKafka

from console.act import audit as command
from console.act.removals import decide
from consumers.audit.compare import audit
from consumers.audit.repair import repair
from consumers.audit.settlement import Auditor, settle_once
from consumers.audit.sweep_decision import approve, reject
from consumers.engine.runner import RunContext
from petstream import codec
from petstream.errors import UsageError
from petstream.events import SnapshotRequest, Unstated
from petstream.kafka.client import ensure_topics
from petstream.kafka.reader import read_topic
from petstream.metrics import exposition
from petstream.setting_values import RemovalLimits
from petstream.topics import REQUESTS

pytestmark = pytest.mark.servers

SNAPSHOT = sequence(2, 0)


@pytest.fixture
async def house(lossy_kafka: LossyKafka, database_url: str, prefix: str) -> House:
    await ensure_topics(lossy_kafka.access, prefix)
    return House(lossy_kafka, database_url, prefix)


async def lose_and_restate(
    house: House, *stay: int, lost: int, unstated: Unstated | None = None
) -> None:
    """Apply pets and two shelters, lose some pets (and a shelter), and state the others again."""
    log = house.log
    gone = [log.pet(100 + key, 0, pictures=[picture(key)]) for key in range(lost)]
    await log.send(*(log.pet(key, 0) for key in stay), log.org(7, 0), *gone, log.org(8, 0))
    await house.drain()
    await house.kafka.cut((house.pets0, len(stay)), (house.orgs0, 1))
    await log.send(*(log.pet(key, 2, restated=True) for key in stay), log.org(7, 2, restated=True))
    await log.complete(2, snapshot=SNAPSHOT, unstated=unstated)


async def removals(
    house: House, capsys: pytest.CaptureFixture[str], action: str, plan_id: str | None, **by: str
) -> str:
    """Return what `petstream removals --json` prints."""
    await decide(
        house.settings, house.kafka.access, action, plan_id, database_url=house.url,
        as_json=True, **by,
    )  # fmt: skip
    return capsys.readouterr().out


async def requests(house: House) -> list[SnapshotRequest]:
    """Return what was asked."""
    records = await read_topic(house.kafka.access, REQUESTS.full_name(house.prefix))
    events = [codec.decode(record.headers, record.value).event for record in records]
    return [event for event in events if isinstance(event, SnapshotRequest)]


async def test_what_left_unseen_is_swept_from_every_table_once_the_snapshot_is_applied(
    house: House,
) -> None:
    await lose_and_restate(house, 1, 2, lost=1)
    await house.drain()
    assert await house.names() == {1: "Rex", 2: "Rex"}
    (removed,) = await house.sql("SELECT * FROM petstream.removed_pets")
    assert (removed["animal_id"], removed["sequence"]) == (100, SNAPSHOT)
    assert (removed["removed_at"], removed["export_id"]) == (START + 2 * DAY, export_id(2))
    assert [row["org_id"] for row in await house.sql("SELECT * FROM petstream.organizations")] == [
        7
    ]
    (pictures,) = await house.sql("SELECT * FROM petstream.picture_set WHERE animal_id = 100")
    assert (pictures["left_at"], pictures["sequence"]) == (START + 2 * DAY, SNAPSHOT)
    result = await audit(house.kafka.access, house.url, house.prefix)
    assert result.equal, list(command.described(result))
    assert await requests(house) == [], "what is below the newest snapshot isn't asked for"


async def test_a_tombstone_of_a_sweep_gives_way_to_whatever_is_said_from_the_snapshot_on(
    house: House,
) -> None:
    await lose_and_restate(house, 1, lost=1)
    await house.drain()
    assert await house.names() == {1: "Rex"}
    await house.log.send(house.log.pet(100, 2, position=0, name="Back"))
    await house.drain()
    assert await house.names() == {1: "Rex", 100: "Back"}


async def test_what_the_feed_lists_and_a_snapshot_could_not_state_stays_as_it_is(
    house: House,
) -> None:
    await lose_and_restate(house, 1, lost=2, unstated=Unstated(pets=(100,), orgs=(8,)))
    await house.drain()
    assert await house.names() == {1: "Rex", 100: "Rex"}
    assert len(await shelters(house)) == 2
    result = await audit(house.kafka.access, house.url, house.prefix)
    assert result.equal, list(command.described(result))
    assert result.unstated == 3, "a pet, its pictures, and a shelter"
    await house.log.complete(3, snapshot=SNAPSHOT)
    await house.drain()
    assert await house.names() == {1: "Rex"}, "until a later export says otherwise"


async def test_a_sweep_takes_nothing_that_the_log_lists_however_far_the_consumers_are(
    house: House,
) -> None:
    await lose_and_restate(house, 1, 2, lost=1)
    context = RunContext(
        kafka=house.kafka.access, database_url=house.url, prefix=house.prefix, drain=True,
        stopping=asyncio.Event(), progress=lambda _name, _records: None,
    )  # fmt: skip
    limits = RemovalLimits(house.settings.removal_max_share, house.settings.removal_max_count)
    await settle_once(Auditor(context, "off", limits))
    assert await house.names() == {1: "Rex", 2: "Rex"}, "the restated ones aren't applied yet"
    rows = await house.sql("SELECT sequence FROM petstream.pets")
    assert [row["sequence"] for row in rows] == [sequence(0)] * 2
    await house.drain()
    rows = await house.sql("SELECT sequence FROM petstream.pets")
    assert [row["sequence"] for row in rows] == [sequence(2)] * 2


async def test_nothing_is_swept_when_the_records_that_the_snapshot_names_were_lost_as_well(
    house: House,
) -> None:
    await lose_and_restate(house, 1, 2, lost=1)
    await house.kafka.cut((house.pets0, 3))
    await house.log.send(house.log.pet(5, 2), house.log.pet(6, 2))
    await house.drain()
    assert await house.names() == {1: "Rex", 2: "Rex", 5: "Rex", 6: "Rex", 100: "Rex"}
    asked = [request.sequence for request in await requests(house)]
    assert asked == [], "it is the ingester that finds this loss: nothing is ahead of the log"


async def test_a_sweep_above_the_limits_is_held_until_a_person_decides(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    await lose_and_restate(house, *range(1, 21), lost=5)
    await house.drain()
    assert len(await house.names()) == 25
    (plan,) = await house.sql("SELECT * FROM petstream.removal_plans")
    plan_id = f"{export_id(2)}.sweep"
    assert (plan["plan_id"], plan["state"], plan["removals"]) == (plan_id, "held", 5)
    assert "5 of 25 pets would go, more than PETSTREAM_REMOVAL_MAX_SHARE=0.1" in plan["reason"]
    result = await audit(house.kafka.access, house.url, house.prefix)
    assert {difference.kind for difference in result.differences} == {"left"}
    assert plan_id in "\n".join(command.described(result))
    await house.drain()
    assert len(await house.sql("SELECT * FROM petstream.removal_plans")) == 1, "held once"
    assert b"petstream_sweeps_held 1.0" in exposition()
    capsys.readouterr()
    (listed,) = json.loads(await removals(house, capsys, "list", None))["plans"]
    assert (listed["planId"], listed["state"], listed["count"]) == (plan_id, "held", 5)
    document = json.loads(await removals(house, capsys, "show", plan_id))
    assert [removal["key"] for removal in document["removals"]] == [*range(100, 105)]
    assert "it would remove 5 pets:\n  100  Rex  (organization 7)" in document["text"]
    document = json.loads(
        await removals(house, capsys, "approve", plan_id, by="me", reason="the shelter closed")
    )
    assert (document["state"], document["removed"]) == ("approved", 5)
    assert await house.names() == dict.fromkeys(range(1, 21), "Rex")
    assert (await audit(house.kafka.access, house.url, house.prefix)).equal
    (kept,) = await house.sql("SELECT * FROM petstream.sweep_plan")
    decided = kept["state"], kept["decided_by"], kept["decision_reason"]
    assert decided == ("approved", "me", "the shelter closed")
    with pytest.raises(UsageError, match="approved already"):
        await reject(house.url, plan_id, by="me", reason=None)


async def test_a_rejected_sweep_keeps_its_pets_until_a_newer_snapshot(house: House) -> None:
    await lose_and_restate(house, *range(1, 21), lost=5)
    await house.drain()
    await reject(house.url, f"{export_id(2)}.sweep", by=None, reason=None)
    await house.drain()
    assert len(await house.names()) == 25
    result = await audit(house.kafka.access, house.url, house.prefix)
    assert result.equal, list(command.described(result))
    later = sequence(4, 0)
    await house.log.send(*(house.log.pet(key, 4, restated=True) for key in range(1, 21)))
    await house.log.send(house.log.org(7, 4, restated=True))
    await house.log.complete(4, snapshot=later)
    await house.drain()
    (_, second) = await house.sql("SELECT * FROM petstream.sweep_plan ORDER BY created_at")
    assert (second["plan_id"], second["state"]) == (f"{export_id(4)}.sweep", "held")


async def test_a_newer_snapshot_supersedes_a_held_sweep(house: House) -> None:
    await lose_and_restate(house, *range(1, 21), lost=5)
    await house.drain()
    log = house.log
    await log.send(*(log.pet(key, 4, restated=True) for key in [*range(1, 21), *range(100, 105)]))
    await log.send(log.org(7, 4, restated=True))
    await log.complete(4, snapshot=sequence(4, 0))
    await house.drain()
    (plan,) = await house.sql("SELECT * FROM petstream.sweep_plan")
    assert plan["state"] == "superseded"
    assert len(await house.names()) == 25
    with pytest.raises(UsageError, match="superseded already"):
        await approve(house.url, plan["plan_id"], by="me", reason=None)


async def test_rows_that_the_log_does_not_know_are_asked_for_at_every_start_until_a_snapshot_pays(
    house: House,
) -> None:
    log = house.log
    await log.send(log.pet(1, 0), log.pet(2, 1), log.pet(3, 1))
    await house.drain()
    await house.kafka.cut((house.pets0, 1))
    await house.drain()
    (asked,) = await requests(house)
    assert (asked.asked_by, asked.sequence) == (f"{house.prefix}audit", sequence(1))
    result = await audit(house.kafka.access, house.url, house.prefix)
    assert result.losses.question is not None
    assert b"petstream_snapshot_asked 1.0" in exposition()
    assert f"a snapshot above {sequence(1)}" in "\n".join(command.described(result))
    await house.drain()
    assert [again.sequence for again in await requests(house)] == [sequence(1)] * 2
    await log.send(log.pet(1, 2, restated=True), log.pet(2, 2, restated=True))
    await log.complete(2, snapshot=SNAPSHOT)
    await house.drain()
    assert await house.names() == {1: "Rex", 2: "Rex"}
    assert len(await requests(house)) == 2, "it is paid: nothing is asked again"
    assert b"petstream_snapshot_asked 0.0" in exposition()
    assert (await audit(house.kafka.access, house.url, house.prefix)).equal


async def test_tables_put_back_from_a_dump_older_than_the_snapshot_are_swept_all_the_same(
    house: House,
) -> None:
    log = house.log
    await log.send(log.pet(1, 0), log.pet(2, 0), log.pet(3, 0), log.org(7, 0))
    await house.drain()
    dump = await copied(house)
    await house.kafka.cut((house.pets0, 2))
    await log.send(log.pet(1, 2, restated=True), log.pet(2, 2, name="New", restated=True))
    await log.send(log.org(7, 2, restated=True))
    await log.complete(2, snapshot=SNAPSHOT)
    await house.drain()
    await log.send(log.pet(4, 3))
    await log.complete(3, snapshot=SNAPSHOT)
    await house.drain()
    newest = await house.names()
    assert newest == {1: "Rex", 2: "New", 4: "Rex"}
    house.url = dump
    await house.drain()
    assert await house.names() == newest


async def test_a_subscriber_that_begins_in_the_middle_of_a_snapshot_ends_with_the_same_rows(
    house: House,
) -> None:
    log = house.log
    await log.send(log.pet(1, 0), log.pet(2, 0), log.pet(3, 0))
    await log.complete(0)
    await house.drain()
    await log.send(log.pet(1, 2, restated=True))
    first, house.url = house.url, await copied(house)
    await emptied(house)
    await house.drain()
    assert await house.names() == {1: "Rex", 2: "Rex", 3: "Rex"}
    await log.send(log.pet(2, 2, name="New", restated=True), log.pet(3, 2, op="removed"))
    await log.complete(2, snapshot=SNAPSHOT)
    await house.drain()
    begun_late = await house.names()
    house.url = first
    await house.drain()
    assert await house.names() == begun_late == {1: "Rex", 2: "New"}


async def test_one_stale_position_keeps_only_its_own_tables_from_repair(house: House) -> None:
    log = house.log
    await log.send(log.pet(1, 0), log.pet(2, 0))
    await log.complete(0)
    await house.drain()
    await house.sql(
        "UPDATE petstream.consumer_position SET next_offset = 900 "
        "WHERE consumer = 'images' AND topic = $1", log.pets,
    )  # fmt: skip
    await house.sql("DELETE FROM petstream.pet WHERE animal_id = 1")
    await house.sql("DELETE FROM petstream.picture_set WHERE animal_id = 2")
    result = await audit(house.kafka.access, house.url, house.prefix)
    assert any("consumer images" in line for line in result.lost)
    assert [(each.table, each.key) for each in result.differences] == [("pets", 1), ("pictures", 2)]
    assert await repair(result.repairable, house.kafka.access, house.url, "off") == []
    result = await audit(house.kafka.access, house.url, house.prefix)
    assert [(each.table, each.key) for each in result.differences] == [("pictures", 2)]


async def test_what_is_only_stated_again_changes_nothing_that_a_person_sees(house: House) -> None:
    log = house.log
    await log.send(log.pet(1, 0, pictures=[picture(11)]), log.pet(2, 0), log.org(7, 0))
    await house.drain()
    await house.sql("UPDATE petstream.pet_picture SET status = 'stored', stored_as = 'x'")
    before, shelters_before = await shown(house), await shelters(house)
    await log.send(
        log.pet(1, 2, pictures=[picture(11)], restated=True),
        log.pet(2, 2, name="Missed", restated=True), log.org(7, 2, restated=True),
    )  # fmt: skip
    await house.drain()
    after = await shown(house)
    assert after[1] == before[1] == Shown(START, 1, "stored")
    assert await shelters(house) == shelters_before == [(7, START)]
    assert after[2] == Shown(START + 2 * DAY, 1, None), "what was missed did change"
    await emptied(house)
    await house.drain()
    assert await shown(house) == after, "also when both are read in one batch"
    assert await shelters(house) == shelters_before


class Shown(NamedTuple):
    """When a pet changed, how many rows its history has, and how its picture stands."""

    changed_at: datetime
    events: int
    picture: str | None


async def shown(house: House) -> dict[int, Shown]:
    """Return what a person sees of each pet, but for its own fields."""
    history = await house.sql("SELECT animal_id, count(*) FROM petstream.pet_history GROUP BY 1")
    events = {row["animal_id"]: row["count"] for row in history}
    pictures = await house.sql("SELECT animal_id, status FROM petstream.pet_picture")
    status = {row["animal_id"]: row["status"] for row in pictures}
    return {
        (key := row["animal_id"]): Shown(row["changed_at"], events[key], status.get(key))
        for row in await house.sql("SELECT * FROM petstream.pets")
    }


async def shelters(house: House) -> list[tuple[int, datetime]]:
    """Return the listed shelters, and when they changed."""
    rows = await house.sql("SELECT org_id, changed_at FROM petstream.organization WHERE listed")
    return [(row["org_id"], row["changed_at"]) for row in rows]


async def emptied(house: House) -> None:
    """Make the consumers begin anew; what pictures are stored stays known."""
    await house.sql("DELETE FROM petstream.consumer_position WHERE consumer <> 'images'")
    await house.sql("DELETE FROM petstream.pet")
    await house.sql("DELETE FROM petstream.organization")


async def copied(house: House) -> str:
    """Return the URL of a copy of the database, as a dump that was put back is one."""
    name = f"dump_{secrets.token_hex(4)}"
    at, _, template = house.url.rpartition("/")
    connection = await asyncpg.connect(f"{at}/postgres")
    try:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    finally:
        await connection.close()
    return f"{at}/{name}"
