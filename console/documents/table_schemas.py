"""The rows of table topics as JSON Schemas, as `consumers.tables.columns` has their columns."""

from __future__ import annotations

from typing import Any, Final

from consumers.tables.columns import ColumnType, TableShape

_TYPES: Final[dict[ColumnType, dict[str, Any]]] = {
    "number": {"type": "integer"},
    "text": {"type": "string"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "date-time"},
    "json": {"type": "string", "contentMediaType": "application/json"},
}


def row_schema(shape: TableShape) -> dict[str, Any]:
    """Return the schema of a row in the format `json`; who left is null, and has none."""
    title = title_of(shape)
    return {
        "title": title,
        "description": f"A row of {shape.topic.name}: every column, null where there is nothing.",
        "type": "object",
        "properties": {
            name: {**_TYPES[type_], "type": [_TYPES[type_]["type"], "null"]}
            if name != shape.key
            else _TYPES[type_]
            for name, type_ in shape.columns
        },
        "required": [name for name, _ in shape.columns],
    }


def title_of(shape: TableShape) -> str:
    """Return the name of a row's class.

    >>> from consumers.tables.columns import PET_TABLE
    >>> title_of(PET_TABLE)
    'PetTableRow'
    """
    return "".join(word.title() for word in shape.topic.name.partition(".")[0].split("-")) + "Row"


def example_of(shape: TableShape) -> dict[str, Any]:
    """Return a row of few words."""
    words: dict[str, Any] = {
        shape.key: 701, "name": "Biscuit", "attributes": "{}", "pictures": "[]",
        "sequence": 7_181_686_096_000_416, "export_id": "2026-11-23T08:12:04Z",
    }  # fmt: skip
    return {name: words.get(name) for name, _ in shape.columns}
