"""Acknowledgements follow each other: where one doesn't, the log is doubted there."""

from __future__ import annotations

from ingest.publish.log_ends import Acknowledgement, LogEnds
from petstream.events import LogEnd
from petstream.kafka.records import TopicPartition

PETS, ORGS = TopicPartition("t.pets.v1", 0), TopicPartition("t.orgs.v1", 0)
BEFORE = LogEnd(10, "before", 5)


def known() -> LogEnds:
    """Return that pets.v1 ended at 10."""
    ends = LogEnds()
    ends.begin({PETS: BEFORE})
    return ends


def end_of(ends: LogEnds, partition: TopicPartition = PETS) -> LogEnd:
    """Return where a partition ends."""
    return ends.of(frozenset({partition.topic}))[partition]


def acknowledged(first: int, count: int, name: str, at: TopicPartition = PETS) -> Acknowledgement:
    """Return that a batch lies at an offset."""
    return Acknowledgement(at, first, LogEnd(first + count, name, 6))


def test_batches_that_follow_each_other_are_not_doubted() -> None:
    ends = known()
    ends.follow(acknowledged(10, 3, "a"))
    ends.follow(acknowledged(13, 1, "b"))
    assert ends.doubtful == []
    assert end_of(ends) == LogEnd(14, "b", 6)


def test_a_batch_that_falls_or_jumps_makes_the_position_before_it_doubtful() -> None:
    """Falls: the tail was lost. Jumps: it was lost and regrew, or our own batch is there twice."""
    for first in (9, 11):
        ends = known()
        ends.follow(acknowledged(first, 3, "a"))
        assert ends.doubtful == [(PETS, BEFORE)]
        assert end_of(ends) == LogEnd(first + 3, "a", 6)


def test_an_acknowledgement_without_an_offset_is_doubted_and_raises_nothing() -> None:
    ends = known()
    ends.follow(Acknowledgement(PETS, -1, LogEnd(2, "a", 6)))
    assert ends.doubtful == [(PETS, BEFORE)]
    assert end_of(ends) == BEFORE


def test_a_partition_that_the_fold_did_not_see_is_not_doubted() -> None:
    ends = known()
    ends.follow(acknowledged(4, 1, "a", ORGS))
    assert ends.doubtful == []
    assert end_of(ends, ORGS) == LogEnd(5, "a", 6)
    assert list(ends.of(frozenset({PETS.topic}))) == [PETS]
