"""The front page: what is wrong and what to do, which parts are alive, and what happened last.

Rule 1: what is wrong comes first, most urgent first, with what it means and what to do.
Rule 2: a server that is away is said in words beside the last known state, not instead of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiohttp import web

from console.inspect.database_reader import Unavailable
from console.inspect.letter_counts import LetterCounts
from console.inspect.status import gather, problems
from console.inspect.trouble import conditions
from console.inspect.trouble.status_text import age_in_words, doing_in_words
from console.page import CurrentSettings, rendering
from console.page.database import Database
from console.page.operations import trends
from console.page.operations.exports import chart_of
from console.page.operations.last_look import LastLook, LookKeeper
from console.page.timeline import timeline
from consumers.engine.queries import query
from petstream.settings import Settings

EXPORTS: Final = 30
"""So many exports are shown."""

_POSTGRES_S: Final = 6.0
_BEGINS: Final = "This process has only begun ({}). The page looks again by itself."


class Headline(NamedTuple):
    """The page in one line: ``good``, ``info``, ``warn`` or ``bad``, and why."""

    level: str
    text: str
    detail: str


class LagInWords(NamedTuple):
    """How far a part is with a topic, or with all of them; `title` has the figures."""

    text: str
    title: str
    level: str


def mount(app: web.Application, current: CurrentSettings, database: Database) -> LookKeeper:
    """Put the front page onto the site, and return who looks for it."""
    letters = LetterCounts()

    async def look(settings: Settings) -> dict[str, Any]:
        assert settings.kafka is not None  # noqa: S101  the keeper waits for it
        status = await gather(
            settings, kafka=settings.kafka, database_url=settings.pages_database_url,
            last=EXPORTS, letters=letters, postgres_within_s=_POSTGRES_S,
        )  # fmt: skip
        if not status["postgres"]["reachable"]:
            return status | {"hosts": []}
        rows = await database.rows(hosts=(query("pictures_by_host", "console"), ()))
        return status | {"hosts": [] if isinstance(rows, Unavailable) else rows["hosts"]}

    keeper = LookKeeper(current, look)
    app.cleanup_ctx.append(keeper.beside)

    async def front(_request: web.Request) -> web.Response:
        return page(await keeper.get())

    app.router.add_get("/", front)
    return keeper


def page(last: LastLook) -> web.Response:
    """Return the page of what is known."""
    return rendering.page("front.html", **look_of(last))


def look_of(last: LastLook) -> dict[str, Any]:
    """Return what the page shows, and `/api` answers."""
    status = last.status
    if status is None:
        reason = last.problem or "the first look isn't back yet"
        if last.is_beginning or last.problem is None:
            begins = Headline("info", "Nothing is known yet", _BEGINS.format(reason))
            return {"headline": begins, "wrong": [], "last": last}
        wrong = [conditions.document(conditions.kafka_away(reason))]
        return {"headline": headline(None, wrong), "wrong": wrong, "last": last}
    wrong = problems(status, last.trends.trend())
    if last.problem is not None:
        wrong.insert(0, conditions.document(conditions.kafka_away(last.problem)))
    return {
        "headline": headline(status, wrong), "wrong": wrong, "last": last, "status": status,
        "chart": chart_of(status), "timeline": timeline(status),
        "reading": trends.reading(status, last.trends),
        "behind": trends.catching_up(status, last.trends),
        "picturing": trends.picturing(status, last.trends),
        "doing": doing_in_words, "lags": lags_in_words(status["lag"]),
    }  # fmt: skip


def lags_in_words(lags: Sequence[Mapping[str, Any]]) -> dict[str, list[LagInWords]]:
    """Return how far each part is: one that has done all says so once, not for each topic."""
    words: dict[str, list[LagInWords]] = {}
    for part in dict.fromkeys(lag["consumer"] for lag in lags):
        of_part = [lag for lag in lags if lag["consumer"] == part]
        behind = [
            LagInWords(f"{lag['topic']}: {lag['lag']:,} behind", _figures(lag), "warn")
            for lag in of_part
            if lag["lag"]
        ]
        all_of_them = "; ".join(f"{lag['topic']}: {_figures(lag)}" for lag in of_part)
        words[part] = behind or [LagInWords("up to date", all_of_them, "quiet")]
    return words


def _figures(lag: Mapping[str, Any]) -> str:
    return f"{lag['position']:,} of {lag['end']:,}"


def headline(status: dict[str, Any] | None, wrong: Sequence[dict[str, Any]]) -> Headline:
    """Return what matters most: the most urgent of what is wrong, else how fresh the feed is."""
    urgent = [problem for problem in wrong if problem["level"] != "info"]
    if status is None:
        return Headline("bad", urgent[0]["what"].partition(":")[0], urgent[0]["what"])
    newest, age_h = status["feed"]["newestExportId"], status["feed"]["ageHours"]
    fresh = (
        "No export was completed so far."
        if newest is None
        else f"The newest completed export is {newest}, {age_in_words(age_h)}."
    )
    if urgent:
        more = len(urgent) - 1
        also = f" {more} more {'thing needs' if more == 1 else 'things need'} you." if more else ""
        text = urgent[0]["what"].partition(": ")[0]
        return Headline(urgent[0]["level"], text, fresh + also)
    if newest is None:
        return Headline("warn", "No export yet", fresh)
    runs = any(part["state"] == "running" for part in status["parts"])
    return Headline("good", f"The feed is fresh{', and every part runs' if runs else ''}", fresh)
