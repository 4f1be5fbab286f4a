"""The table topics' columns: those of the views, and the pictures; one flat row a record. Pure.

Rule 1: names and types are those of the views; a new column of a view is one here by itself.
Rule 2: a row has every column, null where there is nothing: a sink keeps what it isn't told.
Rule 3: times are ISO 8601 in UTC, dates ``YYYY-MM-DD``, JSON is text: no engine has to know more.
Rule 4: in Kafka Connect's format the same row is `payload`, beside its `schema`; but a date is the
        number of days since 1970, as Connect has it.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final, Literal, NamedTuple

import msgspec
import xxhash

from petstream import topics
from petstream.fields import COLUMN_NAMES, ORGANIZATION_COLUMNS, PET_COLUMNS, fields_of
from petstream.model import Organization, Pet
from petstream.settings import TableFormat

ColumnType = Literal["number", "text", "boolean", "date", "time", "json"]

DIGEST: Final = "ce_digest"
SEQUENCE: Final = "ce_sequence"
EXPORT_ID: Final = "ce_exportid"
CHANGED_AT: Final = "ps_changed"
"""When the row was changed last: what an event that only restates it leaves as it is."""
SHAPE: Final = "ps_shape"
"""Which columns in which format: a row of another shape is written anew."""

_EPOCH: Final = date(1970, 1, 1)
_TYPES: Final[dict[Any, ColumnType]] = {
    int: "number",
    int | None: "number",
    str | None: "text",
    bool | None: "boolean",
    date | None: "date",
    datetime | None: "time",
}
_CONNECT: Final[dict[ColumnType, dict[str, Any]]] = {
    "number": {"type": "int64"},
    "text": {"type": "string"},
    "boolean": {"type": "boolean"},
    "date": {"type": "int32", "name": "org.apache.kafka.connect.data.Date", "version": 1},
    "time": {"type": "string", "name": "io.debezium.time.ZonedTimestamp", "version": 1},
    "json": {"type": "string", "name": "io.debezium.data.Json", "version": 1},
}


class TableColumn(NamedTuple):
    """One column; all but the key may be null."""

    name: str
    type: ColumnType


class TableShape(NamedTuple):
    """What a table topic holds: from which topic, under which key, in which columns."""

    topic: topics.Topic
    source: topics.Topic
    key: str
    columns: tuple[TableColumn, ...]

    def connect_schema(self) -> dict[str, Any]:
        """Return the schema that Connect's format has beside each row."""
        return {
            "type": "struct",
            "name": f"petstream.{self.topic.name}",
            "optional": False,
            "fields": [
                {"field": name, **_CONNECT[type_], "optional": name != self.key}
                for name, type_ in self.columns
            ],
        }

    def mark(self, format_: TableFormat) -> str:
        """Return what names this shape in a format; another one after each change of either."""
        return f"{format_}-{xxhash.xxh3_64_hexdigest(repr(self.columns).encode())}"


def value_of(shape: TableShape, row: dict[str, Any], format_: TableFormat) -> bytes:
    """Return a row as a record's value.

    >>> value_of(ORGANIZATION_TABLE, {"org_id": 7, "name": "Paws"}, "json")
    b'{"org_id":7,"name":"Paws"}'
    """
    if format_ == "json":
        return _ENCODER.encode(row)
    days = {
        name: (row[name] - _EPOCH).days
        for name, type_ in shape.columns
        if type_ == "date" and row.get(name) is not None
    }
    return b'{"schema":' + _SCHEMAS[shape.topic.name] + b',"payload":' + _ENCODER.encode(
        row | days
    ) + b"}"  # fmt: skip


def _columns(
    record: type[Pet | Organization], names: tuple[str, ...], *last: TableColumn
) -> tuple[TableColumn, ...]:
    types = {field.attribute: _TYPES[field.type] for field in fields_of(record) if field.column}
    own = (TableColumn(COLUMN_NAMES.get(name, name), types[name]) for name in names)
    return (*own, *last)


PET_TABLE: Final = TableShape(
    topics.PET_TABLE, topics.PETS, "animal_id",
    _columns(
        Pet, PET_COLUMNS,
        TableColumn("description_rendered", "text"), TableColumn("attributes", "json"),
        TableColumn("first_seen_at", "time"), TableColumn("changed_at", "time"),
        TableColumn("sequence", "number"), TableColumn("export_id", "text"),
        TableColumn("pictures", "json"),
    ),
)  # fmt: skip
ORGANIZATION_TABLE: Final = TableShape(
    topics.ORGANIZATION_TABLE, topics.ORGS, "org_id",
    _columns(
        Organization, ORGANIZATION_COLUMNS,
        TableColumn("attributes", "json"), TableColumn("sequence", "number"),
        TableColumn("export_id", "text"),
    ),
)  # fmt: skip
SHAPES: Final = (PET_TABLE, ORGANIZATION_TABLE)
"""Every table topic."""

_ENCODER: Final = msgspec.json.Encoder()
_SCHEMAS: Final = {shape.topic.name: _ENCODER.encode(shape.connect_schema()) for shape in SHAPES}
