"""A partition that gives nothing though it has more is noticed."""

from __future__ import annotations

from consumers.engine.offsets import stalled
from petstream.kafka.records import TopicPartition

HERE, THERE = TopicPartition("pets.v1", 0), TopicPartition("pets.v1", 1)


def test_a_partition_at_its_former_end_or_behind_it_newly_is_not_stalled() -> None:
    assert stalled({HERE: 9}, {HERE: 9, THERE: 0}) == []
    assert stalled({}, {HERE: 9}) == []


def test_a_partition_that_had_more_at_the_last_probe_is_stalled() -> None:
    assert stalled({HERE: 9, THERE: 4}, {HERE: 8, THERE: 4}) == [HERE]


def test_a_partition_that_was_lost_is_not_stalled() -> None:
    assert stalled({HERE: 9}, {HERE: None}) == []
