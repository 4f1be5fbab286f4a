"""What is published of an export that can't be read: once a reason, nothing of a completed one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingest.failed_attempt import FailedAttempt, unless_unreachable
from ingest.source.listing import RemoteFile, export_set
from ingest.state.export_history import ExportHistory
from petstream.errors import NotReadyError, UnreachableError
from petstream.events import Counts, ExportCounts, ExportEvent

START = datetime(2026, 11, 2, 8, 12, 4, tzinfo=UTC)
FILES = export_set([
    RemoteFile("orgs_1.json", 100, START + timedelta(minutes=5)),
    RemoteFile("pets_1.json", 200, START + timedelta(minutes=6)),
])  # fmt: skip
FAILED = FailedAttempt(FILES, START, "pets_2.json is missing", "weekly")


def test_it_is_published_as_unread_with_the_files_that_are_there() -> None:
    event = FAILED.event(ExportHistory())
    assert event is not None
    assert (event.state, event.unread, event.reason) == ("failed", True, FAILED.reason)
    assert (event.export_id, event.mode) == ("2026-11-02T08:12:04Z", "initial")
    assert [(file.name, file.rows) for file in event.files] == [
        ("orgs_1.json", 0), ("pets_1.json", 0),
    ]  # fmt: skip


def test_without_a_start_stamp_it_is_named_by_its_newest_file() -> None:
    event = FailedAttempt(FILES, None, "orgs_1.json is broken", "weekly").event(ExportHistory())
    assert event is not None
    assert event.export_id == "2026-11-02T08:18:04Z"


def test_the_same_reason_is_published_once_and_another_again() -> None:
    history = ExportHistory()
    event = FAILED.event(history)
    assert event is not None
    history.fold(event)
    assert FAILED.event(history) is None
    assert FailedAttempt(FILES, START, "pets_1.json is broken", "weekly").event(history) is not None


def test_nothing_is_published_of_an_export_that_was_completed() -> None:
    history = ExportHistory()
    history.fold(
        ExportEvent(
            export_id="2026-11-02T08:12:04Z", mode="initial", state="completed", at=START,
            counts=ExportCounts(Counts(), Counts()), base=int(START.timestamp()),
            fingerprint=FILES.fingerprint,
        )
    )  # fmt: skip
    assert FAILED.event(history) is None


def test_a_server_that_is_away_is_said_and_hides_nothing() -> None:
    lines: list[str] = []
    with unless_unreachable(lines.append):
        raise UnreachableError("Kafka is away")
    assert lines == ["exports.v1 doesn't say that this export can't be read: Kafka is away"]
    with pytest.raises(NotReadyError), unless_unreachable(lines.append):
        raise NotReadyError("something else")
