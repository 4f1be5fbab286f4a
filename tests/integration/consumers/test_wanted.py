"""The wanted list on a real Postgres: when its rows are left alone, and when they are made anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from handmade_events import Log, picture

from consumers.engine.postgres import Connection
from consumers.pictures import wanted
from petstream import codec
from petstream.model import Picture
from petstream.settings import KafkaAccess

pytestmark = pytest.mark.servers

LOG = Log(KafkaAccess("nowhere:9092"), "")
BOTH = (picture(1), picture(2))
LOST = "DELETE FROM petstream.pet_picture WHERE picture_key = '1'"


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def apply(connection: Connection, day: int, *pictures: Picture, op: Any = "updated") -> None:
    record = LOG.pet(7, day, pictures=pictures, op=op)
    await wanted.consumer(None).apply(connection, [codec.decode(record.headers, record.value)])


async def keys(connection: Connection) -> list[str]:
    rows = await connection.fetch("SELECT picture_key FROM petstream.pet_picture ORDER BY 1")
    return [row["picture_key"] for row in rows]


async def test_a_newer_event_of_the_same_set_leaves_it_alone_and_an_equal_one_mends_it(
    connection: Connection,
) -> None:
    await apply(connection, 1, *BOTH)
    await connection.execute(LOST)
    await apply(connection, 2, *BOTH)
    assert await keys(connection) == ["2"]  # so little is done for it
    await apply(connection, 2, *BOTH)  # as a replay does
    assert await keys(connection) == ["1", "2"]
    await apply(connection, 3, picture(2), picture(3))
    assert await keys(connection) == ["2", "3"]


async def test_who_comes_back_with_the_same_set_has_it_again(connection: Connection) -> None:
    """Its pictures may have gone meanwhile, when their grace time was over."""
    await apply(connection, 1, *BOTH)
    await apply(connection, 2, *BOTH, op="removed")
    await connection.execute(LOST)
    await apply(connection, 3, *BOTH, op="relisted")
    assert await keys(connection) == ["1", "2"]


async def test_a_set_from_before_sets_were_compared_is_looked_at(connection: Connection) -> None:
    await apply(connection, 1, *BOTH)
    await connection.execute(LOST)
    await connection.execute("UPDATE petstream.picture_set SET wanted = NULL")
    await apply(connection, 2, *BOTH)
    assert await keys(connection) == ["1", "2"]
