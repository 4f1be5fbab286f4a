"""F15. What is kept of a refused row holds no contact, however broken the row is."""

from __future__ import annotations

import json

import pytest
from rows_of_the_feed import pet_row

from ingest.parse.contacts import bytes_without_contacts
from ingest.parse.rows import KEPT_OF_BAD_BYTES, BadRow, Row, RowFramer, parse

CANARIES = ("Ann Example", "ann@x.example", "619-555-0142", "(619) 555-0143")
CONTACTS = {
    "contactName": "Ann Example", "contactEmail": "ann@x.example",
    "contactCellPhone": "619-555-0142", "contactHomePhone": "(619) 555-0143",
}  # fmt: skip


def refused(raw: bytes) -> BadRow:
    """Frame and parse a row that can't be read."""
    framer = RowFramer()
    (row,) = [*framer.feed(raw + b"\n"), *framer.finish()]
    if isinstance(row, Row):
        (row,) = parse([row])  # type: ignore[assignment]  # it is refused
    assert isinstance(row, BadRow), row
    return row


@pytest.mark.parametrize(
    "raw",
    [
        json.dumps(CONTACTS).encode()[:-1],
        json.dumps({"kennel": CONTACTS}).encode()[:-2],
        json.dumps(CONTACTS).replace(":", " :\t").encode()[:-1],
        json.dumps(CONTACTS).encode() + b"}",
        b"[" * 5_000 + json.dumps(CONTACTS).encode(),
        b'{"a":' + b"[" * 70 + json.dumps(CONTACTS).encode() + b"]" * 70 + b"}",
        b'{"fosterEmail":"ann@x.example","contactName":"Ann Example',
        b'{"contact\\u0045mail":"ann@x.example","contactN\\u0061me":"Ann \\"Example',
        b'{"contact":{"name":"Ann Example","cell":"619-555-0142"},',
        b'{"contacts":[["Ann Example","ann@x.example"]],',
        b'{"contactName":"Ann "Example","contactEmail":ann@x.example',
        b"Warning: no row for ann@x.example (619) 555-0143, 619-555-0142",
        b'{"ownerName":"Ann Example"' + b" " * 5_000_000,
    ],
)  # fmt: skip
def test_f15_no_dead_letter_of_a_row_holds_a_contact(raw: bytes) -> None:
    """F15."""
    kept = refused(raw).raw
    assert not [canary for canary in CANARIES if canary.encode() in kept]
    assert len(kept) <= KEPT_OF_BAD_BYTES


def test_f15_the_rest_of_a_refused_row_is_kept_as_it_came() -> None:
    """F15: a person has to see what is wrong with it."""
    row = json.dumps({"animalID": "17", "name": "Rex", "status": "Available"}).encode()[:-1]
    assert refused(row).raw == row


def test_f15_a_contact_at_the_cut_does_not_come_back() -> None:
    """F15: cleaned before it is cut, and a value that the cut goes through goes whole."""
    for padding in range(KEPT_OF_BAD_BYTES - 60, KEPT_OF_BAD_BYTES + 10):
        raw = b'{"a":"' + b"x" * padding + b'","contactEmail":"ann@x.example"'
        kept = refused(raw).raw
        assert b"ann" not in kept
        assert b"x.example" not in kept


def test_f15_a_real_row_without_an_id_keeps_its_shape() -> None:
    """F15: the usual dead letter."""
    raw = json.dumps(pet_row(animalID="") | CONTACTS).encode()
    kept = json.loads(bytes_without_contacts(raw))
    assert kept.keys() == pet_row().keys()
    assert {kept[name] for name in CONTACTS} == {"(left out)"}
    assert kept["name"] == pet_row()["name"]
