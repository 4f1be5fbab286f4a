"""What must be true when days without accidents have passed: log and tables are the feed's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulated.feed import Faults
from simulated.queries import Row
from simulated.world import World

from consumers.registry import NAMES, topics_of
from ingest.state.ledger import Ledger
from petstream import topics
from petstream.codec import Envelope, decode
from petstream.events import OrganizationEvent, PetEvent


def check(world: World, *, lost: bool) -> None:
    """See that everybody ended in the truth of the last whole export."""
    feed, tables = world.feed, world.database.tables
    pets = {key: str(row["name"]) for key, row in feed.pets.items()}
    orgs = {key: str(row["name"]) for key, row in feed.orgs.items()}
    _same("the log's pets", _of_log(world, topics.PETS, "pet"), pets)
    _same("the log's organisations", _of_log(world, topics.ORGS, "organization"), orgs)
    _same("the table of pets", _listed(tables["pet"]), pets)
    _same("the table of organisations", _listed(tables["organization"]), orgs)
    _check_pictures(world)
    _check_history(world)
    _check_last_records(world)
    if not (lost and feed.were_short):  # docs/reliability.md: a loss and a short list at once
        _check_removals(world)
    _check_positions(world)
    assert not world.database.set_back, world.database.set_back
    completed = [event.base for event in world.history().completed.values()]
    assert len(set(completed)) == len(completed), "two exports have one base"
    if not lost:
        assert not tables["rewritten_position"], tables["rewritten_position"]


async def check_quiet(world: World) -> None:
    """See that nothing is published of a feed that doesn't change."""
    before = dict(_ends(world))
    assert await world.ingest(world.process("ingester"))
    assert _ends(world) == before, "the same export was read again"
    await world.consume(world.process("consumers"), drain=False, for_s=60.0)
    assert not world.database.tables["snapshot_question"], "a snapshot is asked for still"
    world.feed.next_day(Faults(), changes=False)
    await world.wait(days=1)
    assert await world.ingest(world.process("ingester"))
    for topic in (topics.PETS, topics.ORGS):
        for place in world.broker.places([world.name(topic)]):
            grown = _ends(world)[place] - before[place]
            assert not grown, f"{place} grew by {grown} though nothing changed"


def _ends(world: World) -> dict[Any, int]:
    names = [world.name(topic) for topic in topics.ALL]
    return {place: world.broker.partition(place).end for place in world.broker.places(names)}


def _same(what: str, are: Mapping[int, Any], should_be: Mapping[int, Any]) -> None:
    missing = sorted(should_be.keys() - are.keys())
    extra = sorted(are.keys() - should_be.keys())
    other = [
        f"{key}: {are[key]}, not {should_be[key]}"
        for key in sorted(are.keys() & should_be.keys())
        if are[key] != should_be[key]
    ]
    differences = {"missing": missing, "extra": extra, "other": other}
    assert not any(differences.values()), f"{what}: {differences}"


def _of_log(world: World, topic: topics.Topic, record: str) -> dict[int, str]:
    ledger = Ledger()
    for place in world.broker.places([world.name(topic)]):
        for stored in world.broker.partition(place).records:
            assert ledger.fold(stored.key, stored.headers, stored.value, place.partition)
    names = {}
    for key in ledger.listed():
        entry = ledger.get(key)
        assert entry is not None
        names[key] = entry.event()[record]["name"]
    return names


def _listed(table: Mapping[int, Row]) -> dict[int, str]:
    return {key: row["name"] for key, row in table.items() if row["listed"]}


def _check_pictures(world: World) -> None:
    tables = world.database.tables
    current = {key for key, row in tables["picture_set"].items() if row["left_at"] is None}
    assert current == set(world.feed.pets), f"picture sets: {current ^ set(world.feed.pets)}"
    owners = {animal_id for animal_id, _ in tables["pet_picture"]}
    missing = world.feed.pets.keys() - owners  # those of who left stay for their days of grace
    assert not missing, f"pictures of {missing} are missing"


def _check_history(world: World) -> None:
    """See that every event of the log that isn't stated again is in the history."""
    history = world.database.tables["pet_event"]
    for place in world.broker.places([world.name(topics.PETS)]):
        for stored in world.broker.partition(place).records:
            envelope = _decoded(stored)
            event = envelope.event
            if isinstance(event, PetEvent) and not envelope.restated:
                row = history.get((event.animal_id, event.sequence))
                assert row is not None, f"the history lacks {event.op} of {event.animal_id}"
                assert row["digest"] >= envelope.digest, "the history has the lower digest"


def _check_last_records(world: World) -> None:
    """See that a key's last record in its own partition, or any, is its newest event."""
    for topic in (topics.PETS, topics.ORGS):
        newest: dict[bytes | None, Any] = {}
        last: dict[Any, Any] = {}
        for place in world.broker.places([world.name(topic)]):
            for stored in world.broker.partition(place).records:
                rank = _decoded(stored).rank
                newest[stored.key] = max(rank, newest.get(stored.key, rank))
                last[stored.key, place.partition] = rank
        for key, rank in newest.items():
            lasts = [of for (owner, _), of in last.items() if owner == key]
            assert rank in lasts, f"a compaction would lose the newest event of {key!r}"


def _check_removals(world: World) -> None:
    """See that nobody was ever removed who never left, but for what is below the limits.

    (A list that is short by so few that no person is asked is believed: docs/reliability.md.)
    """
    removed: dict[tuple[str, str], set[int]] = {}
    never_left = {
        world.name(topics.PETS): world.feed.always,
        world.name(topics.ORGS): world.feed.always_orgs,
    }
    for place, stored in world.broker.ever:
        envelope = _decoded(stored) if place.topic in never_left else None
        event = None if envelope is None else envelope.event
        if envelope is not None and isinstance(event, PetEvent | OrganizationEvent):
            key = event.animal_id if isinstance(event, PetEvent) else event.org_id
            if event.op == "removed":
                removed.setdefault((place.topic, envelope.export_id), set()).add(key)
    for (topic, export_id), keys in removed.items():
        wrong = keys & never_left[topic]
        if not world.feed.were_short or len(keys) > world.settings.removal_max_count:
            assert not wrong, f"{sorted(wrong)} of {topic} never left, and went in {export_id}"


def _check_positions(world: World) -> None:
    """See that every consumer has stored that it applied all there is."""
    positions = world.database.tables["consumer_position"]
    for consumer in NAMES:
        for place in world.broker.places(topics_of(consumer, world.prefix)):
            end = world.broker.partition(place).end
            row = positions.get((consumer, *place), {"next_offset": 0})
            assert row["next_offset"] == end, f"{consumer} is at {row} of {place}, not at {end}"


def _decoded(stored: Any) -> Envelope:
    return decode(stored.headers, stored.value)
