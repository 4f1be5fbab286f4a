"""The job queue's fence: an outcome counts only for the version and the try that were claimed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from scripted_connection import ScriptedConnection

from consumers.engine.queries import query
from consumers.pictures.http import Validators
from consumers.pictures.queue import Claim, FetchOutcome, Postponed, Stored, settle
from consumers.pictures.retry_policy import RefusedPictureError

FENCE = "animal_id = $1 AND picture_key = $2 AND version IS NOT DISTINCT FROM $3 AND attempts = $4"
CLAIM = Claim(
    animal_id=7, key="1", version=datetime(2026, 11, 20, tzinfo=UTC), attempts=2, misses=2,
    url="https://x.org/1.jpg", fetched_url=None, validators=Validators(), stored_as=None,
    thumbnails={},
)  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "name"),
    [
        (None, "picture_unchanged"),
        (Postponed(30.0), "release_picture"),
        (Stored("k", {}, "s", "image/jpeg", 1, 2, 3, Validators()), "picture_stored"),
        (RefusedPictureError("http-404", "missing"), "picture_gone"),
        (RefusedPictureError("http-503", "trouble"), "picture_failed"),
        (RefusedPictureError("markup", "content"), "picture_failed"),
    ],
)
async def test_every_outcome_is_written_behind_the_fence_of_its_claim(
    outcome: FetchOutcome, name: str
) -> None:
    """A worker that was away for longer than its lease mustn't settle what another one tries."""
    connection: Any = ScriptedConnection()
    await settle(connection, CLAIM, outcome)
    assert connection.asked == [name]
    assert connection.arguments[name][:4] == (7, "1", CLAIM.version, 2)
    assert FENCE in query(name)
