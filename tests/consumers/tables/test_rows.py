"""A row of a table topic: what the view shows, flat, in both formats."""

from __future__ import annotations

import json
from datetime import date

import pytest
from handmade_events import START, Log, picture
from msgspec.structs import replace

from consumers.tables.columns import ORGANIZATION_TABLE, PET_TABLE, SHAPES, TableShape
from consumers.tables.rows import null_record, row_of, row_record
from petstream import codec
from petstream.codec import Envelope
from petstream.events import PetEvent
from petstream.kafka.records import ProducerRecord
from petstream.settings import KafkaAccess, TableFormat

CHANGED = "2026-11-21T08:12:04Z"


def decoded(record: ProducerRecord) -> Envelope:
    assert record.value is not None
    return codec.decode(record.headers, record.value)


def a_pet() -> Envelope:
    change = decoded(Log(KafkaAccess("memory"), "t.").pet(7, 1, pictures=[picture(3)]))
    event = change.event
    assert isinstance(event, PetEvent)
    pet = replace(
        event.pet, birthdate=date(2020, 1, 2), mixed=True, updated_at=START,
        description_text="<b>", summary="not a column",
    )  # fmt: skip
    event = replace(event, pet=pet)
    return change._replace(event=event)


def test_a_row_has_the_views_columns_times_as_text_and_json_as_text() -> None:
    record = row_record(a_pet(), CHANGED, prefix="t.", format_="json")
    row = json.loads(record.value or b"")
    assert (record.topic, record.key) == ("t.pet-table.v1", b"7")
    assert list(row) == [name for name, _ in PET_TABLE.columns]
    assert (row["animal_id"], row["name"], row["mixed"]) == (7, "Rex", True)
    assert (row["birthdate"], row["updated_at"]) == ("2020-01-02", "2026-11-20T08:12:04Z")
    assert row["first_seen_at"] == "2026-11-20T08:12:04Z"
    assert (row["changed_at"], row["export_id"]) == (CHANGED, "2026-11-21T08:12:04Z")
    assert row["description_rendered"] == "&lt;b&gt;"
    assert row["breed"] is None
    assert json.loads(row["attributes"])["summary"] == "not a column"
    assert [each["id"] for each in json.loads(row["pictures"])] == [3]
    assert int(dict(record.headers)["ce_sequence"]) == row["sequence"]


def test_connects_format_is_the_same_row_beside_its_schema_but_for_dates() -> None:
    plain = json.loads(row_record(a_pet(), CHANGED, prefix="t.", format_="json").value or b"")
    record = json.loads(row_record(a_pet(), CHANGED, prefix="t.", format_="connect").value or b"")
    assert record["payload"] == plain | {"birthdate": 18_263}
    types = {each["field"]: each for each in record["schema"]["fields"]}
    assert list(types) == list(plain)
    assert types["birthdate"]["name"] == "org.apache.kafka.connect.data.Date"
    assert types["updated_at"]["name"] == "io.debezium.time.ZonedTimestamp"
    assert [name for name, each in types.items() if not each["optional"]] == ["animal_id"]


def test_an_organisation_has_its_views_columns() -> None:
    change = decoded(Log(KafkaAccess("memory"), "t.").org(701, 1))
    assert row_of(change, CHANGED) | {"attributes": ""} == {
        **dict.fromkeys(name for name, _ in ORGANIZATION_TABLE.columns),
        "org_id": 701, "name": "Paws", "sequence": change.sequence,
        "export_id": "2026-11-21T08:12:04Z", "attributes": "",
    }  # fmt: skip


def test_who_left_is_null_with_the_sequence_of_the_removal() -> None:
    record = null_record(PET_TABLE, 7, (12, "d"), "x", prefix="t.")
    assert (record.topic, record.key, record.value) == ("t.pet-table.v1", b"7", None)
    assert dict(record.headers)["ce_sequence"] == b"%019d" % 12


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.topic.name)
def test_another_format_and_other_columns_have_another_mark(shape: TableShape) -> None:
    fewer = shape._replace(columns=shape.columns[1:])
    formats: tuple[TableFormat, ...] = ("json", "connect")
    marks = [each.mark(format_) for each in (shape, fewer) for format_ in formats]
    assert len(set(marks)) == len(marks)
