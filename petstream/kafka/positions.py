"""Positions in the log that know what lies before them: is the log still the one we knew?

Rule 1: a position is an offset, and the record before it, by its id and its time. Whoever goes on
        from one asks here first.
Rule 2: an end below the position is a loss, at any age. So is another record there.
Rule 3: no record there is a loss while it is too young to be compacted away; of an older one
        nothing is known: read from the beginning, and say nothing of a loss.
Rule 4: a position that doesn't know its record (of 0.1, or after a replay) is believed, if the log
        is as long.
Rule 5: how long a topic keeps every record is asked only where one isn't there, and where nobody
        may ask, it is as the topic was declared.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Final, Literal

from petstream import topics
from petstream.events import LogEnd
from petstream.kafka.admin import describe_topics
from petstream.kafka.client import KAFKA_ERRORS
from petstream.kafka.reader import records_at
from petstream.kafka.records import Bounds, ConsumerRecord, TopicPartition
from petstream.settings import KafkaAccess

Standing = Literal["there", "lost", "unknown"]
"""Is the record before a position still there: yes; no; nobody can tell."""

_FOR_EVER_MS: Final = 10**15
_COMPACT_DEFAULT_MS: Final = 0
_DELETE_DEFAULT_MS: Final = 7 * 24 * 60 * 60 * 1000


async def standings(
    access: KafkaAccess, positions: Mapping[TopicPartition, LogEnd]
) -> dict[TopicPartition, Standing]:
    """Return whether the record before each position is still there; raises as aiokafka does."""
    if not positions:
        return {}
    before = await records_at(
        access, {partition: max(0, end.offset - 1) for partition, end in positions.items()}
    )
    absent = {partition.topic for partition, at in before.items() if at.record is None}
    kept_ms = await _kept_ms(access, absent) if absent else {}
    now_ms = time.time_ns() // 1_000_000
    return {
        partition: standing_of(
            position,
            before[partition].bounds,
            before[partition].record,
            now_ms=now_ms,
            kept_ms=kept_ms.get(partition.topic, 0),
        )
        for partition, position in positions.items()
    }


def end_behind(record: ConsumerRecord) -> LogEnd:
    """Return the position behind a record."""
    return LogEnd(record.offset + 1, id_of(record), record.timestamp_ms)


def id_of(record: ConsumerRecord) -> str | None:
    """Return a record's ``ce_id``; None: it has none."""
    name = dict(record.headers).get("ce_id")
    return None if name is None else name.decode("utf-8", "replace")


def standing_of(
    position: LogEnd, bounds: Bounds, before: ConsumerRecord | None, *, now_ms: int, kept_ms: int
) -> Standing:
    """Return whether the record before a position is still there.

    Args:
        position: what was known of the partition.
        bounds: where the partition begins and ends now.
        before: the record of the offset before the position, if there is one.
        now_ms: the time, since 1970.
        kept_ms: for how long the topic keeps every record.

    >>> standing_of(LogEnd(9, "a", 5), Bounds(0, 8), None, now_ms=6, kept_ms=100)
    'lost'
    """
    if bounds.end < position.offset:
        return "lost"
    if position.offset == 0 or not position.timestamp_ms:
        return "there"
    if before is not None:
        same = before.timestamp_ms == position.timestamp_ms and (
            position.record_id is None or position.record_id == id_of(before)
        )
        return "there" if same else "lost"
    return "lost" if position.timestamp_ms > now_ms - kept_ms else "unknown"


def keeps_all_ms(configs: Mapping[str, str]) -> int:
    """Return for how long a topic of these configs keeps every one of its records.

    >>> keeps_all_ms({"cleanup.policy": "compact", "min.compaction.lag.ms": "60000"})
    60000
    >>> keeps_all_ms({"cleanup.policy": "delete", "retention.ms": "-1"}) > 10**12
    True
    """
    policies = configs.get("cleanup.policy", "delete").split(",")
    kept = [_FOR_EVER_MS]
    if "compact" in policies:
        kept.append(int(configs.get("min.compaction.lag.ms", _COMPACT_DEFAULT_MS)))
    if "delete" in policies:
        retention_ms = int(configs.get("retention.ms", _DELETE_DEFAULT_MS))
        kept.append(retention_ms if retention_ms >= 0 else _FOR_EVER_MS)
    return min(kept)


async def _kept_ms(access: KafkaAccess, names: Collection[str]) -> dict[str, int]:
    """Return how long each topic keeps every record."""
    try:
        described = await describe_topics(access, list(names))
    except KAFKA_ERRORS:  # this user may read topics, and not their configs
        described = {}
    return {
        name: keeps_all_ms(described[name].configs if name in described else _declared(name))
        for name in names
    }


def _declared(name: str) -> Mapping[str, str]:
    return next((topic.configs for topic in topics.ALL if name.endswith(topic.name)), {})
