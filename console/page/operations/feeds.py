"""All feeds at one place: this console's own, and what the consoles of others answer to `/api`.

Rule 1: a console that doesn't answer is a line that says why; the others are shown all the same.
Rule 2: what another console says is words: it is escaped like the feed's, and only its address,
        which is a setting of ours, is a link.
Rule 3: however many look, others are asked once in a while, all at the same time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Final

import aiohttp
import msgspec
from aiohttp import web

from console.page import CurrentSettings, rendering
from console.page.operations.front import look_of
from console.page.operations.last_look import LookKeeper

_ASKED_EVERY_S: Final = 5.0
_ANSWERS_WITHIN_S: Final = 4.0
_LONGEST_BYTES: Final = 4 * 1024 * 1024
_LONGEST_TEXT: Final = 400


class StateOfFeed(msgspec.Struct, frozen=True, rename="camel"):
    """How a feed stands, as its own front page says it; `/api/feeds` answers with these.

    Attributes:
        name: what it is called here.
        url: of its console; null: it is this one.
        level: ``good``, ``info``, ``warn`` or ``bad``; ``bad`` too where it gives no answer.
        text: its front page in one line.
        detail: a sentence more.
        problems: how many things are wrong; null: not known.
        newest_export_id: its newest completed export; null: there is none, or it isn't known.
        held_plans: removals that wait for a decision; null: not known.
    """

    name: str
    url: str | None
    level: str
    text: str
    detail: str
    problems: int | None = None
    newest_export_id: str | None = None
    held_plans: int | None = None


class _FeedAge(msgspec.Struct, rename="camel"):
    newest_export_id: str | None


class _Standing(msgspec.Struct, rename="camel"):
    feed: _FeedAge
    held_plans: list[msgspec.Raw]


class _Overview(msgspec.Struct):
    """What is read of another console's `/api/overview`."""

    level: str
    text: str
    detail: str
    problems: list[msgspec.Raw]
    standing: _Standing | None


_OVERVIEW: Final = msgspec.json.Decoder(_Overview)
_LEVELS: Final = ("good", "info", "warn", "bad")


class FeedLooks:
    """Looks at all feeds."""

    def __init__(self, keeper: LookKeeper, current: CurrentSettings) -> None:
        """Look at our own through its keeper, and at others as the settings name them."""
        self._keeper, self._current = keeper, current
        self._asking = asyncio.Lock()
        self._others: list[StateOfFeed] = []
        self._asked_at = float("-inf")

    async def every(self) -> list[StateOfFeed]:
        """Return how each feed stands, our own first."""
        settings = self._current()
        look = look_of(await self._keeper.get())
        level, text, detail = look["headline"]
        status = look.get("status")
        ours = StateOfFeed(
            "this one" if settings is None else settings.topic_prefix.rstrip("."),
            None, level, text, detail, len(look["wrong"]),
            None if status is None else status["feed"]["newestExportId"],
            None if status is None else len(status["heldPlans"]),
        )  # fmt: skip
        return [ours, *await self._of_others({} if settings is None else settings.feeds)]

    async def _of_others(self, consoles: Mapping[str, str]) -> list[StateOfFeed]:
        async with self._asking:
            if time.monotonic() - self._asked_at >= _ASKED_EVERY_S:
                timeout = aiohttp.ClientTimeout(total=_ANSWERS_WITHIN_S)
                async with aiohttp.ClientSession(timeout=timeout) as session:
                    asked = (_ask(session, name, url) for name, url in consoles.items())
                    self._others = [*await asyncio.gather(*asked)]
                self._asked_at = time.monotonic()
        return self._others


async def _ask(session: aiohttp.ClientSession, name: str, url: str) -> StateOfFeed:
    """Return what a console says of its feed, or why it says nothing."""
    try:
        async with session.get(f"{url}/api/overview", allow_redirects=False) as response:
            if response.status != 200:  # noqa: PLR2004  of HTTP
                hint = (
                    ": it may lack this machine's name for it in PETSTREAM_CONSOLE_HOSTS"
                    if response.status in {403, 421}
                    else ""
                )
                return _silent(name, url, f"answers with status {response.status}{hint}")
            content = b""
            async for block in response.content.iter_any():
                content += block
                if len(content) > _LONGEST_BYTES:
                    return _silent(name, url, "answers without end")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return _silent(name, url, f"can't be asked ({type(error).__name__})")
    try:
        overview = _OVERVIEW.decode(content)
    except msgspec.DecodeError:
        return _silent(name, url, "doesn't answer as a console of petstream does")
    standing = overview.standing
    newest = None if standing is None else standing.feed.newest_export_id
    return StateOfFeed(
        name, url, overview.level if overview.level in _LEVELS else "bad",
        overview.text[:_LONGEST_TEXT], overview.detail[:_LONGEST_TEXT], len(overview.problems),
        None if newest is None else newest[:_LONGEST_TEXT],
        None if standing is None else len(standing.held_plans),
    )  # fmt: skip


def _silent(name: str, url: str, why: str) -> StateOfFeed:
    return StateOfFeed(name, url, "bad", "Nothing is known", f"Its console {why}.")


def routes(looks: FeedLooks) -> list[web.RouteDef]:
    """Return the route of the page."""

    async def every(_request: web.Request) -> web.Response:
        return rendering.page("feeds.html", feeds=await looks.every())

    return [web.get("/feeds", every)]
