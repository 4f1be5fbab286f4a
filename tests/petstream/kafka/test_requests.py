"""What is asked of petstream: whose it is, and which is the newest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec import structs

from petstream.codec import decode
from petstream.events import SnapshotRequest
from petstream.kafka.requests import request_record

EXPORT = "2026-11-23T08:12:04Z"
ASKED = SnapshotRequest(
    asked_by="my-site",
    sequence=7_181_686_096_000_416,
    at=datetime(2026, 11, 23, 17, 20, tzinfo=UTC),
    reason="12 pets of ours aren't in the log",
)


def test_a_request_is_the_askers_and_comes_back_as_it_was() -> None:
    record = request_record(ASKED, EXPORT, "mine.")
    assert (record.topic, record.key) == ("mine.requests.v1", b"my-site")
    envelope = decode(record.headers, record.value)
    assert envelope.event == ASKED
    assert (envelope.subject, envelope.export_id) == ("request/my-site", EXPORT)


def test_asked_again_it_is_newer_whatever_it_asks_for() -> None:
    later = structs.replace(ASKED, sequence=5, at=ASKED.at + timedelta(milliseconds=1))
    ranks = []
    for request in (ASKED, later):
        record = request_record(request, "", "petstream.")
        ranks.append(decode(record.headers, record.value).rank)
    assert ranks[0] < ranks[1]


def test_whatever_an_asker_is_called_its_key_and_headers_are_ascii() -> None:
    record = request_record(structs.replace(ASKED, asked_by="Müllers\nSite"), "", "petstream.")
    assert record.key == b"M%C3%BCllers%0ASite"
    assert all(value.isascii() for _, value in record.headers)
    event = decode(record.headers, record.value).event
    assert isinstance(event, SnapshotRequest)
    assert event.asked_by == "Müllers\nSite"
