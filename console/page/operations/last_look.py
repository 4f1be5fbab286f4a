"""The last look at how everything stands, kept while servers are away.

Rule 1: whoever asks is answered at once with what is known; a look goes on behind it. Where the
        look is quick, as it mostly is, its result is what they get.
Rule 2: reloading costs nothing: one look is shared by all who ask within `_FRESH_S`; unasked, one
        is made now and then, so that there is something to show.
Rule 3: what can't be had now is shown as it was last, and said to be stale since when.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from aiohttp import web

from console.page import CurrentSettings
from console.page.operations.trends import Trends
from petstream.errors import PetstreamError
from petstream.settings import Settings

_FRESH_S: Final = 5.0
_IDLE_S: Final = 60.0
_UNKNOWN_S: Final = 2.0
"""How soon it looks again, unasked, as long as nothing is known."""

_DEADLINE_S: Final = 15.0
PATIENT_S: Final = _DEADLINE_S + 1.0
"""How long the first look of all takes at most: for pages that have nothing to show without it."""
_FULL_BYTES: Final = 16 * 2**20
_AT_ONCE_S: Final = 0.2
_FIRST_S: Final = 2.0
_SILENT_AFTER_S: Final = 3.0
_BEGINNING_S: Final = 30.0
"""For so long nobody is alarmed that nothing is known: servers and parts take their time."""

Gather = Callable[[Settings], Awaitable[dict[str, Any]]]
"""Looks, and returns a document as `petstream status --json` prints it."""


class LastLook(NamedTuple):
    """What is known of how everything stands."""

    status: dict[str, Any] | None
    """None: no look has come back so far."""
    problem: str | None
    """Why nothing newer is known; None: it is fresh."""
    stale_since: datetime | None
    """Since when nothing newer could be had."""
    pictures_at: str | None
    """Of when the counts of pictures are, where Postgres can't be asked now."""
    trends: Trends
    is_beginning: bool = False
    """Nothing is known, and this process has only begun."""


class LookKeeper:
    """Looks in the background, and keeps what the last one came to."""

    def __init__(self, current_settings: CurrentSettings, gather: Gather) -> None:
        """Prepare; `beside` looks for as long as the site is served."""
        self._current_settings, self._gather = current_settings, gather
        self._trends = Trends()
        self._status: dict[str, Any] | None = None
        self._pictures: dict[str, int] | None = None
        self._pictures_at: str | None = None
        self._problem: str | None = None
        self._ended_s: float | None = None
        self._begun_s = 0.0
        self._began: datetime | None = None
        self._last_good: datetime | None = None
        self._looking: asyncio.Task[None] | None = None
        self._wanted, self._ended = asyncio.Event(), asyncio.Event()

    async def beside(self, _app: web.Application) -> AsyncIterator[None]:
        """Look again and again; of the kind that `cleanup_ctx` takes."""
        self._begun_s = asyncio.get_running_loop().time()
        self._looking = asyncio.create_task(self._keep_looking(), name="looks")
        yield
        self._looking.cancel()
        await asyncio.wait({self._looking})

    async def get(self, first_s: float | None = None) -> LastLook:
        """Return what is known now (rule 1); raises what ended the looks.

        Args:
            first_s: how long the first look of all is waited for.
        """
        first_s = _FIRST_S if first_s is None else first_s
        clock = asyncio.get_running_loop().time
        is_old = self._ended_s is None or clock() - self._ended_s > _FRESH_S
        if is_old or self._began is not None:
            if is_old and self._began is None:
                self._ended.clear()
                self._wanted.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(first_s if self._status is None else _AT_ONCE_S):
                    await self._ended.wait()
        if self._looking is not None and self._looking.done():
            self._looking.result()
        return self._known()

    def _known(self) -> LastLook:
        problem, began = self._problem, self._began
        waited_s = 0.0 if began is None else (datetime.now(UTC) - began).total_seconds()
        if problem is None and waited_s > (_SILENT_AFTER_S if self._status else 0):
            problem = f"there is no answer for {waited_s:.0f} s"
        since = None if problem is None else self._last_good
        age_s = asyncio.get_running_loop().time() - self._begun_s
        return LastLook(
            self._status, problem, since, self._pictures_at, self._trends,
            is_beginning=self._status is None and age_s < _BEGINNING_S,
        )  # fmt: skip

    async def _keep_looking(self) -> None:
        while True:
            self._wanted.clear()
            self._began = datetime.now(UTC)
            try:
                self._problem = await self._look()
            finally:
                self._began = None
                self._ended_s = asyncio.get_running_loop().time()
                self._ended.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(_IDLE_S if self._status else _UNKNOWN_S):
                    await self._wanted.wait()

    async def _look(self) -> str | None:
        """Look, and keep what is seen; return why nothing is."""
        settings = self._current_settings()
        if settings is None or settings.kafka is None:
            return "Kafka and Postgres are being waited for"
        try:
            async with asyncio.timeout(_DEADLINE_S):
                status = await self._gather(settings)
        except PetstreamError as error:
            return f"{error}{_full_disk(settings.data_dir)}"
        except TimeoutError:
            away = f"Kafka at {settings.kafka.bootstrap} doesn't answer within {_DEADLINE_S:g} s"
            return f"{away}{_full_disk(settings.data_dir)}"
        self._keep(status)
        return None

    def _keep(self, status: dict[str, Any]) -> None:
        self._last_good = datetime.now(UTC)
        if status["pictures"] is not None:
            self._pictures, self._pictures_at = status["pictures"], None
        elif self._pictures is not None:
            self._pictures_at = self._pictures_at or (self._status or status)["at"]
            status = status | {"pictures": self._pictures}
        self._status = status
        self._trends.see(status, asyncio.get_running_loop().time())


def _full_disk(data_dir: Path) -> str:
    """Return that the disk of the data directory is full, if it is: an embedded Kafka needs it."""
    try:
        usage = shutil.disk_usage(data_dir)
    except OSError:
        return ""  # it isn't there, or isn't ours: nothing is known of it
    return "" if usage.free > _FULL_BYTES else f"; the disk of {data_dir} is full"
