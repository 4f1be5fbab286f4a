"""The rows of a table topic as a sink has them, and those of its view, both as plain JSON."""

from __future__ import annotations

import json
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg

from consumers.tables.columns import TableShape
from petstream import topics
from petstream.kafka.reader import read_to_end
from petstream.settings import KafkaAccess, TableFormat

Rows = dict[int, dict[str, Any]]

_VIEWS = {topics.PETS.name: "pets", topics.ORGS.name: "organizations"}


async def rows_of_topic(
    access: KafkaAccess, prefix: str, shape: TableShape, format_: TableFormat
) -> tuple[Rows, int]:
    """Return what is left of a table topic, by key, and how many records it has."""
    rows: Rows = {}
    count = 0
    async with aclosing(read_to_end(access, [shape.topic.full_name(prefix)])) as batches:
        async for records in batches:
            for record in records:
                assert record.key is not None
                count += 1
                if record.value is None:
                    rows.pop(int(record.key), None)
                    continue
                row = json.loads(record.value)
                rows[int(record.key)] = _plain(shape, row.get("payload", row))
    assert format_ == "json" or count
    return rows, count


async def columns_of_view(database_url: str, shape: TableShape) -> Rows:
    """Return the rows of the view that a table topic is of."""
    return await rows_of(database_url, f"petstream.{_VIEWS[shape.source.name]}", shape.key)


async def rows_of(database_url: str, relation: str, key: str) -> Rows:
    """Return the rows of a table or a view; without pictures, which no view has."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(f"SELECT * FROM {relation}")  # noqa: S608  a name of ours
    except asyncpg.UndefinedTableError:
        return {}
    finally:
        await connection.close()
    return {
        row[key]: {name: _text(value) for name, value in row.items() if name != "pictures"}
        for row in rows
    }


def _plain(shape: TableShape, row: dict[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in row.items() if name != "pictures"}
    for name, type_ in shape.columns:
        if type_ == "date" and isinstance(plain[name], int):
            plain[name] = (date(1970, 1, 1) + timedelta(days=plain[name])).isoformat()
    return plain | {"attributes": json.loads(plain["attributes"])}


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str) and value.startswith("{"):
        return json.loads(value)
    return value
