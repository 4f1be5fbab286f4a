"""What of a batch goes into the state, and what into the history."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from handmade_events import DAY, START, Log, sequence
from scripted_connection import ScriptedConnection

from consumers.pets import history, removals
from petstream.codec import Envelope
from petstream.kafka.records import ConsumerRecord, ProducerRecord, TopicPartition
from petstream.settings import KafkaAccess

LOG = Log(KafkaAccess("nowhere:1"), "t.")


def read(sent: ProducerRecord, offset: int = 0) -> ConsumerRecord:
    """Return a record as a consumer reads it."""
    place = TopicPartition(sent.topic, sent.partition or 0)
    return ConsumerRecord(place, offset, sent.key, sent.value, sent.headers)


async def applied(*records: ProducerRecord) -> ScriptedConnection:
    """Apply a batch as the consumer pets does."""
    connection: Any = ScriptedConnection()
    await history.CONSUMER.apply(connection, [history.read(read(record)) for record in records])
    return connection  # type: ignore[no-any-return]  # as it was made


async def removed(*records: ProducerRecord) -> ScriptedConnection:
    """Apply a batch as the consumer deletions does."""
    connection: Any = ScriptedConnection()
    changes = [removals.read(read(record)) for record in records]
    taken = [change for change in changes if isinstance(change, Envelope)]
    await removals.CONSUMER.apply(connection, taken)
    return connection  # type: ignore[no-any-return]  # as it was made


async def test_every_event_goes_into_the_history_and_the_newest_into_the_state() -> None:
    batch = await applied(
        LOG.pet(7, 2, name="Rex"), LOG.pet(7, 1, name="Max"), LOG.pet(7, 1, name="Bo")
    )
    recorded = [(row[0], row[1]) for row in batch.arguments["record_pet_event"]]
    assert recorded == [(7, sequence(1)), (7, sequence(2))]
    events = [history.read(read(LOG.pet(7, 1, name=name))) for name in ("Max", "Bo")]
    digests = [event.digest for event in events if isinstance(event, Envelope)]
    first, _ = batch.arguments["record_pet_event"]
    assert first[2] == max(digests), "of two of one sequence the higher digest stands"
    (row,) = batch.arguments["upsert_pet"]
    assert "Rex" in row


async def test_a_removal_is_history_here_and_state_for_the_consumer_deletions() -> None:
    left = LOG.pet(7, 2, op="removed")
    batch = await applied(left, LOG.pet(8, 2))
    assert [row[3] for row in batch.arguments["record_pet_event"]] == ["removed", "updated"]
    assert len(batch.arguments["upsert_pet"]) == 1
    deleted = await removed(left, LOG.pet(8, 2))
    assert [row[0] for row in deleted.arguments["upsert_pet"]] == [7]


async def test_what_is_only_stated_again_is_no_history() -> None:
    batch = await applied(LOG.pet(7, 2, restated=True), LOG.pet(8, 2))
    assert [row[0] for row in batch.arguments["record_pet_event"]] == [8]
    assert len(batch.arguments["upsert_pet"]) == 2


async def test_of_removals_in_a_batch_the_newest_counts_for_pets_and_organisations() -> None:
    batch = await removed(
        LOG.pet(7, 3, op="removed"), LOG.pet(7, 1, op="removed"), LOG.pet(6, 1, op="relisted"),
        LOG.org(5, 3, op="removed"), LOG.org(5, 1, op="removed"), LOG.org(4, 1),
    )  # fmt: skip
    removed_at = START + 3 * DAY
    for query, key in (("upsert_pet", 7), ("upsert_organization", 5)):
        rows = [(row[0], row[-4], row[-1]) for row in batch.arguments[query]]
        assert rows == [(key, sequence(3), removed_at)]


async def test_a_removed_pet_whose_content_is_refused_still_leaves_the_lists() -> None:
    def refuse(*_rows: object) -> None:
        raise asyncpg.CharacterNotInRepertoireError("invalid byte sequence")

    connection: Any = ScriptedConnection(upsert_pet=refuse)
    change = removals.read(read(LOG.pet(7, 3, op="removed")))
    assert change is not None
    await removals.CONSUMER.apply(connection, [change])
    assert connection.arguments["remove_pet"][:2] == (7, sequence(3))
    with pytest.raises(asyncpg.CharacterNotInRepertoireError):  # which one it is, the engine finds
        await removals.CONSUMER.apply(connection, [change, change])
