"""How Postgres goes about it: no statement keeps a plan that was made while the tables were empty.

Each is carried out many times over one connection, so that its plan is kept (after the fifth time),
and the tables are said to be empty, as they are after a fresh start: such a plan would read all of
a table each time. Nobody looks at them meanwhile, which would help by luck.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
from handmade_events import Log, picture

from consumers.engine.postgres import Connection
from consumers.engine.runner import Consumer
from consumers.pets import history, removals
from consumers.pictures import wanted
from petstream.kafka.records import ConsumerRecord, ProducerRecord, TopicPartition
from petstream.settings import KafkaAccess

pytestmark = pytest.mark.servers

PETS = 1_000
BATCH = 50
CONSUMERS: tuple[Consumer[Any], ...] = (history.CONSUMER, removals.CONSUMER, wanted.consumer(None))
LOG = Log(KafkaAccess("nowhere:9092"), "")

UNWATCHED = """
DO $$
DECLARE relation regclass;
BEGIN
    FOR relation IN SELECT oid FROM pg_class
        WHERE relnamespace = 'petstream'::regnamespace AND relkind = 'r'
    LOOP
        EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = false)', relation);
    END LOOP;
END
$$
"""
READ = """
SELECT relname, seq_tup_read FROM pg_stat_user_tables
WHERE schemaname = 'petstream' AND seq_tup_read > $1 ORDER BY 1
"""


def events(day: int, op: str) -> Iterator[list[ProducerRecord]]:
    """Give batches of what happens to each pet and one in ten organisations on a day."""
    for first in range(0, PETS, BATCH):
        ids = range(first, first + BATCH)
        pictures = {ident: [picture(2 * ident + day), picture(2 * ident + 9_000)] for ident in ids}
        yield [
            *(LOG.pet(ident, day, op=op, name=f"{day}", pictures=pictures[ident]) for ident in ids),
            *(LOG.org(ident, day, op=op) for ident in ids if ident % 10 == 0),
        ]


async def applied(connection: Connection, day: int, op: str) -> None:
    """Apply a day's events by each consumer, batch by batch."""
    for batch in events(day, op):
        for consumer in CONSUMERS:
            names = {topic.name for topic in consumer.topics}
            items = [
                item
                for record in batch
                if record.topic in names and (item := consumer.read(_received(record))) is not None
            ]
            if items:
                async with connection.transaction():
                    await consumer.apply(connection, items)


def _received(record: ProducerRecord) -> ConsumerRecord:
    at = TopicPartition(record.topic, record.partition or 0)
    return ConsumerRecord(at, 0, record.key, record.value, record.headers)


async def read_in_full(connection: Connection) -> dict[str, int]:
    """Return how many rows of each table were read without an index, beyond once or twice."""
    await connection.fetch("SELECT pg_stat_force_next_flush()")
    rows = await connection.fetch(READ, 2 * PETS)
    return {row["relname"]: row["seq_tup_read"] for row in rows}


async def test_a_rebuild_reads_no_table_again_and_again(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(UNWATCHED)
        await connection.execute("VACUUM (ANALYZE)")
        for day, op in enumerate(("added", "updated", "removed", "relisted")):
            await applied(connection, day, op)
            read = await read_in_full(connection)
            if day:  # of so few, a batch's pictures are faster had by reading all
                read.pop("pet_picture", None)
            assert read == {}, op
        assert await connection.fetchval("SELECT count(*) FROM petstream.pets") == PETS
        assert await connection.fetchval("SELECT count(*) FROM petstream.pet_search") == PETS
    finally:
        await connection.close()
