"""The statements of consumers/sql as the model has them: a real Postgres answers each the same.

What the schedules of tests/model asked is asked again, in the order in which it was committed; then
the tables are compared row by row. So `simulated.queries` can stand for the database there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from profiles import chosen_seed, rounds
from simulated import clock, schedule
from simulated.database import Asked, Database
from simulated.queries import View, carry_out
from simulated.schedule import Kind
from simulated.world import World

from consumers.engine.postgres import Connection, connected
from consumers.engine.queries import query

SEEDS: Final = rounds(4, long=60)
FIRST: Final = 1_000_000 * chosen_seed(0)
PER_SERVER: Final = frozenset({"found_at", "settled_at", "held_at", "max", "created_at"})
"""What a server tells by its own clock."""
GIVES_ROWS: Final = re.compile(r"^SELECT|RETURNING", re.MULTILINE)
GUARDED: Final = frozenset({
    "upsert_pet", "upsert_organization", "remove_pet", "remove_organization", "record_pet_event",
    "record_export_event", "record_plan_part", "record_plan_decision", "accept_picture_sets",
})  # fmt: skip
"""What an older event may not overwrite."""
JSON: Final = frozenset({"attributes", "old", "counts"})


def traced(seed: int, data_dir: Path) -> Database:
    """Run a schedule; return the database with all that was asked of it, and again in any order."""
    with pytest.MonkeyPatch.context() as patch:
        world = World(seed, data_dir, patch)
        clock.run(world.clock, schedule.run(world, Kind()), seed)
    database = world.database
    again = [asked for asks in database.trace for asked in asks if asked.name in GUARDED]
    Random(seed).shuffle(again)  # noqa: S311  seeded on purpose
    view = View(database.tables)
    database.trace.append([
        Asked(name, arguments, *carry_out(view, name, arguments, world.clock.now()))
        for name, arguments, *_ in again
    ])  # fmt: skip
    database.tables = {**database.tables, **view.written}
    return database


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> list[Database]:
    """What some schedules asked: with all that can befall them."""
    data_dir = tmp_path_factory.mktemp("data")
    return [traced(FIRST + seed, data_dir) for seed in range(SEEDS)]


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as it is compared."""
    return {
        name: json.loads(value) if name in JSON and value is not None else _plain(value)
        for name, value in row.items()
        if name not in PER_SERVER
    }


def _plain(value: Any) -> Any:
    return [*value] if isinstance(value, list | tuple) else value


def ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows in an order that is the same on both sides."""
    return sorted(rows, key=lambda row: json.dumps(row, default=str, sort_keys=True))


async def ask_again(connection: Connection, asked: Asked, moments: dict[Any, Any]) -> None:
    """Carry out a statement, and compare its answer."""
    arguments = [moments.get(a, a) if isinstance(a, datetime) else a for a in asked.arguments]
    what = f"{asked.name} {arguments}"
    if GIVES_ROWS.search(query(asked.name)):
        rows = await connection.fetch(query(asked.name), *arguments)
        answer, expected = [dict(row) for row in rows], asked.rows
        if asked.name == "any_unsettled" and asked.rows:
            moments[asked.rows[0]["max"]] = answer[0]["max"]
            assert (answer[0]["max"] is None) == (asked.rows[0]["max"] is None), what
        names = answer[0].keys() & expected[0].keys() if answer and expected else set()
        shown = [{name: row[name] for name in names} for row in expected]
        assert ordered([*map(plain, answer)]) == ordered([*map(plain, shown)]), what
    else:
        status = await connection.execute(query(asked.name), *arguments)
        assert int(status.rpartition(" ")[2]) == asked.written, what


async def rows_of(connection: Connection, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table."""
    return [dict(row) for row in await connection.fetch(f"SELECT * FROM petstream.{table}")]  # noqa: S608  a name of ours


@pytest.mark.parametrize("part", range(SEEDS))
async def test_postgres_answers_what_the_model_does(
    part: int, database_url: str, traces: list[Database]
) -> None:
    database = traces[part]
    moments: dict[Any, Any] = {}
    async with connected(database_url) as connection:
        for transaction in database.trace:
            async with connection.transaction():
                for asked in transaction:
                    if asked.name != "unwritable_tables":
                        await ask_again(connection, asked, moments)
        for table, kept in database.tables.items():
            expected = [*kept.values()]
            actual = await rows_of(connection, table)
            names = expected[0].keys() & actual[0].keys() if expected and actual else set()
            shown = [{name: row[name] for name in names} for row in expected]
            real = [{name: row[name] for name in names} for row in actual]
            assert len(actual) == len(expected), table
            assert ordered([*map(plain, real)]) == ordered([*map(plain, shown)]), table
