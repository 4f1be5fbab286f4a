"""The front page: is the feed fresh, and does anything wait for a person?

Rule 1: reloading costs nothing: everybody who asks within `_FRESH_S` gets the same status.
Rule 2: a server that is away is a line on the page, not an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from aiohttp import web

from console.inspect.database_reader import Unavailable
from console.inspect.letter_counts import LetterCounts
from console.inspect.status import gather
from console.page import CurrentSettings, rendering
from console.page.chart import Bar, bars, durations, unchanged
from console.page.database import Database
from console.page.timeline import timeline
from petstream.errors import PetstreamError
from petstream.settings import Settings

EXPORTS: Final = 30
"""So many exports are shown."""

_FRESH_S: Final = 5.0
_DEADLINE_S: Final = 15.0
_HOSTS: Final = """
    SELECT substring(coalesce(original_url, large_url, small_url)
        FROM '^[a-zA-Z]+://(?:[^/?#]*@)?([^/:?#]+)') AS host, status, count(*) AS pictures
    FROM petstream.pet_pictures WHERE status IN ('due', 'failed', 'gone')
    GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 12"""


class FrontPage(NamedTuple):
    """What the page shows: a document as of `petstream status --json`, and pictures by host."""

    status: dict[str, Any]
    hosts: list[dict[str, Any]]


class Headline(NamedTuple):
    """The page in one line: ``good``, ``warn`` or ``bad``, and why."""

    level: str
    text: str
    detail: str


class Chart(NamedTuple):
    """A chart: the class of its SVG, what it shows in words, and its bars."""

    size: str
    label: str
    bars: tuple[Bar, ...]


def routes(current_settings: CurrentSettings, database: Database) -> list[web.RouteDef]:
    """Return the front page's route."""
    cache = _FrontPageCache(current_settings, database)

    async def front(_request: web.Request) -> web.Response:
        content = await cache.get()
        if isinstance(content, str):
            unreadable = Headline("bad", "Kafka can't be read", content)
            return rendering.page("front.html", headline=unreadable, status=None)
        status = content.status
        return rendering.page(
            "front.html", headline=headline(status), status=status, hosts=content.hosts,
            charts=_charts(status["exports"]), timeline=timeline(status),
        )  # fmt: skip

    return [web.get("/", front)]


def _charts(exports: Sequence[dict[str, Any]]) -> tuple[Chart, ...]:
    return (
        Chart("high", "Pets added, updated, removed and refused, by export", bars(exports)),
        Chart("low", "Rows of pets that were read and hadn't changed", unchanged(exports)),
        Chart("low", "How many seconds each export took", durations(exports)),
    )


def headline(status: dict[str, Any]) -> Headline:
    """Return what matters most of a status (as `petstream status --json` prints it)."""
    feed = status["feed"]
    newest = feed["newestExportId"]
    if newest is None:
        return Headline("warn", "No export yet", "No export was completed so far.")
    age_h = feed["ageHours"]
    old = f"{age_h} hours old" if age_h >= 0 else f"{-age_h} hours ahead of this machine's clock"
    detail = f"The newest completed export is {newest}, {old}."
    window = f"PETSTREAM_WINDOW ended at {feed['windowEnds']} in New York."
    failed = status["exports"] and status["exports"][0]["state"] == "failed"
    away = not status["postgres"]["reachable"]
    lost = [debt["reason"] for debt in status["debts"]["owed"] if debt["owes"] == "snapshot"]
    again = status["snapshots"]["inLastDay"] > 1
    for holds, level, text, why in (
        (again, "bad", "Kafka loses records again and again", " Look at the broker's disk."),
        (feed["late"], "bad", "The feed is late", " A day was missed, or nobody reads it."),
        (feed["lateToday"], "warn", "Today's export is late", f" {window}"),
        (lost, "warn", "Kafka lost records", f" A snapshot is owed: {'; '.join(lost)}."),
        (failed, "warn", "The last export couldn't be read", ""),
        (status["heldPlans"], "warn", "Fresh, but removals are held", ""),
        (away, "warn", "Fresh, but Postgres can't be asked", ""),
    ):
        if holds:
            return Headline(level, text, detail + why)
    return Headline("good", "The feed is fresh", detail)


class _FrontPageCache:
    """The last content and when it was gathered; it is gathered once at a time."""

    def __init__(self, current_settings: CurrentSettings, database: Database) -> None:
        self._current_settings, self._database = current_settings, database
        self._lock = asyncio.Lock()
        self._gathered_at_s: float | None = None
        self._content: FrontPage | str = ""
        self._letters = LetterCounts()

    async def get(self) -> FrontPage | str:
        """Return what the page shows, or why there is nothing to show."""
        clock = asyncio.get_running_loop().time
        async with self._lock:
            if self._gathered_at_s is None or clock() - self._gathered_at_s > _FRESH_S:
                self._content = await _content(
                    self._current_settings(), self._database, self._letters
                )
                self._gathered_at_s = clock()
            return self._content


async def _content(
    settings: Settings | None, database: Database, letters: LetterCounts
) -> FrontPage | str:
    if settings is None or settings.kafka is None:
        return "Kafka and Postgres are being waited for."
    try:
        async with asyncio.timeout(_DEADLINE_S):
            status = await gather(
                settings,
                kafka=settings.kafka,
                database_url=settings.pages_database_url,
                last=EXPORTS,
                letters=letters,
            )
    except PetstreamError as error:
        return str(error)
    except TimeoutError:
        return f"Kafka at {settings.kafka.bootstrap} doesn't answer within {_DEADLINE_S:g} s."
    rows = await database.rows(hosts=(_HOSTS, ()))
    return FrontPage(status, [] if isinstance(rows, Unavailable) else rows["hosts"])
