"""The workers: they fetch due pictures until told to stop or, draining, until none is due.

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

from consumers.engine.backoff import Retry
from consumers.engine.postgres import TROUBLE, Connection, connected
from consumers.engine.queries import query
from consumers.engine.runner import RunContext
from consumers.pictures import outbox, sweep
from consumers.pictures.fetch import FetchContext, fetch
from consumers.pictures.http import DownloadLimits, picture_client
from consumers.pictures.queue import Claim, FetchOutcome, Postponed, Stored, claim_due, settle
from consumers.pictures.store.factory import open_store, probe
from consumers.pictures.store.interface import PictureStore, StoreTroubleError
from consumers.pictures.thumbnails import thumbnailer
from petstream import failpoints
from petstream.errors import PetstreamError
from petstream.metrics import PICTURES
from petstream.settings import Settings
from petstream.waiting import pause

_MAX_FETCHES: Final = 12
_PAUSE_S: Final = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerConfig:
    """How pictures are fetched, and where they are stored."""

    store: PictureStore
    limits: DownloadLimits
    sizes: tuple[int, ...]


def worker_config(settings: Settings) -> WorkerConfig | None:
    """Return what the settings ask for; None if pictures are neither fetched nor stored."""
    if settings.pictures is None or settings.pictures == "off":
        return None
    limits = DownloadLimits(
        allowed=settings.picture_hosts,
        trusted=settings.picture_trusted_hosts,
    )
    return WorkerConfig(open_store(settings.pictures), limits, settings.thumbnails)


async def with_workers(
    consuming: Coroutine[Any, Any, None], config: WorkerConfig | None, context: RunContext
) -> None:
    """Run the consumer images and, beside it, the workers on its list."""
    if config is None:
        await consuming
        return
    listed, fetched = asyncio.Event(), asyncio.Event()

    async def consume() -> None:
        await consuming
        listed.set()

    async def work() -> None:
        await _work(config, context, listed)
        fetched.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(consume(), name="images")
        group.create_task(work(), name="picture workers")
        group.create_task(_keep_house(config.store, context, fetched), name="picture events")


async def _work(config: WorkerConfig, context: RunContext, listed: asyncio.Event) -> None:
    """Work in sessions: trouble with a server ends one, and the next begins after a wait."""
    retry = Retry("pictures", context.stopping, limited=context.drain)
    complaint: str | None = None
    while not context.stopping.is_set():
        async with retry:
            try:
                if complaint is not None:
                    await probe(config.store)
                    complaint = None
                await _work_once(config, context, retry, listed)
            except StoreTroubleError as trouble:
                complaint = _complain(trouble, complaint, drain=context.drain)
                raise
            return


def _complain(trouble: StoreTroubleError, before: str | None, *, drain: bool) -> str:
    """Log what is wrong with the store, once; who can't wait for it to be mended ends with it."""
    complaint = f"pictures: {trouble}"
    if drain and trouble.lasting:
        raise PetstreamError(f"{complaint}; what was due stays due") from None
    if complaint != before:
        _log.warning("%s; what was due stays due", complaint)
    return complaint


async def _work_once(
    config: WorkerConfig, context: RunContext, retry: Retry, listed: asyncio.Event
) -> None:
    async with (
        connected(context.database_url) as connection,
        picture_client(config.limits) as client,
        thumbnailer() as thumbnails,
    ):
        await connection.execute(query("want_pictures_listed_while_off"))
        fetch_context = FetchContext(client, thumbnails, config.store, config.sizes)
        await _WorkerSession(connection, fetch_context, context, retry, listed).run()


class _WorkerSession:
    """The claims in hand, over one connection."""

    def __init__(
        self,
        connection: Connection,
        fetch_context: FetchContext,
        context: RunContext,
        retry: Retry,
        listed: asyncio.Event,
    ) -> None:
        self._connection, self._fetch_context, self._context = connection, fetch_context, context
        self._retry, self._listed = retry, listed
        self._claims: dict[asyncio.Task[FetchOutcome], Claim] = {}

    async def run(self) -> None:
        try:
            while not self._context.stopping.is_set():
                all_was_listed = self._listed.is_set()
                taken = await self._take()
                if not self._claims:
                    if self._context.drain and all_was_listed and not taken:
                        return
                    await pause(self._context.stopping, _PAUSE_S)
                    continue
                done, _ = await asyncio.wait(
                    self._claims, timeout=_PAUSE_S, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    await self._settle(task)
        finally:
            await self._release()

    async def _take(self) -> int:
        free = _MAX_FETCHES - len(self._claims)
        claims = await claim_due(self._connection, free) if free else []
        for claim in claims:
            self._claims[asyncio.create_task(fetch(claim, self._fetch_context))] = claim
        return len(claims)

    async def _settle(self, task: asyncio.Task[FetchOutcome]) -> None:
        outcome = task.result()  # raises what the store did
        await settle(self._connection, self._claims[task], outcome)
        failpoints.point("picture.row.after")
        PICTURES.labels(_label(outcome)).inc()
        del self._claims[task]
        self._retry.progressed()
        if not isinstance(outcome, Postponed):
            self._context.progress("pictures", 1)

    async def _release(self) -> None:
        """Give back what is in hand, if that can be; else it is due when the lease is over."""
        for task in self._claims:
            task.cancel()
        if self._claims:
            await asyncio.wait(self._claims)
            for task, claim in self._claims.items():
                if not task.cancelled():
                    task.exception()  # retrieved: the first that failed is raised already
                with suppress(*TROUBLE):
                    await settle(self._connection, claim, Postponed(0.0))
        self._claims.clear()


def _label(outcome: FetchOutcome) -> str:
    if outcome is None:
        return "unchanged"
    if isinstance(outcome, Stored):
        return "stored"
    return "postponed" if isinstance(outcome, Postponed) else "refused"


async def _keep_house(store: PictureStore, context: RunContext, fetched: asyncio.Event) -> None:
    """Publish the outbox; sweep once a day, unless this process is to end by itself."""
    retry = Retry("picture events", context.stopping, limited=context.drain)
    while not context.stopping.is_set():
        async with retry:
            async with connected(context.database_url) as connection:
                while not context.stopping.is_set():
                    last = fetched.is_set()
                    published = await outbox.publish(connection, context.kafka, context.prefix)
                    retry.progressed()
                    if last and not published:
                        return
                    if not context.drain:
                        await sweep.sweep_in_turn(connection, store)
                    if not published:
                        await pause(fetched if context.drain else context.stopping, _PAUSE_S)
            return
