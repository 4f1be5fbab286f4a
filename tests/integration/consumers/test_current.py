"""The rows of pets and organisations on a real Postgres, and what it costs to write them."""

from __future__ import annotations

import random
from typing import Any

import asyncpg
import pytest
from handmade_events import Log
from msgspec.structs import replace

from consumers.engine import rows as engine_rows
from consumers.engine.postgres import Connection
from consumers.engine.rows import AT_ONCE
from consumers.pets import current, history
from petstream import codec
from petstream.codec import Envelope
from petstream.events import PetEvent
from petstream.settings import KafkaAccess

pytestmark = pytest.mark.servers

LOG = Log(KafkaAccess("nowhere:9092"), "")
TABLES = "pet", "organization", "pet_search", "pet_event"
KEYS = 40


def event(rng: random.Random, restated: float) -> Envelope:
    """Return what happens to somebody on some day; now and then it is only stated again."""
    key, day = rng.randrange(KEYS), rng.randrange(4)
    op: Any = rng.choice(["added", "updated", "removed"])
    again = rng.random() < restated
    if rng.random() < 0.4:
        record = LOG.org(key, day, op=op, restated=again)
    else:
        name = rng.choice(["Rex", "Max"])
        record = LOG.pet(key, day, op=op, name=name, restated=again, position=rng.randrange(2))
    return codec.decode(record.headers, record.value)


async def after(connection: Connection, seed: int) -> dict[str, list[Any]]:
    """Return what is in the tables after some batches; none of it stays."""
    rng = random.Random(seed)  # noqa: S311  a schedule, no secret
    transaction = connection.transaction()
    await transaction.start()
    for _ in range(4):
        restated = rng.choice([0, 0, 0.1])
        batch = [event(rng, restated) for _ in range(rng.randrange(1, 150))]
        await current.write(connection, batch, batch)
        await history.apply(connection, batch)
    tables = {
        name: await connection.fetch(f"SELECT * FROM petstream.{name} ORDER BY 1, 2")  # noqa: S608  names of ours
        for name in TABLES
    }
    await transaction.rollback()
    return tables


async def test_rows_written_together_are_as_if_each_was_written_alone(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        together = [await after(connection, seed) for seed in range(20)]
        monkeypatch.setattr(engine_rows, "AT_ONCE", 1_000)
        assert [await after(connection, seed) for seed in range(20)] == together
    finally:
        await connection.close()
    assert all(len(each["pet"]) > AT_ONCE for each in together), "too few for a statement of many"


def described(day: int, text: str) -> Envelope:
    """Return a change of a pet whose descriptions are this."""
    record = LOG.pet(7, day, name=f"{day}")
    change = codec.decode(record.headers, record.value)
    event = change.event
    assert isinstance(event, PetEvent)
    pet = replace(event.pet, description_html=f"<p>{text}</p>", description_text=text)
    return change._replace(event=replace(event, pet=pet))


async def test_a_long_text_is_written_again_only_where_it_is_another(database_url: str) -> None:
    """A row that changed in its name wrote some thousand bytes more, and as much of the log."""
    columns = "description_html", "description_text", "description_rendered"
    places = ", ".join(f"pg_column_toast_chunk_id({column})" for column in columns)
    seen = []
    connection = await asyncpg.connect(database_url)
    try:
        for day, text in enumerate(("a" * 5_000, "a" * 5_000, "b" * 5_000)):
            async with connection.transaction():
                await current.write(connection, [described(day, text)])
            (out_of_it,) = await connection.fetch(f"SELECT {places} FROM petstream.pet")  # noqa: S608  names of ours
            seen.append(tuple(out_of_it))
            (row,) = await connection.fetch("SELECT * FROM petstream.pet")
            shown = [row[column] for column in columns]
            assert shown == [f"<p>{text}</p>", text, f"<p>{text}</p>"]
            assert row["name"] == f"{day}"
    finally:
        await connection.close()
    assert None not in seen[0], "out of the row"
    assert seen[0] == seen[1]
    assert not {*seen[1]} & {*seen[2]}
