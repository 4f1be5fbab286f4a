"""The contract as an AsyncAPI 3 document: servers, topics, messages with examples, operations.

Rule 1: it says nothing that schemas/ doesn't; the payloads are the same schemas.
Rule 2: the application it describes is petstream: subscribers receive what it sends, and may send
        what it receives.
Rule 3: AsyncAPI's public rule set finds nothing in it.
Rule 4: no default is an empty list, as in schemas/: AsyncAPI's generator of classes writes Java of
        it that isn't Java.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from console.documents import examples
from console.documents.schemas import FAMILIES, VERSION, components
from console.documents.table_schemas import example_of, row_schema, title_of
from consumers.tables.columns import SHAPES, TableShape
from petstream import events, topics

_PREFIX: Final = "petstream."
_EVERY: Final = (*topics.ALL, *topics.TABLES)
_DEAD_LETTERS: Final = ("deadletter.row", "deadletter.event")
_SUMMARIES: Final = {
    topics.PETS.name: "Every change of a pet; the newest event of a key is its state.",
    topics.ORGS.name: "Every change of an organisation; the newest event of a key is its state.",
    topics.EXPORTS.name: "How an export stands, held removals, decisions about them, debts.",
    topics.PICTURES.name: "Pictures that were stored, or are gone.",
    topics.REQUESTS.name: "Who holds what the log doesn't know asks here for a snapshot.",
    topics.DEAD_LETTERS.name: "Rows and events that were refused, as they were.",
    topics.PET_TABLE.name: "A flat row of each listed pet, null for who left (docs/tables.md).",
    topics.ORGANIZATION_TABLE.name: "A flat row of each listed organisation, null for who left.",
}
_HEADERS: Final[dict[str, tuple[str, str | None]]] = {
    "ce_specversion": ("The version of CloudEvents.", None),
    "ce_id": ("`<exportId>/<subject>/<sequence>`: the same for the same event.", None),
    "ce_source": ("Who says it.", None),
    "ce_type": ("What happened.", None),
    "ce_subject": ("What it happened to, for example `pet/22611034`.", None),
    "ce_time": (
        "Start of the export for pets and organisations; else when it was said.",
        "date-time",
    ),
    "content-type": ("Of the value.", None),
    "ce_sequence": ("The sequence, 19 digits: text order is number order.", None),
    "ce_exportid": ("The export it comes from; of a request the newest that is known.", None),
    "ce_digest": ("Of the normalised value: breaks a tie of two equal sequences.", None),
}


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3 document of all topics, with the default prefix."""
    schemas = components([family.event for family in FAMILIES], "#/components/schemas/{name}")
    for schema in schemas.values():
        for field in schema["properties"].values():
            if field.get("default") == ():
                del field["default"]  # rule 4
    return {
        "asyncapi": "3.1.0",
        "id": "urn:petstream",
        "info": {
            "title": "petstream",
            "version": VERSION,
            "description": "Adoptable pets and their organisations, from the RescueGroups.org "
            "export, as they change. Values, guarantees and examples: docs/events.md. The topics' "
            f"prefix, {_PREFIX}, is a setting. The contact's url and email are placeholders that "
            "lead nowhere: the project has no address, ask whoever runs the petstream you read.",
            "contact": {  # rule 3: without all three it is a warning
                "name": "Whoever runs this petstream",
                "url": "https://petstream.invalid",
                "email": "nobody@petstream.invalid",
            },
            "license": {
                "name": "Apache-2.0",
                "url": "https://www.apache.org/licenses/LICENSE-2.0",
            },
            "tags": [
                {"name": "pets", "description": "Adoptable pets, their organisations, pictures"},
                {"name": "rescuegroups", "description": "From the export of RescueGroups.org"},
            ],
        },
        "servers": {
            "kafka": {
                "host": "{address}",
                "protocol": "kafka",
                "title": "Kafka",
                "description": "The Kafka that `petstream env` names.",
                "variables": {
                    "address": {
                        "default": "localhost:9092",
                        "description": "Host and port of a broker",
                    }
                },
            }
        },
        "defaultContentType": "application/json",
        "channels": {_channel(topic): _channel_of(topic) for topic in _EVERY},
        "operations": {
            f"{_action(topic)}-{_channel(topic)}": _operation(topic) for topic in _EVERY
        },
        "components": {
            "messages": {
                **{type_: _message(type_) for type_ in (*events.TYPES, *_DEAD_LETTERS)},
                **{title_of(shape): _row_message(shape) for shape in SHAPES},
            },
            "schemas": {**schemas, **{title_of(shape): row_schema(shape) for shape in SHAPES}},
        },
    }


def _channel(topic: topics.Topic) -> str:
    return topic.name.partition(".")[0]


def _channel_of(topic: topics.Topic) -> dict[str, Any]:
    return {
        "address": topic.full_name(_PREFIX),
        "title": f"Keyed by {topic.key}",
        "description": f"{_SUMMARIES[topic.name]} The key is the {topic.key}, in ASCII.",
        "servers": [{"$ref": "#/servers/kafka"}],
        "tags": [{"name": _channel(topic)}],
        "messages": {
            type_: {"$ref": f"#/components/messages/{type_}"} for type_ in _types_of(topic)
        },
        "bindings": {
            "kafka": {
                "topic": topic.full_name(_PREFIX),
                "partitions": topic.partitions,
                "topicConfiguration": {
                    name: _config(name, value) for name, value in topic.configs.items()
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _action(topic: topics.Topic) -> Literal["send", "receive"]:
    return "receive" if topic is topics.REQUESTS else "send"


def _operation(topic: topics.Topic) -> dict[str, Any]:
    channel, action, name = _channel(topic), _action(topic), topic.full_name(_PREFIX)
    sends = action == "send"
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "title": f"{'Publish' if sends else 'Answer'} {channel}",
        "summary": f"petstream publishes to {name}" if sends else f"petstream reads {name}",
        "description": _SUMMARIES[topic.name],
        "tags": [{"name": channel}],
        "messages": [
            {"$ref": f"#/channels/{channel}/messages/{type_}"} for type_ in _types_of(topic)
        ],
    }


def _config(name: str, value: str) -> str | int | list[str]:
    if name == "cleanup.policy":
        return [value]
    return int(value) if value.lstrip("-").isdigit() else value


def _types_of(topic: topics.Topic) -> list[str]:
    if topic is topics.DEAD_LETTERS:
        return list(_DEAD_LETTERS)
    rows = [title_of(shape) for shape in SHAPES if shape.topic is topic]
    if rows:
        return rows
    shapes = [family.event for family in FAMILIES if family.topic is topic]
    return [type_ for type_, shape in events.TYPES.items() if shape in shapes]


def _message(type_: str) -> dict[str, Any]:
    event = events.TYPES.get(type_)
    family = next((family for family in FAMILIES if family.event is event), None)
    name = f"{events.TYPE_PREFIX}{type_}"
    message: dict[str, Any] = {
        "name": name,
        "title": "What was refused" if family is None else family.title,
        "summary": f"A `{name}` event",
        "headers": _headers(type_),
    }
    if family is None:
        message["contentType"] = "application/octet-stream"
        message["payload"] = {
            "title": "Refused",
            "description": "The original bytes; what is known is in dl_ headers.",
        }
        message["tags"] = [{"name": "dead-letters"}]
        message["examples"] = [{
            "name": "refused", "summary": "A row that isn't JSON",
            "payload": '{"animalID" "22611034"}',
        }]  # fmt: skip
        return message
    message["contentType"] = "application/json"
    message["payload"] = {"$ref": f"#/components/schemas/{family.event.__name__}"}
    message["tags"] = [{"name": _channel(family.topic)}]
    message["examples"] = [{
        "name": type_.rpartition(".")[2], "summary": family.title,
        "headers": examples.headers_of(type_, examples.subject_of(type_)),
        "payload": examples.value_of(type_),
    }]  # fmt: skip
    topic_key = {"type": "string", "description": f"{family.topic.key}, ASCII"}
    message["bindings"] = {"kafka": {"key": topic_key, "bindingVersion": "0.5.0"}}
    return message


def _row_message(shape: TableShape) -> dict[str, Any]:
    title, name = title_of(shape), _channel(shape.topic)
    return {
        "name": title,
        "title": f"A row of {shape.topic.name}",
        "summary": "What the view shows, flat; a record without a value says that the key left",
        "headers": {
            "title": f"{title}Headers",
            "type": "object",
            "properties": {
                key: {"type": "string", "description": _HEADERS[key][0]}
                for key in ("content-type", "ce_sequence", "ce_digest", "ce_exportid")
            },
        },
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{title}"},
        "tags": [{"name": name}],
        "examples": [{
            "name": "row", "summary": "A row", "headers": {"ce_sequence": "0007181686096000416"},
            "payload": example_of(shape),
        }],
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": f"{shape.topic.key}, ASCII"},
                "bindingVersion": "0.5.0",
            }
        },
    }  # fmt: skip


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
    return {
        "title": "Headers", "type": "object", "properties": properties, "required": list(_HEADERS),
    }  # fmt: skip
