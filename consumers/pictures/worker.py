"""The workers: they take due pictures from the list until told to stop or, draining, none is due.

Rule 1: they share nothing with the consumer but the list: a slow host never stalls a partition.
Rule 2: any number of processes share the list; each row is claimed by one.
Rule 3: trouble with Postgres, Kafka or the store is waited out, and no picture is blamed for it.
        After trouble with the store, nothing is fetched until it takes something again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from consumers.engine.backoff import Patience, pause
from consumers.engine.postgres import TROUBLE, Connection, connected
from consumers.engine.queries import query
from consumers.engine.runner import RunContext
from consumers.pictures import outbox, sweep
from consumers.pictures.fetch import Workshop, fetched
from consumers.pictures.http import Limits, picture_hosts
from consumers.pictures.queue import Claim, Outcome, Postponed, Stored, claim, settle
from consumers.pictures.store import PictureStore, StoreTroubleError, probe, store_of
from consumers.pictures.thumbnails import thumbnailer
from petstream import failpoints
from petstream.errors import PetstreamError
from petstream.metrics import PICTURES
from petstream.settings import Settings

_AT_ONCE: Final = 12
_PAUSE_S: Final = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """What the workers do, and where."""

    store: PictureStore
    limits: Limits
    sizes: tuple[int, ...]


def work_of(settings: Settings) -> Work | None:
    """Return what the settings ask for; None if pictures are neither fetched nor stored."""
    if settings.pictures is None or settings.pictures == "off":
        return None
    limits = Limits(
        allowed=settings.picture_hosts,
        trusted=settings.picture_trusted_hosts,
    )
    return Work(store_of(settings.pictures), limits, settings.thumbnails)


async def with_workers(
    consuming: Coroutine[Any, Any, None], work: Work | None, context: RunContext
) -> None:
    """Run the consumer images and, beside it, the workers on its list."""
    if work is None:
        await consuming
        return
    listed, done = asyncio.Event(), asyncio.Event()

    async def consume() -> None:
        await consuming
        listed.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(consume(), name="images")
        group.create_task(_working(work, context, listed, done), name="picture workers")
        group.create_task(_housekeeping(work, context, done), name="picture news")


async def _working(
    work: Work, context: RunContext, listed: asyncio.Event, done: asyncio.Event
) -> None:
    patience = Patience("pictures", context.stopping, limited=context.drain)
    doubt: str | None = None
    while not context.stopping.is_set():
        async with patience:
            try:
                if doubt is not None:
                    await probe(work.store)
                    doubt = None
                await _work(work, context, patience, listed)
            except StoreTroubleError as trouble:
                doubt = _doubt(trouble, doubt, drain=context.drain)
                raise
            break
    done.set()


def _doubt(trouble: StoreTroubleError, before: str | None, *, drain: bool) -> str:
    """Say what is wrong with the store, once; who can't wait for it to be mended ends with it."""
    said = f"pictures: {trouble}"
    if drain and trouble.lasting:
        raise PetstreamError(f"{said}; what was due is due") from None
    if said != before:
        _log.warning("%s; what was due is due", said)
    return said


async def _work(work: Work, context: RunContext, patience: Patience, listed: asyncio.Event) -> None:
    async with (
        connected(context.database_url) as connection,
        picture_hosts(work.limits) as hosts,
        thumbnailer() as small,
    ):
        await connection.execute(query("want_pictures_left_off"))
        shop = Workshop(hosts, small, work.store, work.sizes)
        await _Session(connection, shop, context, patience, listed).run()


class _Session:
    """The pictures in hand, over one connection."""

    def __init__(
        self,
        connection: Connection,
        shop: Workshop,
        context: RunContext,
        patience: Patience,
        listed: asyncio.Event,
    ) -> None:
        self._connection, self._shop, self._context = connection, shop, context
        self._patience, self._listed = patience, listed
        self._running: dict[asyncio.Task[Outcome], Claim] = {}

    async def run(self) -> None:
        try:
            while not self._context.stopping.is_set():
                all_was_listed = self._listed.is_set()
                taken = await self._take()
                if not self._running:
                    if self._context.drain and all_was_listed and not taken:
                        return
                    await pause(self._context.stopping, _PAUSE_S)
                    continue
                done, _ = await asyncio.wait(
                    self._running, timeout=_PAUSE_S, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    await self._settle(task)
        finally:
            await self._let_go()

    async def _take(self) -> int:
        free = _AT_ONCE - len(self._running)
        claims = await claim(self._connection, free) if free else []
        for one in claims:
            self._running[asyncio.create_task(fetched(one, self._shop))] = one
        return len(claims)

    async def _settle(self, task: asyncio.Task[Outcome]) -> None:
        outcome = task.result()  # raises what the store did
        await settle(self._connection, self._running[task], outcome)
        failpoints.point("picture.row.after")
        PICTURES.labels(_word_for(outcome)).inc()
        del self._running[task]
        self._patience.rest()
        if not isinstance(outcome, Postponed):
            self._context.progress("pictures", 1)

    async def _let_go(self) -> None:
        """Give back what is in hand, if that can be; else it is due when the lease is over."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)
            for task, one in self._running.items():
                if not task.cancelled():
                    task.exception()  # told by whoever raised first
                with suppress(*TROUBLE):
                    await settle(self._connection, one, Postponed(0.0))
        self._running.clear()


def _word_for(outcome: Outcome) -> str:
    if outcome is None:
        return "unchanged"
    if isinstance(outcome, Stored):
        return "stored"
    return "postponed" if isinstance(outcome, Postponed) else "refused"


async def _housekeeping(work: Work, context: RunContext, done: asyncio.Event) -> None:
    """Publish the news; sweep once a day, unless this process is to end by itself."""
    patience = Patience("picture news", context.stopping, limited=context.drain)
    while not context.stopping.is_set():
        async with patience:
            async with connected(context.database_url) as connection:
                while not context.stopping.is_set():
                    last = done.is_set()
                    told = await outbox.publish(connection, context.kafka, context.prefix)
                    patience.rest()
                    if last and not told:
                        return
                    if not context.drain:
                        await sweep.sweep_in_turn(connection, work.store)
                    if not told:
                        await pause(done if context.drain else context.stopping, _PAUSE_S)
            return
