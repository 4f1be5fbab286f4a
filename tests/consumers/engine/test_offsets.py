"""Where a consumer begins, and that a partition which gives nothing is noticed."""

from __future__ import annotations

from typing import Any, cast

import pytest
from scripted_connection import ScriptedConnection

from consumers.engine.offsets import MovedError, advance, begins_at, stalled
from petstream.events import LogEnd
from petstream.kafka.records import TopicPartition

HERE, THERE = TopicPartition("pets.v1", 0), TopicPartition("pets.v1", 1)


def test_a_partition_at_its_former_end_or_behind_it_newly_is_not_stalled() -> None:
    assert stalled({HERE: 9}, {HERE: 9, THERE: 0}) == []
    assert stalled({}, {HERE: 9}) == []


def test_a_partition_that_had_more_at_the_last_probe_is_stalled() -> None:
    assert stalled({HERE: 9, THERE: 4}, {HERE: 8, THERE: 4}) == [HERE]


def test_a_partition_that_was_lost_is_not_stalled() -> None:
    assert stalled({HERE: 9}, {HERE: None}) == []


def test_a_consumer_begins_at_the_lower_of_both_or_where_the_log_does() -> None:
    """T42."""
    assert begins_at(LogEnd(40), 100, 0, 120) == 40
    assert begins_at(LogEnd(100), 40, 0, 120) == 40
    assert begins_at(None, 100, 0, 120) == begins_at(LogEnd(100), None, 0, 120) == 0
    assert begins_at(LogEnd(40), 40, 50, 120) == 50
    assert begins_at(LogEnd(200), 200, 0, 120) == 0


async def test_a_position_that_somebody_moved_is_not_overwritten() -> None:
    """Another member, a replay or a restored database: what is held is out of date."""
    place, nobody = HERE, cast("Any", ScriptedConnection())
    for held in (None, LogEnd(4, "a", 1)):
        with pytest.raises(MovedError):
            await advance(nobody, "pets", {place: held}, {place: LogEnd(9, "b", 2)})
    moved: Any = ScriptedConnection(move_position={"next_offset": 9})
    await advance(moved, "pets", {place: LogEnd(4, "a", 1)}, {place: LogEnd(9, "b", 2)})
    assert moved.arguments["move_position"] == ("pets", "pets.v1", 0, 9, "b", 2, 4, "a", 1)
