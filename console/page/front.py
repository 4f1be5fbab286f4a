"""The front page: is the feed fresh, and does anything wait for a person?

Rule 1: reloading costs nothing: one look is shared by everybody who asks within `_FRESH_S`.
Rule 2: a server that is away is a line on the page, not an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from aiohttp import web

from console.inspect.database_reader import Away
from console.inspect.status import gather
from console.page import Known, paper
from console.page.chart import Bar, bars, durations, unchanged
from console.page.timeline import timeline
from console.page.views import Views
from petstream.errors import PetstreamError
from petstream.settings import Settings

EXPORTS: Final = 30
"""So many exports are shown."""

_FRESH_S: Final = 5.0
_PATIENCE_S: Final = 15.0
_HOSTS: Final = """
    SELECT substring(coalesce(original_url, large_url, small_url)
        FROM '^[a-zA-Z]+://(?:[^/?#]*@)?([^/:?#]+)') AS host, status, count(*) AS pictures
    FROM petstream.pet_pictures WHERE status IN ('due', 'failed', 'gone')
    GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 12"""


class Seen(NamedTuple):
    """How everything stands, and pictures that aren't stored by host."""

    found: dict[str, Any]
    hosts: list[dict[str, Any]]


class Verdict(NamedTuple):
    """The page in one line: ``good``, ``warn`` or ``bad``, and why."""

    level: str
    headline: str
    detail: str


def routes(known: Known, views: Views) -> list[web.RouteDef]:
    """Return the front page's route."""
    looker = _Looker(known, views)

    async def front(_request: web.Request) -> web.Response:
        seen = await looker.look()
        if isinstance(seen, str):
            said = Verdict("bad", "Kafka can't be read", seen)
            return paper.answer("front.html", verdict=said, found=None)
        found = seen.found
        return paper.answer(
            "front.html", verdict=verdict(found), found=found, hosts=seen.hosts,
            charts=_charts(found["exports"]), timeline=timeline(found),
        )  # fmt: skip

    return [web.get("/", front)]


def _charts(exports: Sequence[dict[str, Any]]) -> tuple[tuple[str, str, tuple[Bar, ...]], ...]:
    """Return each chart: its class, what it shows in words, and its bars."""
    return (
        ("high", "Pets added, updated, removed and refused, by export", bars(exports)),
        ("low", "Rows of pets that were read and hadn't changed", unchanged(exports)),
        ("low", "How many seconds each export took", durations(exports)),
    )


def verdict(found: dict[str, Any]) -> Verdict:
    """Return what matters most of how everything stands (as `petstream status --json` tells it)."""
    feed = found["feed"]
    newest = feed["newestExportId"]
    if newest is None:
        return Verdict("warn", "No export yet", "No export was completed so far.")
    age_h = feed["ageHours"]
    old = f"{age_h} hours old" if age_h >= 0 else f"{-age_h} hours ahead of this machine's clock"
    detail = f"The newest completed export is {newest}, {old}."
    window = f"PETSTREAM_WINDOW ended at {feed['windowEnds']} in New York."
    failed = found["exports"] and found["exports"][0]["state"] == "failed"
    away = not found["postgres"]["reachable"]
    for holds, level, headline, why in (
        (feed["late"], "bad", "The feed is late", " A day was missed, or nobody reads it."),
        (feed["lateToday"], "warn", "Today's export is late", f" {window}"),
        (failed, "warn", "The last export couldn't be read", ""),
        (found["heldPlans"], "warn", "Fresh, but removals are held", ""),
        (away, "warn", "Fresh, but Postgres can't be asked", ""),
    ):
        if holds:
            return Verdict(level, headline, detail + why)
    return Verdict("good", "The feed is fresh", detail)


class _Looker:
    """The last look and when it was; one look at a time."""

    def __init__(self, known: Known, views: Views) -> None:
        self._known, self._views = known, views
        self._lock = asyncio.Lock()
        self._last: tuple[float, Seen | str] | None = None

    async def look(self) -> Seen | str:
        """Return how everything stands, or why that can't be told."""
        clock = asyncio.get_running_loop().time
        async with self._lock:
            if self._last is None or clock() - self._last[0] > _FRESH_S:
                found = await _look(self._known(), self._views)
                self._last = clock(), found
            return self._last[1]


async def _look(settings: Settings | None, views: Views) -> Seen | str:
    if settings is None or settings.kafka is None:
        return "Kafka and Postgres are being waited for."
    database_url = settings.database_url
    try:
        async with asyncio.timeout(_PATIENCE_S):
            found = await gather(
                settings, kafka=settings.kafka, database_url=database_url, last=EXPORTS
            )
    except PetstreamError as error:
        return str(error)
    except TimeoutError:
        return f"Kafka at {settings.kafka.bootstrap} doesn't answer within {_PATIENCE_S:g} s."
    rows = await views.rows(hosts=(_HOSTS, ()))
    return Seen(found, [] if isinstance(rows, Away) else rows["hosts"])
