"""The wanted list as the workers see it: claimed, and what came of it.

Rule 1: a claim is a row's next try put off; whoever dies with one loses it when that time comes.
Rule 2: what came of it counts only for the version and the try that were claimed.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from consumers.engine.postgres import Connection
from consumers.engine.queries import query
from consumers.pictures.http import Validators
from consumers.pictures.retry_policy import RefusedPictureError, verdict

LEASE: Final = timedelta(minutes=10)


class Claim(NamedTuple):
    """A picture to fetch."""

    animal_id: int
    key: str
    version: datetime | None
    attempts: int
    misses: int
    url: str | None
    fetched_url: str | None
    validators: Validators
    stored_as: str | None
    thumbnails: dict[str, str]

    @property
    def mark(self) -> tuple[int, str, datetime | None, int]:
        """What names this try of this version."""
        return self.animal_id, self.key, self.version, self.attempts


class Stored(NamedTuple):
    """What was stored."""

    stored_as: str
    thumbnails: dict[str, str]
    sha256: str
    content_type: str
    size_bytes: int
    width: int
    height: int
    validators: Validators


class Postponed(NamedTuple):
    """Not tried: the host asked to be left alone."""

    wait_s: float


Outcome = Stored | Postponed | RefusedPictureError | None
"""None: nothing newer than what is stored."""


async def claim(connection: Connection, most: int, lease: timedelta = LEASE) -> list[Claim]:
    """Take up to `most` due pictures; nobody else is given them."""
    rows = await connection.fetch(query("claim_pictures"), most, lease)
    return [
        Claim(
            row["animal_id"], row["picture_key"], row["version"], row["attempts"], row["misses"],
            row["url"], row["fetched_url"], Validators(row["etag"], row["last_modified"]),
            row["stored_as"], json.loads(row["thumbnails"] or "{}"),
        )
        for row in rows
    ]  # fmt: skip


async def settle(connection: Connection, one: Claim, outcome: Outcome) -> None:
    """Write what came of a claim."""
    if outcome is None:
        await connection.execute(query("picture_unchanged"), *one.mark)
    elif isinstance(outcome, Postponed):
        await connection.execute(query("release_picture"), *one.mark, outcome.wait_s)
    elif isinstance(outcome, Stored):
        await connection.execute(
            query("picture_stored"), *one.mark, outcome.stored_as, json.dumps(outcome.thumbnails),
            outcome.sha256, outcome.content_type, outcome.size_bytes, outcome.width,
            outcome.height, one.url, *outcome.validators,
        )  # fmt: skip
    else:
        found = verdict(outcome, one.attempts, one.misses)
        if found.status == "gone":
            await connection.execute(
                query("picture_gone"), *one.mark, outcome.reason, found.misses
            )  # fmt: skip
        else:
            await connection.execute(
                query("picture_failed"), *one.mark, found.status, outcome.reason, found.misses,
                found.wait_s,
            )  # fmt: skip
