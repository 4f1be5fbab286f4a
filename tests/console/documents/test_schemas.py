"""docs/fields.md, docs/events.md and schemas/ say what the types say."""

from __future__ import annotations

import doctest
import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from console.documents import fields_page, metrics_page, schemas
from consumers.tables.columns import SHAPES, TableShape
from petstream import events, fields, topics
from petstream.codec import encode
from petstream.model import Organization, Pet

ROOT = Path(__file__).parents[3]
EVERY_TOPIC = (*topics.ALL, *topics.TABLES)
GOLDEN = Path(__file__).parents[2] / "petstream" / "golden"
EVENTS_PAGE = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(
    r"^### `org\.petstream\.(\S+)`$.*?^```json\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
EXAMPLES = dict(EXAMPLE.findall(EVENTS_PAGE))


def schema_of(type_: str) -> dict[str, Any]:
    name = type_.partition(".")[0]
    schema: dict[str, Any] = json.loads((ROOT / "schemas" / f"{name}.json").read_text("utf-8"))
    return schema


def test_the_page_of_fields_is_the_one_the_code_makes() -> None:
    assert fields_page.PAGE.read_text(encoding="utf-8") == fields_page.page()


def test_docs_metrics_is_what_the_code_declares() -> None:
    assert metrics_page.PAGE.read_text(encoding="utf-8") == metrics_page.page()


@pytest.mark.parametrize("record", [Pet, Organization])
def test_names_of_fields_are_unique_in_feed_events_and_tables(
    record: type[Pet | Organization],
) -> None:
    of_record = fields.fields_of(record)
    assert len({field.feed_name for field in of_record}) == len(of_record)
    assert len({field.event_name for field in of_record}) == len(of_record)
    columns = [field.column for field in of_record if field.column is not None]
    assert len(set(columns)) == len(columns)


def test_every_declared_column_belongs_to_a_field() -> None:
    for record, names in (
        (Pet, fields.PET_COLUMNS),
        (Organization, fields.ORGANIZATION_COLUMNS),
    ):
        assert set(names) <= {field.attribute for field in fields.fields_of(record)}
    assert set(fields.CONTACT_FIELDS) <= {field.attribute for field in fields.fields_of(Pet)}


def test_event_names_are_the_keys_of_the_json() -> None:
    for record, names in ((Pet(animal_id=1), Pet), (Organization(org_id=1), Organization)):
        keys = set(json.loads(encode(record))) - {"extra"}
        left_out = {"contactName", "contactEmail", "contactCellPhone", "contactHomePhone"}
        assert keys == {field.event_name for field in fields.fields_of(names)} - left_out


def test_the_checked_in_schemas_are_those_the_code_makes() -> None:
    checked_in = {
        path.name: path.read_text(encoding="utf-8") for path in (ROOT / "schemas").glob("*.json")
    }
    assert checked_in == schemas.documents()


def test_the_command_writes_every_document(tmp_path: Path) -> None:
    assert schemas.write(tmp_path / "new") == 0
    assert {path.name for path in (tmp_path / "new").iterdir()} == set(schemas.documents())


@pytest.mark.parametrize("type_", sorted(events.TYPES))
def test_a_golden_event_fits_its_schema_and_so_does_one_with_more_fields(type_: str) -> None:
    value = json.loads((GOLDEN / f"{type_}.json").read_text(encoding="utf-8"))["value"]
    validator = jsonschema.Draft202012Validator(schema_of(type_))
    validator.check_schema(schema_of(type_))
    validator.validate(value)
    validator.validate({**value, "addedNextYear": 1})


@pytest.mark.parametrize("type_", sorted(events.TYPES))
def test_a_value_without_what_it_must_have_does_not_fit(type_: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema_of(type_)).validate({})


def test_every_type_has_an_example_on_the_page_that_fits_its_schema() -> None:
    assert set(EXAMPLES) == set(events.TYPES)
    for type_, text in EXAMPLES.items():
        jsonschema.Draft202012Validator(schema_of(type_)).validate(json.loads(text))


def test_asyncapi_describes_every_topic_and_every_reference_in_it_leads_somewhere() -> None:
    document = json.loads((ROOT / "schemas" / "asyncapi.json").read_text(encoding="utf-8"))
    assert document["asyncapi"] == "3.1.0"
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {topic.full_name("petstream.") for topic in EVERY_TOPIC}
    named = {message["name"] for message in document["components"]["messages"].values()}
    assert named >= {f"org.petstream.{type_}" for type_ in events.TYPES}
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        node = document
        for step in reference.split("/"):
            node = node[step]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.topic.name)
def test_a_row_of_a_table_topic_fits_its_schema_and_one_without_a_column_does_not(
    shape: TableShape,
) -> None:
    name = shape.topic.name.partition(".")[0]
    schema = json.loads((ROOT / "schemas" / f"{name}.json").read_text("utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    row = dict.fromkeys((column.name for column in shape.columns), None) | {shape.key: 7}
    validator.validate(row)
    for wrong in (row | {shape.key: None}, row | {"sequence": "7"}, {shape.key: 7}):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(wrong)


def test_a_client_of_asyncapi_may_send_requests_and_only_those() -> None:
    document = json.loads((ROOT / "schemas" / "asyncapi.json").read_text(encoding="utf-8"))
    received = {
        operation["channel"]["$ref"]
        for operation in document["operations"].values()
        if operation["action"] == "receive"
    }
    assert received == {"#/channels/requests"}
    assert len(document["operations"]) == len(EVERY_TOPIC)


def test_asyncapi_s_contact_is_nobody_else_s_address_and_says_so() -> None:
    """The rule set demands all three; the project has none, and may name no domain but .invalid."""
    info = json.loads((ROOT / "schemas" / "asyncapi.json").read_text(encoding="utf-8"))["info"]
    assert info["contact"].keys() == {"name", "url", "email"}
    assert {re.split("[/@]", info["contact"][name])[-1] for name in ("url", "email")} == {
        "petstream.invalid"
    }
    assert "url and email are placeholders" in info["description"]


@pytest.mark.parametrize("type_", sorted(events.TYPES))
def test_the_examples_of_asyncapi_fit_their_schemas(type_: str) -> None:
    document = json.loads((ROOT / "schemas" / "asyncapi.json").read_text(encoding="utf-8"))
    message = document["components"]["messages"][type_]
    (example,) = message["examples"]
    name = "removals" if type_.startswith("removals") else type_.partition(".")[0]
    assert message["payload"]["$ref"].endswith(schemas_title(name))
    jsonschema.Draft202012Validator(schema_of(type_)).validate(example["payload"])
    jsonschema.Draft202012Validator(message["headers"]).validate(example["headers"])


def schemas_title(name: str) -> str:
    title: str = json.loads((ROOT / "schemas" / f"{name}.json").read_text("utf-8"))["title"]
    return title


def test_no_default_in_asyncapi_is_an_empty_list() -> None:
    """Of such a one Modelina makes `String[] notes = ;`."""
    document = json.loads((ROOT / "schemas" / "asyncapi.json").read_text("utf-8"))
    parts = list(_parts(document["components"]["schemas"]))
    assert any("default" in part for part in parts)
    assert [part for part in parts if part.get("default") == []] == []


def test_generators_get_a_name_for_every_class_and_no_closed_list_of_words() -> None:
    for family in schemas.FAMILIES:
        text = (ROOT / "schemas" / f"{family.name}.json").read_text("utf-8")
        assert '"enum"' not in text
        for part in _parts(json.loads(text)):
            assert "title" in part or (part.get("type") != "object" and "anyOf" not in part)
            if "anyOf" in part:
                reference, null = part["anyOf"]
                assert (set(reference), null) == ({"$ref"}, {"type": "null"})


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if isinstance(schema.get("type"), str | list) or "anyOf" in schema:
            yield schema
        for part in schema.values():
            yield from _parts(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _parts(part)


@pytest.mark.parametrize(
    "name",
    [
        "petstream.codec",
        "petstream.sequence",
        "console.inspect.formatting",
        "petstream.kafka.reader",
    ],
)
def test_examples_in_the_code_are_true(name: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried
    assert not failed
