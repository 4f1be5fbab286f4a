"""The contract as documents: a JSON Schema for each family of events, and AsyncAPI 3.

Rule 1: made from the types in ``petstream/``; schemas/ in the repository is the same, checked in.
Rule 2: schemas are tolerant: fields are only ever added, and a reader ignores what it doesn't know.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import msgspec
from msgspec import structs

from petstream import events, topics
from petstream.model import Pet, Picture

VERSION: Final = "1.0.0"
"""The version of the contract; the topics' names carry the first number."""

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class _Family(NamedTuple):
    name: str
    event: type[events.Event]
    topic: topics.Topic
    title: str


FAMILIES: Final = (
    _Family("pet", events.PetEvent, topics.PETS, "What happened to a pet"),
    _Family(
        "organization", events.OrganizationEvent, topics.ORGS, "What happened to an organisation"
    ),
    _Family("export", events.ExportEvent, topics.EXPORTS, "How an export stands"),
    _Family("removals", events.PlanEvent, topics.EXPORTS, "What was decided about held removals"),
    _Family("picture", events.PictureEvent, topics.PICTURES, "A picture was stored, or is gone"),
)
_SHAPES: Final = (*(family.event for family in FAMILIES), Pet, Picture, events.FileRead)
_DEAD_LETTERS: Final = ("deadletter.row", "deadletter.event")
_HEADERS: Final[dict[str, tuple[str, str | None]]] = {
    "ce_specversion": ("The version of CloudEvents.", None),
    "ce_id": ("`<exportId>/<subject>/<sequence>`: the same for the same event.", None),
    "ce_source": ("Who says it.", None),
    "ce_type": ("What happened.", None),
    "ce_subject": ("What it happened to, for example `pet/22611034`.", None),
    "ce_time": ("Start of the export; for pictures when it happened.", "date-time"),
    "content-type": ("Of the value.", None),
    "ce_sequence": ("The sequence, 19 digits: text order is number order.", None),
    "ce_exportid": ("The export it comes from.", None),
    "ce_digest": ("Of the normalised value: breaks a tie of two equal sequences.", None),
}


def write(out: Path | None) -> int:
    """Write all documents to a directory, or print them; return the exit status."""
    for name, text in documents().items():
        if out is None:
            print(text, end="")  # noqa: T201  the command's output
            continue
        out.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text, encoding="utf-8")
        print(out / name)  # noqa: T201  the command's output
    return 0


def documents() -> dict[str, str]:
    """Return every document by its file name."""
    schemas = {f"{family.name}.json": json_schema(family) for family in FAMILIES}
    schemas["asyncapi.json"] = asyncapi()
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
            for name, schema in schemas.items()}  # fmt: skip


def json_schema(family: _Family) -> dict[str, Any]:
    """Return the JSON Schema of a family's values."""
    (reference,), components = msgspec.json.schema_components(
        [family.event], ref_template="#/$defs/{name}"
    )
    _mark_times(components)
    return {
        "$schema": _DIALECT,
        "$id": f"urn:petstream:{family.name}:{VERSION}",
        "title": family.title,
        **reference,
        "$defs": components,
    }


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3 document of all topics, with the default prefix."""
    _, components = msgspec.json.schema_components(
        [family.event for family in FAMILIES], ref_template="#/components/schemas/{name}"
    )
    _mark_times(components)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "petstream",
            "version": VERSION,
            "description": "Adoptable pets and their organisations, from the RescueGroups.org "
            "export, as they change. Values, guarantees and examples: docs/events.md. The topics' "
            "prefix, petstream., is a setting.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_channel(topic): _channel_of(topic) for topic in topics.ALL},
        "operations": {
            f"send-{_channel(topic)}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{_channel(topic)}"},
                "summary": f"petstream publishes to {topic.full_name('petstream.')}",
            }
            for topic in topics.ALL
        },
        "components": {
            "messages": {type_: _message(type_) for type_ in (*events.TYPES, *_DEAD_LETTERS)},
            "schemas": components,
        },
    }


def _mark_times(components: dict[str, Any]) -> None:
    """Mark the strings that are times: msgspec does so only where a zone is demanded."""
    for shape in _SHAPES:
        for field in structs.fields(shape):
            if datetime in {field.type, *get_args(field.type)} and shape.__name__ in components:
                schema = components[shape.__name__]["properties"][field.encode_name]
                for choice in schema.get("anyOf", [schema]):
                    if choice["type"] == "string":
                        choice["format"] = "date-time"


def _channel(topic: topics.Topic) -> str:
    return topic.name.partition(".")[0]


def _channel_of(topic: topics.Topic) -> dict[str, Any]:
    return {
        "address": topic.full_name("petstream."),
        "title": f"Keyed by {topic.key}",
        "messages": {
            type_: {"$ref": f"#/components/messages/{type_}"} for type_ in _types_of(topic)
        },
        "bindings": {
            "kafka": {
                "topic": topic.full_name("petstream."),
                "partitions": topic.partitions,
                "topicConfiguration": {
                    name: _config(name, value) for name, value in topic.configs.items()
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _config(name: str, value: str) -> str | int | list[str]:
    if name == "cleanup.policy":
        return [value]
    return int(value) if value.lstrip("-").isdigit() else value


def _types_of(topic: topics.Topic) -> list[str]:
    if topic is topics.DEAD_LETTERS:
        return list(_DEAD_LETTERS)
    shapes = [family.event for family in FAMILIES if family.topic is topic]
    return [type_ for type_, shape in events.TYPES.items() if shape in shapes]


def _message(type_: str) -> dict[str, Any]:
    event = events.TYPES.get(type_)
    family = next((family for family in FAMILIES if family.event is event), None)
    message: dict[str, Any] = {
        "name": f"{events.TYPE_PREFIX}{type_}",
        "title": "What was refused" if family is None else family.title,
        "headers": _headers(type_),
    }
    if family is None:
        message["contentType"] = "application/octet-stream"
        message["payload"] = {"description": "The original bytes; what is known is in dl_ headers."}
        return message
    topic_key = {"type": "string", "description": f"{family.topic.key}, ASCII"}
    message["contentType"] = "application/json"
    message["payload"] = {"$ref": f"#/components/schemas/{family.event.__name__}"}
    message["bindings"] = {"kafka": {"key": topic_key, "bindingVersion": "0.5.0"}}
    return message


def _headers(type_: str) -> dict[str, Any]:
    fixed = {
        "ce_specversion": "1.0",
        "ce_source": events.SOURCE,
        "ce_type": f"{events.TYPE_PREFIX}{type_}",
    }
    properties: dict[str, Any] = {}
    for name, (description, format_) in _HEADERS.items():
        properties[name] = {"type": "string", "description": description}
        if name in fixed:
            properties[name]["const"] = fixed[name]
        if format_ is not None:
            properties[name]["format"] = format_
    properties["ce_sequence"]["pattern"] = "^[0-9]{19}$"
    return {"type": "object", "properties": properties, "required": list(_HEADERS)}
