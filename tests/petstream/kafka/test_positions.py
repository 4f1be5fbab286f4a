"""Is the record before a position still there? Asked before anybody goes on from it."""

from __future__ import annotations

import pytest

from petstream.events import LogEnd
from petstream.kafka.positions import Standing, end_behind, keeps_all_ms, standing_of
from petstream.kafka.records import Bounds, ConsumerRecord, TopicPartition

NOW_MS, DAY_MS = 1_795_000_000_000, 86_400_000
YOUNG_MS, OLD_MS = NOW_MS - 29 * DAY_MS, NOW_MS - 31 * DAY_MS
KEPT_MS = 30 * DAY_MS
BOTH = {"cleanup.policy": "compact,delete", "min.compaction.lag.ms": "7", "retention.ms": "5"}


def record(name: str | None, timestamp_ms: int, offset: int = 8) -> ConsumerRecord:
    """Return a record with an id."""
    headers = () if name is None else (("ce_id", name.encode()),)
    partition = TopicPartition("t.pets.v1", 0)
    return ConsumerRecord(partition, offset, b"1", b"{}", headers, timestamp_ms)


@pytest.mark.parametrize(
    ("position", "bounds", "before", "right"),
    [
        (LogEnd(9, "a", YOUNG_MS), Bounds(0, 9), record("a", YOUNG_MS), "there"),
        (LogEnd(9, "a", YOUNG_MS), Bounds(0, 99), record("a", YOUNG_MS), "there"),
        # shorter is lost at any age, with an id or without
        (LogEnd(9, "a", OLD_MS), Bounds(0, 8), None, "lost"),
        (LogEnd(9), Bounds(0, 8), None, "lost"),
        (LogEnd(9), Bounds(0, 0), None, "lost"),
        # regrown: another record, or the same one read again at another time
        (LogEnd(9, "a", YOUNG_MS), Bounds(0, 99), record("b", YOUNG_MS), "lost"),
        (LogEnd(9, "a", YOUNG_MS), Bounds(0, 99), record("a", YOUNG_MS + 1), "lost"),
        (LogEnd(9, "a", OLD_MS), Bounds(0, 99), record("b", OLD_MS), "lost"),
        (LogEnd(9, "a", YOUNG_MS), Bounds(0, 99), record(None, YOUNG_MS), "lost"),
        # compacted away: possible only when it is old enough
        (LogEnd(9, "a", YOUNG_MS), Bounds(0, 99), None, "lost"),
        (LogEnd(9, "a", OLD_MS), Bounds(0, 99), None, "unknown"),
        (LogEnd(9, "a", NOW_MS - KEPT_MS), Bounds(0, 99), None, "unknown"),
        (LogEnd(9, "a", NOW_MS - KEPT_MS + 1), Bounds(0, 99), None, "lost"),
        # a stranger's record has no id: its time must do
        (LogEnd(9, None, YOUNG_MS), Bounds(0, 99), record(None, YOUNG_MS), "there"),
        (LogEnd(9, None, YOUNG_MS), Bounds(0, 99), record("b", YOUNG_MS + 5), "lost"),
        # nothing is known of it: positions of 0.1, and the beginning
        (LogEnd(9), Bounds(0, 9), record("b", OLD_MS), "there"),
        (LogEnd(0), Bounds(0, 0), None, "there"),
        (LogEnd(0, "a", YOUNG_MS), Bounds(0, 5), None, "there"),
    ],
)
def test_a_position_stands_on_the_record_before_it(
    position: LogEnd, bounds: Bounds, before: ConsumerRecord | None, right: Standing
) -> None:
    now = standing_of(position, bounds, before, now_ms=NOW_MS, kept_ms=KEPT_MS)
    assert now == right


def test_the_position_behind_a_record_names_it() -> None:
    assert end_behind(record("a", 5, offset=8)) == LogEnd(9, "a", 5)
    assert end_behind(record(None, 5, offset=8)) == LogEnd(9, None, 5)


@pytest.mark.parametrize(
    ("configs", "kept_ms"),
    [
        ({"cleanup.policy": "compact", "min.compaction.lag.ms": "7"}, 7),
        ({"cleanup.policy": "compact"}, 0),
        ({"cleanup.policy": "delete", "retention.ms": "9"}, 9),
        (
            {"cleanup.policy": "compact,delete", "min.compaction.lag.ms": "7", "retention.ms": "5"},
            5,
        ),
        ({}, 7 * DAY_MS),
    ],
)
def test_how_long_a_topic_keeps_every_record(configs: dict[str, str], kept_ms: int) -> None:
    assert keeps_all_ms(configs) == kept_ms


def test_a_topic_without_retention_keeps_all_for_ever() -> None:
    assert keeps_all_ms({"cleanup.policy": "delete", "retention.ms": "-1"}) > NOW_MS
