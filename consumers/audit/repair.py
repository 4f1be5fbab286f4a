"""The newest events of differing keys applied again, by the handlers of their consumers.

Rule 1: nothing is written but by a consumer's own handler and its guard: what is newer stays.
Rule 2: each consumer's rows are a transaction of their own, so that locks are taken in its order.
Rule 3: an event that is refused again is reported, and becomes no second dead letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, NamedTuple

from consumers.audit.compare import WRITERS, AuditedTable, Difference
from consumers.engine.batch import apply_isolating
from consumers.engine.postgres import Connection, connected
from consumers.engine.runner import Consumer
from consumers.pets import history, removals
from consumers.pictures import wanted
from consumers.registry import Name
from petstream.codec import UndecodableError
from petstream.kafka.reader import read
from petstream.kafka.records import ConsumerRecord, TopicPartition
from petstream.settings import KafkaAccess

_MAX_RECORDS: Final = 500

Targets = dict[TopicPartition, dict[int, set[AuditedTable]]]
"""Which records are applied again, and for which tables: by partition and offset."""


class RepairRefused(NamedTuple):
    """An event that can't be applied, and why."""

    record: ConsumerRecord
    reason: str
    message: str


async def repair(
    differences: Iterable[Difference],
    access: KafkaAccess,
    database_url: str,
    pictures: str | None,
) -> list[RepairRefused]:
    """Apply the events of these differences; return those refused.

    Raises as aiokafka and asyncpg do; what was applied until then stays.

    Args:
        differences: which rows differ.
        access: how to reach Kafka.
        database_url: where the tables are.
        pictures: the setting `PETSTREAM_PICTURES`.
    """
    targets = _targets(differences)
    if not targets:
        return []
    consumers: Mapping[Name, Consumer[Any]] = {
        "pets": history.CONSUMER,
        "deletions": removals.CONSUMER,
        "images": wanted.consumer(pictures),
    }
    refused: list[RepairRefused] = []
    begins = {partition: min(offsets) for partition, offsets in targets.items()}
    ends = {partition: max(offsets) + 1 for partition, offsets in targets.items()}
    async with (
        connected(database_url) as connection,
        aclosing(read(access, ends, begins)) as batches,
    ):
        async for batch in batches:
            chosen = [
                record for record in batch if record.offset in targets[record.topic_partition]
            ]
            for at in range(0, len(chosen), _MAX_RECORDS):
                records = chosen[at : at + _MAX_RECORDS]
                for table, writers in WRITERS.items():
                    of_table = [
                        record
                        for record in records
                        if table in targets[record.topic_partition][record.offset]
                    ]
                    for name in writers:
                        refused += await _apply(connection, consumers[name], of_table)
    return refused


def _targets(differences: Iterable[Difference]) -> Targets:
    targets: Targets = {}
    for difference in differences:
        if difference.newest is not None:
            offsets = targets.setdefault(difference.newest.topic_partition, {})
            offsets.setdefault(difference.newest.offset, set()).add(difference.table)
    return targets


async def _apply(
    connection: Connection, consumer: Consumer[Any], records: Sequence[ConsumerRecord]
) -> list[RepairRefused]:
    """Do as `consumers.engine.runner` does with a batch, but for offsets and dead letters."""
    refused: list[RepairRefused] = []
    items: list[tuple[ConsumerRecord, Any]] = []
    for record in records:
        try:
            item = consumer.read(record)
        except UndecodableError as error:
            refused.append(RepairRefused(record, error.reason, str(error)))
        else:
            if item is not None:
                items.append((record, item))

    async def apply(connection: Connection, accepted: Sequence[tuple[ConsumerRecord, Any]]) -> None:
        await consumer.apply(connection, [item for _, item in accepted])

    async with connection.transaction():
        for (record, _), refusal in await apply_isolating(connection, items, apply):
            reason = getattr(refusal, "sqlstate", None) or "refused"
            refused.append(RepairRefused(record, f"postgres-{reason}", _first_line(refusal)))
    return refused


def _first_line(error: Exception) -> str:
    """Return what a server says, without the row it says it about."""
    return str(error).partition("\n")[0]
