"""The table topics beside the views, on real servers: the same rows, in either format."""

from __future__ import annotations

import asyncio

import pytest
from handmade_events import Log, picture
from rows_of_tables import columns_of_view, rows_of_topic

from consumers.admin.replay import FromBeginning, replay
from consumers.admin.table_rebuild import rebuild
from consumers.app import consume
from consumers.registry import group_of
from consumers.tables.columns import SHAPES
from petstream.kafka.admin import describe_topics
from petstream.kafka.client import ensure_topics
from petstream.settings import KafkaAccess, Settings, TableFormat

pytestmark = pytest.mark.servers


async def test_a_table_topic_has_the_rows_of_its_view_after_replays_late_events_and_a_rebuild(
    kafka: str, database_url: str, prefix: str
) -> None:
    access = KafkaAccess(kafka)
    log = Log(access, prefix)
    await ensure_topics(access, prefix)

    async def compared(format_: TableFormat) -> int:
        """Let all consumers drain; compare, and return how many records the pets' topic has."""
        settings = Settings(topic_prefix=prefix, pictures="off", table_format=format_)
        await consume(
            ("pets", "deletions", "tables"), settings, kafka=access, database_url=database_url,
            drain=True, stopping=asyncio.Event(),
        )  # fmt: skip
        records = 0
        for shape in SHAPES:
            rows, count = await rows_of_topic(access, prefix, shape, format_)
            assert rows == await columns_of_view(database_url, shape)
            records = records or count
        return records

    await log.send(
        log.pet(1, 1, op="added", pictures=[picture(5)]), log.pet(2, 1, op="added"),
        log.pet(3, 1, op="added"), log.org(7, 1, op="added"), log.org(8, 1, op="added"),
        log.pet(2, 2, name="Fido"), log.pet(3, 2, op="removed"), log.org(8, 2, op="removed"),
        log.pet(1, 3, restated=True),
    )  # fmt: skip
    assert await compared("json") == 2
    await log.send(log.pet(2, 3, op="removed"), log.pet(3, 3, op="relisted"))
    assert await compared("json") == 4
    await log.send(log.pet(2, 2, name="Fido"), log.pet(3, 2, op="removed"))  # late
    await replay("tables", FromBeginning(), access=access, database_url=database_url, prefix=prefix)
    assert await compared("json") == 4
    rebuilt = await rebuild(access, prefix, "connect")
    assert [(table.rows, table.removed) for table in rebuilt] == [(2, 1), (1, 1)]
    assert await compared("connect") == 3
    names = [shape.topic.full_name(prefix) for shape in SHAPES]
    described = await describe_topics(access, names)
    assert [described[name].partitions for name in names] == [12, 1]
    assert group_of("tables", prefix) == f"{prefix}tables"
