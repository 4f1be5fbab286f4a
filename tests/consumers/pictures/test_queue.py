"""The job queue's fence: an outcome counts only for the version and the try that were claimed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from scripted_connection import ScriptedConnection

from consumers.engine.queries import query
from consumers.pictures.http import Validators
from consumers.pictures.queue import (
    Claim,
    FetchOutcome,
    Postponed,
    RenditionUrl,
    Stored,
    claim_due,
    settle,
)
from consumers.pictures.retry_policy import RefusedPictureError

FENCE = "animal_id = $1 AND picture_key = $2 AND version IS NOT DISTINCT FROM $3 AND attempts = $4"
ORIGINAL = RenditionUrl("original", "https://x.org/1.jpg")
CLAIM = Claim(
    animal_id=7, key="1", version=datetime(2026, 11, 20, tzinfo=UTC), attempts=2, misses=2,
    urls=(ORIGINAL,), fetched_url=None, validators=Validators(), stored_as=None, thumbnails={},
)  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "name"),
    [
        (None, "picture_unchanged"),
        (Postponed(30.0), "release_picture"),
        (Stored(ORIGINAL, "k", {}, "s", "image/jpeg", 1, 2, 3, Validators()), "picture_stored"),
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


async def test_p6_what_is_stored_is_told_with_its_rendition_and_url() -> None:
    """P6: in the row and, by the same query, in the event."""
    connection: Any = ScriptedConnection()
    large = RenditionUrl("large", "https://x.org/1_500.jpg")
    await settle(
        connection, CLAIM, Stored(large, "k", {}, "s", "image/jpeg", 1, 2, 3, Validators())
    )
    _, fetched_url, rendition = (connection.arguments["picture_stored"][at] for at in (4, 11, 14))
    assert (fetched_url, rendition) == (large.url, "large")
    assert "rendition = $15" in query("picture_stored")
    assert query("picture_stored").count("$15") == 2


async def test_p6_renditions_are_claimed_largest_first_each_url_once() -> None:
    """P6: hosts that have one size only give it as all three."""
    row = {
        "animal_id": 7, "picture_key": "1", "version": None, "attempts": 1, "misses": 0,
        "original_url": None, "large_url": "https://x.org/a", "small_url": "https://x.org/a",
        "fetched_url": None, "etag": None, "last_modified": None, "stored_as": None,
        "thumbnails": None,
    }  # fmt: skip
    rows = [row, row | {"original_url": "https://x.org/b", "small_url": "https://x.org/c"}]
    connection: Any = ScriptedConnection(claim_pictures=rows)
    claims = await claim_due(connection, 2)
    assert [[source.rendition for source in claim.urls] for claim in claims] == [
        ["large"],
        ["original", "large", "small"],
    ]
