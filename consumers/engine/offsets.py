"""How far a consumer is: the positions that are stored in Postgres with its data.

Rule 1: a position moves in the transaction of the data, only from what it was read as.
Rule 2: it knows the record before it (`petstream.kafka.positions`). One whose record the log
        doesn't hold any more is dropped, durably and before anything is read: its partition is
        then read from the beginning, and the audit finds that it was.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from consumers.engine.postgres import Connection
from consumers.engine.queries import query
from petstream.events import LogEnd
from petstream.kafka.positions import Standing
from petstream.kafka.records import TopicPartition
from petstream.metrics import POSITIONS_REWRITTEN

_log = logging.getLogger(__name__)


class MovedError(Exception):
    """A position isn't what was read: another member, a replay, a restored database, a drop."""


async def stored(connection: Connection, consumer: str) -> dict[TopicPartition, LogEnd]:
    """Return the stored positions of a consumer."""
    rows = await connection.fetch(query("read_positions"), consumer)
    return {
        TopicPartition(row["topic"], row["partition"]): LogEnd(
            row["next_offset"], row["record_id"], row["timestamp_ms"]
        )
        for row in rows
    }


async def advance(
    connection: Connection,
    consumer: str,
    held: Mapping[TopicPartition, LogEnd | None],
    ends: Mapping[TopicPartition, LogEnd],
) -> None:
    """Store new positions in place of those held.

    Raises:
        MovedError: a position isn't what is held.
    """
    for partition, end in sorted(ends.items(), key=lambda entry: entry[0]):
        before = held[partition]
        key = consumer, partition.topic, partition.partition
        new = end.offset, end.record_id, end.timestamp_ms
        if before is None:
            row = await connection.fetchrow(query("begin_position"), *key, *new)
        else:
            row = await connection.fetchrow(
                query("move_position"),
                *key,
                *new,
                before.offset,
                before.record_id,
                before.timestamp_ms,
            )
        if row is None:
            raise MovedError


async def drop_rewritten(
    connection: Connection,
    consumer: str,
    positions: Mapping[TopicPartition, LogEnd],
    standings: Mapping[TopicPartition, Standing],
) -> list[TopicPartition]:
    """Drop the positions whose record isn't there any more, and say so; return where."""
    rewritten = sorted(at for at, standing in standings.items() if standing != "there")
    if not rewritten:
        return []
    async with connection.transaction():
        dropped = [
            partition
            for partition in rewritten
            if await connection.fetchval(
                query("drop_position"), consumer, partition.topic, partition.partition,
                positions[partition].offset, positions[partition].record_id,
                positions[partition].timestamp_ms, standings[partition],
            ) is not None
        ]  # fmt: skip
    if dropped:  # else another member did
        POSITIONS_REWRITTEN.labels(consumer).inc(len(dropped))
        _log.warning(
            "consumer %s reads again from the beginning what isn't the log it knew: %s",
            consumer,
            "; ".join(_place(at, positions[at], standings[at]) for at in dropped),
        )
    return rewritten


def begins_at(stored: LogEnd | None, committed: int | None, begin: int, end: int) -> int:
    """Return where a consumer begins: at the lower of both, if the log still holds that.

    >>> begins_at(LogEnd(40), 100, 0, 120), begins_at(None, 100, 0, 120)
    (40, 0)
    >>> begins_at(LogEnd(500), 500, 7, 120)
    7
    """
    start = 0 if stored is None else min(stored.offset, committed or 0)
    return start if begin <= start <= end else begin


def stalled(
    ends: Mapping[TopicPartition, int], positions: Mapping[TopicPartition, int | None]
) -> list[TopicPartition]:
    """Return the partitions that are still before the ends they had at the last probe.

    >>> stalled({TopicPartition("pets.v1", 0): 9}, {TopicPartition("pets.v1", 0): 8})
    [TopicPartition(topic='pets.v1', partition=0)]
    """
    return [
        partition
        for partition, position in positions.items()
        if position is not None and position < ends.get(partition, 0)
    ]


def _place(partition: TopicPartition, position: LogEnd, standing: Standing) -> str:
    record = position.record_id or "the record"
    missing = "was lost" if standing == "lost" else "is gone, as old ones may be"
    return f"{partition}, where {record} before offset {position.offset:,} {missing}"
