"""Events to records and back, and the golden events that no version may break."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from petstream import codec, events
from petstream.model import Pet

GOLDEN = Path(__file__).parent / "golden"
START = datetime(2026, 11, 23, 8, 12, 4, tzinfo=UTC)


def golden(type_: str) -> tuple[codec.Headers, bytes, dict[str, Any]]:
    kept = json.loads((GOLDEN / f"{type_}.json").read_text(encoding="utf-8"))
    headers = tuple((name, text.encode()) for name, text in kept["headers"].items())
    return headers, json.dumps(kept["value"]).encode(), kept["value"]


def test_every_type_has_a_golden_event() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(events.TYPES)


@pytest.mark.parametrize("type_", sorted(events.TYPES))
def test_a_golden_event_comes_back_as_it_was(type_: str) -> None:
    headers, raw, value = golden(type_)
    envelope = codec.decode(headers, raw)
    assert envelope.type == f"org.petstream.{type_}"
    assert isinstance(envelope.event, events.TYPES[type_])
    assert json.loads(codec.encode(envelope.event)) == value


@pytest.mark.parametrize("type_", sorted(events.TYPES))
def test_the_headers_of_a_golden_event_are_made_the_same_today(type_: str) -> None:
    headers, raw, _ = golden(type_)
    envelope = codec.decode(headers, raw)
    assert headers == codec.headers(
        type_=type_,
        subject=envelope.subject,
        sequence=envelope.sequence,
        export_id=envelope.export_id,
        digest=envelope.digest,
        time=envelope.time,
    )


@pytest.mark.parametrize("type_", sorted(events.TYPES))
def test_a_reader_ignores_fields_it_does_not_know(type_: str) -> None:
    headers, raw, value = golden(type_)
    further = json.dumps({**value, "addedNextYear": {"a": 1}}).encode()
    assert codec.decode(headers, further).event == codec.decode(headers, raw).event


def test_an_event_that_states_again_says_so_and_no_other() -> None:
    headers, raw, _ = golden("pet.updated")
    assert not codec.decode(headers, raw).restated
    again = codec.headers(
        type_="pet.updated",
        subject="pet/22611034",
        sequence=int(dict(headers)["ce_sequence"]),
        export_id="2026-11-23T08:12:04Z",
        digest="d",
        time=START,
        restated=True,
    )
    assert again[-1] == ("ps_restated", b"1")
    assert codec.decode(again, raw).restated
    assert not codec.decode((*headers, ("ps_restated", b"0")), raw).restated


@pytest.mark.parametrize("part", ["9" * 5_000, "\u00b2", "-1", ""])
def test_t24_a_plan_s_part_that_is_no_number_is_none(part: str) -> None:
    """T24: of thousands of digits it ended every run of the ingester."""
    assert events.plan_part_of(f"removal-plan/x/{part}") is None


def test_unknown_header_is_ignored() -> None:
    headers, raw, _ = golden("pet.added")
    assert codec.decode((*headers, ("ps_new", b"\xff")), raw).subject == "pet/22611034"


@pytest.mark.parametrize(
    ("change", "value", "reason"),
    [
        ({"ce_id": None}, b"", "value"),
        ({"ce_type": None}, b"{}", "headers"),
        ({"ce_sequence": b"many"}, b"{}", "headers"),
        ({"ce_subject": b"\xff"}, b"{}", "headers"),
        ({"ce_time": b"yesterday"}, b"{}", "headers"),
        ({"ce_time": b"2026-11-23T08:12:04"}, b"{}", "headers"),
        ({"ce_sequence": b"9223372036854775808"}, b"{}", "headers"),
        ({"ce_sequence": b"-1"}, b"{}", "headers"),
        ({"ce_sequence": b"1_0"}, b"{}", "headers"),
        ({"ce_specversion": b"2.0"}, b"{}", "version"),
        ({"ce_source": b"/elsewhere"}, b"{}", "version"),
        ({"ce_type": b"org.petstream.pet.adopted"}, b"{}", "type"),
        ({}, None, "null"),
        ({}, b"", "value"),
        ({}, b"[]", "value"),
        ({}, b'{"op":"added"}', "value"),
        ({}, b"\xff\xfe", "value"),
    ],
)
def test_what_is_no_event_is_refused_with_a_stable_reason(
    change: dict[str, bytes | None], value: bytes | None, reason: str
) -> None:
    changed: dict[str, bytes | None] = {**dict(golden("pet.added")[0]), **change}
    headers = [(name, text) for name, text in changed.items() if text is not None]
    with pytest.raises(codec.UndecodableError) as caught:
        codec.decode(headers, value)
    assert caught.value.reason == reason
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("type_", ["pet.updated", "organization.updated"])
def test_t44_what_headers_and_value_say_differently_is_refused_by_all_readers(type_: str) -> None:
    """T44: found by fuzzing: consumers listed by the value what the ledger refused by the headers.

    Who peeks takes the operation from the type, who decodes from the value.
    """
    headers, raw, _ = golden(type_)
    sequence = int(dict(headers)["ce_sequence"]) + 1
    family = type_.partition(".")[0].encode()
    for change in (
        {"ce_sequence": b"%019d" % sequence}, {"ce_type": b"org.petstream.%b.removed" % family},
    ):  # fmt: skip
        with pytest.raises(codec.UndecodableError) as caught:
            codec.decode(tuple({**dict(headers), **change}.items()), raw)
        assert caught.value.reason == "mismatch"
    assert codec.decode(headers, raw).sequence == sequence - 1


@given(
    name=st.text(st.characters(exclude_categories=["Cs"])) | st.none(),
    extra=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.booleans()),
    sequence=st.integers(0, 2**53 - 1),
)
def test_any_pet_survives_the_round_trip(
    name: str | None, extra: dict[str, Any], sequence: int
) -> None:
    event = events.PetEvent(
        op="added",
        animal_id=1,
        sequence=sequence,
        pet=Pet(animal_id=1, name=name, extra=extra),
        first_seen_at=START,
        source=events.Source("2026-11-23T08:12:04Z", "daily", "newpets_1.json", 1),
    )
    value = codec.encode(event)
    headers = codec.headers(
        type_="pet.added",
        subject="pet/1",
        sequence=sequence,
        export_id="2026-11-23T08:12:04Z",
        digest=codec.digest(value),
        time=START,
    )
    envelope = codec.decode(headers, value)
    assert envelope.event == event
    assert envelope.sequence == sequence
    assert codec.encode(envelope.event) == value


def test_text_order_of_the_sequence_header_is_number_order() -> None:
    stamped = [
        dict(
            codec.headers(
                type_="pet.added",
                subject="pet/1",
                sequence=sequence,
                export_id="x",
                digest="",
                time=START,
            )
        )["ce_sequence"]
        for sequence in (9, 10, 2**53 - 1)
    ]
    assert stamped == sorted(stamped)
    assert {len(text) for text in stamped} == {19}


def test_contacts_that_are_left_out_are_not_in_the_value() -> None:
    value = msgspec.json.decode(codec.encode(Pet(animal_id=1)))
    assert not [name for name in value if name.startswith("contact")]
