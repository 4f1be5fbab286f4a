"""The job queue of pictures: due ones are claimed from the wanted list, their outcomes written.

Rule 1: a claim puts the row's next try off by a lease: if a worker dies, it is due again after it.
Rule 2: an outcome counts only for the version and the try that were claimed.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from consumers.engine.postgres import Connection
from consumers.engine.queries import query
from consumers.pictures.http import Validators
from consumers.pictures.retry_policy import RefusedPictureError, decide_retry

LEASE: Final = timedelta(minutes=10)
RENDITIONS: Final = ("original", "large", "small")
"""As the feed names them, in the order in which they are asked for."""


class RenditionUrl(NamedTuple):
    """Where one of a picture's renditions is."""

    rendition: str
    url: str


class Claim(NamedTuple):
    """A picture to fetch."""

    animal_id: int
    key: str
    version: datetime | None
    attempts: int
    misses: int
    urls: tuple[RenditionUrl, ...]
    fetched_url: str | None
    validators: Validators
    stored_as: str | None
    thumbnails: dict[str, str]

    @property
    def try_key(self) -> tuple[int, str, datetime | None, int]:
        """What identifies this try of this version: $1 to $4 of the queries that write outcomes."""
        return self.animal_id, self.key, self.version, self.attempts


class Stored(NamedTuple):
    """What was stored, and of which rendition."""

    source: RenditionUrl
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


FetchOutcome = Stored | Postponed | RefusedPictureError | None
"""None: nothing newer than what is stored."""


async def claim_due(connection: Connection, most: int, lease: timedelta = LEASE) -> list[Claim]:
    """Take up to `most` due pictures; nobody else is given them."""
    return [_claim(row) for row in await connection.fetch(query("claim_pictures"), most, lease)]


def _claim(row: Any) -> Claim:
    return Claim(
        animal_id=row["animal_id"],
        key=row["picture_key"],
        version=row["version"],
        attempts=row["attempts"],
        misses=row["misses"],
        urls=_urls(row),
        fetched_url=row["fetched_url"],
        validators=Validators(row["etag"], row["last_modified"]),
        stored_as=row["stored_as"],
        thumbnails=json.loads(row["thumbnails"] or "{}"),
    )


def _urls(row: Any) -> tuple[RenditionUrl, ...]:
    """Return the URLs that there are, each once."""
    named: dict[str, str] = {}
    for rendition in RENDITIONS:
        url = row[f"{rendition}_url"]
        if url is not None:
            named.setdefault(url, rendition)
    return tuple(RenditionUrl(rendition, url) for url, rendition in named.items())


async def settle(connection: Connection, claim: Claim, outcome: FetchOutcome) -> None:
    """Write the outcome of a claim."""
    if outcome is None:
        await connection.execute(query("picture_unchanged"), *claim.try_key)
    elif isinstance(outcome, Postponed):
        await connection.execute(query("release_picture"), *claim.try_key, outcome.wait_s)
    elif isinstance(outcome, Stored):
        await connection.execute(
            query("picture_stored"), *claim.try_key, outcome.stored_as,
            json.dumps(outcome.thumbnails), outcome.sha256, outcome.content_type,
            outcome.size_bytes, outcome.width, outcome.height, outcome.source.url,
            outcome.validators.etag, outcome.validators.last_modified, outcome.source.rendition,
        )  # fmt: skip
    else:
        await _settle_refusal(connection, claim, outcome)


async def _settle_refusal(
    connection: Connection, claim: Claim, refusal: RefusedPictureError
) -> None:
    decision = decide_retry(refusal, claim.attempts, claim.misses)
    if decision.status == "gone":
        await connection.execute(
            query("picture_gone"), *claim.try_key, refusal.reason, decision.misses
        )
    else:
        await connection.execute(
            query("picture_failed"), *claim.try_key, decision.status, refusal.reason,
            decision.misses, decision.wait_s,
        )  # fmt: skip
