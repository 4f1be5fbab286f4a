"""docs/fields.md, made from the code: every field under each of its names.

Run ``python -m console.documents.fields_page`` after a change of ``petstream/model.py`` or
``petstream/fields.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from consumers.tables.columns import SHAPES, ColumnType
from petstream.fields import CONTACT_FIELDS, Field, fields_of
from petstream.model import Contact, Organization, Pet, Picture

PAGE: Final = Path(__file__).parents[2] / "docs" / "fields.md"

_TYPES: Final[dict[Any, str]] = {
    int: "number",
    int | None: "number or null",
    float | None: "number or null",
    str | None: "text or null",
    bool | None: "true, false or null",
    date | None: "date `YYYY-MM-DD` or null",
    datetime | None: "time, UTC ISO 8601, or null",
    tuple[Picture, ...]: "list of pictures, by position",
    tuple[Any, ...]: "list, as sent",
    Contact: "text or null; left out by default",
}

_HEAD: Final = """\
# Fields

Made from the code by `python -m console.documents.fields_page`; a test compares. The names in
events are also those of the JSON Schemas (`schemas/`). "feed" is the name in the export's files; a
row may spell it in another case, or with `animal` before it.

- `""`, null and the feed's zeros (`"0"` sizes, `0000-00-00`) are null; text is as sent otherwise.
- "Yes" / "No" / "" are true / false / null: null means that nobody said, not "no".
- A column in `attributes` means: the field is in the view's `attributes` jsonb, under its name in
  events, if it says something. One that is null, `[]` or `{}` is left out: `attributes->>'name'` is
  null then, and `attributes ? 'name'` false (up to 0.1 it was there, as null; such a row stays so
  until its next event, or a rebuild).
- Fields we don't know, and values that don't fit their type, are in `extra`, as sent, under the
  feed's name.
"""

_PICTURES: Final = """\
## Pictures (`pictures[]` in events, view `petstream.pet_pictures`)

| feed | event | type | column |
|---|---|---|---|
| `mediaID` | `id` | number or null | `picture_id` |
| `mediaOrder` | `position` | number from 1 | `position` |
| `lastUpdated` | `updatedAt` | time, UTC ISO 8601, or null | `updated_at` |
| `original`, `originalUrl` | `original` | rendition or null | `original_url` |
| `large`, `largeUrl`, `fullsizeUrl` | `large` | rendition or null | `large_url` |
| `small`, `smallUrl`, `thumbnailUrl` | `small` | rendition or null | `small_url` |

A rendition is `{url, width, height, bytes}`, from `url`, `resolutionX`, `resolutionY`, `fileSize`.
A picture is the same as long as its `id` and `updatedAt` are; its URL may change.
"""


_TABLE_TYPES: Final[dict[ColumnType, tuple[str, str]]] = {
    "number": ("number", "`int64`"),
    "text": ("text", "`string`"),
    "boolean": ("true or false", "`boolean`"),
    "date": ("text `YYYY-MM-DD`; in Connect's format days since 1970", "`int32`, Connect's `Date`"),
    "time": ("text, UTC ISO 8601", "`string`, Debezium's `ZonedTimestamp`"),
    "json": ("JSON as text", "`string`, Debezium's `Json`"),
}

_TABLE_HEAD: Final = """\
## Table topics

What the rows of [table topics](tables.md) have: all columns, always; each but the key may be null.
"""


def page() -> str:
    """Return the whole page."""
    pets = "\n".join(_table(Pet, "pet_pictures"))
    organizations = "\n".join(_table(Organization, None))
    return (
        f"{_HEAD}\n## Pets (`pet` in events, view `petstream.pets`)\n\n{pets}\n\n{_PICTURES}\n"
        "## Organisations (`organization` in events, view `petstream.organizations`)\n\n"
        f"{organizations}\n\n{_TABLE_HEAD}\n{_table_topics()}\n"
    )


def _table_topics() -> str:
    return "\n\n".join(
        "\n".join((
            f"### `petstream.{shape.topic.name}`",
            "",
            "| column | type | in Connect's format |",
            "|---|---|---|",
            *(f"| `{name}` | {' | '.join(_TABLE_TYPES[type_])} |" for name, type_ in shape.columns),
        ))
        for shape in SHAPES
    )  # fmt: skip


def _table(record: type[Pet | Organization], pictures: str | None) -> Iterator[str]:
    yield "| feed | event | type | column |"
    yield "|---|---|---|---|"
    for field in fields_of(record):
        yield (
            f"| `{field.feed_name}` | `{field.event_name}` | {_TYPES[field.type]} "
            f"| {_column(field, pictures)} |"
        )


def _column(field: Field, pictures: str | None) -> str:
    if field.attribute == "pictures" and pictures is not None:
        return f"view `{pictures}`"
    if field.attribute in CONTACT_FIELDS:
        return "in `attributes`, only with `PETSTREAM_CONTACTS=publish`"
    return "in `attributes`" if field.column is None else f"`{field.column}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
