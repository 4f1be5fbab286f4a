"""Pictures made due again by a person, once what stood in their way is mended.

Rule 1: those that failed, are gone, or wait for another try; without a reason also those of which
        a smaller rendition is stored. What is stored of a picture stays until there is better.
Rule 2: nothing is fetched here: the workers of the consumer images find what is due.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from consumers.engine.migrate import check_migrated
from consumers.engine.postgres import connected, in_words, kind_of
from consumers.engine.queries import query
from petstream.errors import UnreachableError

SMALLER: Final = "smaller-rendition"
"""The reason under which stored ones are counted whose original couldn't be had."""


class RetrySelection(NamedTuple):
    """Which pictures: those that all of what is given fits; nothing given: all."""

    host: str | None = None
    reason: str | None = None
    animal_id: int | None = None


async def make_due(database_url: str, selection: RetrySelection) -> dict[str, int]:
    """Make pictures due; return how many there were of each reason, most first.

    Raises:
        PetstreamError: the database isn't migrated.
        UnreachableError: it is away.
    """
    await check_migrated(database_url)
    host = selection.host.strip().lower().rstrip(".") if selection.host else None
    try:
        async with connected(database_url) as connection:
            rows = await connection.fetch(
                query("retry_pictures"), host, selection.reason, selection.animal_id, SMALLER
            )
    except Exception as error:
        if kind_of(error) == "transient":
            raise UnreachableError(in_words(error)) from None  # the cause may name the user
        raise
    return {row["reason"]: row["pictures"] for row in rows}
