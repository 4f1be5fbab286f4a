"""Events to records of a table topic: a row as the view would show it, or null. Pure.

Rule 1: a row is derived by the same code as that of the table beneath the view.
Rule 2: the headers say of which event a record is; null takes those of the removal.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from consumers.pets import current
from consumers.pets.current import STATE_COLUMNS
from consumers.tables.columns import (
    CHANGED_AT,
    DIGEST,
    EXPORT_ID,
    ORGANIZATION_TABLE,
    PET_TABLE,
    SEQUENCE,
    SHAPE,
    TableShape,
    value_of,
)
from petstream import codec
from petstream.codec import Envelope, Headers
from petstream.events import PetEvent
from petstream.fields import COLUMN_NAMES, ORGANIZATION_COLUMNS, PET_COLUMNS
from petstream.fold import Rank
from petstream.kafka.records import ProducerRecord
from petstream.settings import TableFormat

_STATE: Final = (*STATE_COLUMNS, "restated", "removed_at")
_PET_NAMES: Final = (
    *(COLUMN_NAMES.get(name, name) for name in PET_COLUMNS), "description_rendered", *_STATE,
)  # fmt: skip
_ORGANIZATION_NAMES: Final = (*ORGANIZATION_COLUMNS, *_STATE)


def shape_of(change: Envelope) -> TableShape:
    """Return which table topic an event belongs to."""
    return PET_TABLE if isinstance(change.event, PetEvent) else ORGANIZATION_TABLE


def row_of(change: Envelope, changed_at: str) -> dict[str, Any]:
    """Return every column of the row that an event makes."""
    event = change.event
    columns: dict[str, Any]
    if isinstance(event, PetEvent):
        columns = dict(zip(_PET_NAMES, current.pet_row(change), strict=True))
        columns["pictures"] = codec.encode(event.pet.pictures).decode()
    else:
        columns = dict(zip(_ORGANIZATION_NAMES, current.organization_row(change), strict=True))
    columns["changed_at"] = changed_at
    return {name: columns[name] for name, _ in shape_of(change).columns}


def row_record(
    change: Envelope, changed_at: str, *, prefix: str, format_: TableFormat
) -> ProducerRecord:
    """Return the record that writes the row of an event."""
    shape = shape_of(change)
    key = str(current.key_of(change)).encode()
    value = value_of(shape, row_of(change, changed_at), format_)
    headers = (
        *_headers(change.rank, change.export_id),
        (CHANGED_AT, changed_at.encode()),
        (SHAPE, shape.mark(format_).encode()),
    )
    return ProducerRecord(shape.topic.full_name(prefix), key, value, headers)


def null_record(
    shape: TableShape, key: int, rank: Rank, export_id: str, *, prefix: str
) -> ProducerRecord:
    """Return the record that says that a key left."""
    name = shape.topic.full_name(prefix)
    return ProducerRecord(name, str(key).encode(), None, _headers(rank, export_id))


def time_text(time: datetime) -> str:
    """Return a time as rows have it.

    >>> from datetime import UTC
    >>> time_text(datetime(2026, 11, 23, 8, 12, 4, tzinfo=UTC))
    '2026-11-23T08:12:04Z'
    """
    return codec.encode(time).decode().strip('"')


def _headers(rank: Rank, export_id: str) -> Headers:
    sequence, digest = rank
    return (
        ("content-type", codec.JSON),
        (SEQUENCE, b"%019d" % sequence),
        (DIGEST, digest.encode()),
        (EXPORT_ID, export_id.encode()),
    )
