"""The contract as JSON Schemas, one for each family of events; beside it stands AsyncAPI.

Rule 1: made from the types in ``petstream/``; schemas/ in the repository is the same, checked in.
Rule 2: schemas are tolerant: fields are only ever added, and a reader ignores what it doesn't know.
Rule 3: code generators make one named class of each definition, and no other: what may be null has
        a list of types, a list of words is a string with the words as examples (a minor version may
        add some), and whatever is an object has a title.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import msgspec
from msgspec import structs

from console.documents.table_schemas import row_schema
from console.runtime.output import say
from consumers.tables.columns import SHAPES
from petstream import events, topics
from petstream.model import Pet, Picture

VERSION: Final = "1.3.0"
"""The version of the contract; the topics' names carry the first number."""

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_NULL: Final = {"type": "null"}


class Family(NamedTuple):
    """The events of one shape."""

    name: str
    event: type[events.Event]
    topic: topics.Topic
    title: str


FAMILIES: Final = (
    Family("pet", events.PetEvent, topics.PETS, "What happened to a pet"),
    Family(
        "organization", events.OrganizationEvent, topics.ORGS, "What happened to an organisation"
    ),
    Family("export", events.ExportEvent, topics.EXPORTS, "How an export stands"),
    Family("removals", events.PlanEvent, topics.EXPORTS, "What was decided about held removals"),
    Family("debt", events.DebtEvent, topics.EXPORTS, "What has to be read again"),
    Family("snapshot", events.SnapshotRequest, topics.REQUESTS, "Somebody asks for a snapshot"),
    Family("picture", events.PictureEvent, topics.PICTURES, "A picture was stored, or is gone"),
)
_SHAPES: Final = (*(family.event for family in FAMILIES), Pet, Picture, events.FileRead)


def write(out: Path | None) -> int:
    """Write all documents to a directory, or print them; return the exit status."""
    for name, text in documents().items():
        if out is None:
            say(text.removesuffix("\n"))
            continue
        out.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text, encoding="utf-8")
        say(str(out / name))
    return 0


def documents() -> dict[str, str]:
    """Return every document by its file name."""
    from console.documents.asyncapi import asyncapi  # noqa: PLC0415  it is made of these schemas

    made = {f"{family.name}.json": json_schema(family) for family in FAMILIES}
    for shape in SHAPES:
        name = shape.topic.name.partition(".")[0]
        row = row_schema(shape)
        made[f"{name}.json"] = {
            "$schema": _DIALECT, "$id": f"urn:petstream:{name}:{VERSION}", **row,
        }  # fmt: skip
    made["asyncapi.json"] = asyncapi()
    return {
        name: json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        for name, document in made.items()
    }


def json_schema(family: Family) -> dict[str, Any]:
    """Return the JSON Schema of a family's values."""
    definitions = components([family.event], "#/$defs/{name}")
    return {
        "$schema": _DIALECT,
        "$id": f"urn:petstream:{family.name}:{VERSION}",
        **definitions.pop(family.event.__name__),
        "$defs": definitions,
    }


def components(shapes: list[type[events.Event]], ref_template: str) -> dict[str, dict[str, Any]]:
    """Return the schemas of some events, and of all that they consist of, by their names."""
    _, made = msgspec.json.schema_components(shapes, ref_template=ref_template)
    _mark_times(made)
    return {name: _definition(definition) for name, definition in made.items()}


def _definition(definition: dict[str, Any]) -> dict[str, Any]:
    properties = {
        name: _property(name, schema) for name, schema in definition["properties"].items()
    }
    description = " ".join(definition["description"].split())
    return definition | {"description": description, "properties": properties}


def _property(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("type") == "object":
        return {"title": f"{name[0].upper()}{name[1:]}", **schema}
    if "enum" in schema:
        words = schema.pop("enum")
        listed = ", ".join(f"`{word}`" for word in words)
        text = f"One of {listed}; a later version may add a word."
        return {"description": text, "type": "string", **schema, "examples": words}
    choices = schema.get("anyOf", [])
    if any("$ref" in choice for choice in choices):
        return {"title": f"{name[0].upper()}{name[1:]}", **schema}
    if _NULL not in choices:
        return schema
    del schema["anyOf"]
    (choice,) = (choice for choice in choices if choice != _NULL)
    return {**choice, "type": [choice["type"], "null"], **schema}


def _mark_times(components: dict[str, Any]) -> None:
    """Mark the strings that are times: msgspec does so only where a zone is demanded."""
    for shape in _SHAPES:
        for field in structs.fields(shape):
            if datetime in {field.type, *get_args(field.type)} and shape.__name__ in components:
                schema = components[shape.__name__]["properties"][field.encode_name]
                for choice in schema.get("anyOf", [schema]):
                    if choice["type"] == "string":
                        choice["format"] = "date-time"
