"""The audit by itself: once after each completed export, when the consumers have applied all of it.

Rule 1: it has a task and connections of its own, so it never keeps a consumer from its records.
Rule 2: one process at a time does it (an advisory lock), and each export is done once: which was
        the last stands with the consumers' positions, under the name `audit`.
Rule 3: while the log is shorter than the export says it was, nothing is repaired.
Rule 4: a line if anything differed, none otherwise.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from consumers.audit.compare import Audit, compared
from consumers.audit.folded_log import Completed, Log, last_completed
from consumers.audit.repair import Refused, repair
from consumers.engine import offsets
from consumers.engine.backoff import Patience
from consumers.engine.postgres import Connection, connected
from consumers.engine.queries import query
from consumers.engine.runner import RunContext
from consumers.engine.subscription import Place
from consumers.registry import NAMES, topics_of
from petstream.settings import Settings
from petstream.topics import EXPORTS

NAME: Final = "audit"
"""Under which the last export that was done stands with the positions."""

_log = logging.getLogger(__name__)


class Pace(NamedTuple):
    """How long it waits: between two looks, and for consumers other than pets."""

    look_s: float = 5.0
    others_s: float = 300.0


PACE: Final = Pace()


async def keep(
    settings: Settings, context: RunContext, applied: asyncio.Event, pace: Pace = PACE
) -> None:
    """Look again whenever the consumer pets has applied something; goes on for ever."""
    schedule = _Schedule(settings, context, pace.others_s)
    patience = Patience("audit", context.stopping, limited=False)
    while True:
        applied.clear()
        async with patience:
            await schedule.look()
            patience.rest()
        if not schedule.waiting:
            await applied.wait()
        await asyncio.sleep(pace.look_s)


class _Schedule:
    """Which export is next, and since when the other consumers are waited for."""

    def __init__(self, settings: Settings, context: RunContext, others_s: float) -> None:
        self.waiting = True
        self._settings, self._context, self._others_s = settings, context, others_s
        self._log: Log | None = None
        self._seen: int | None = None  # of the exports, when they were read last
        self._since: float | None = None

    async def look(self) -> None:
        """Compare and repair if an export wants it."""
        async with connected(self._context.database_url) as connection:
            log = await self._exports(connection)
            done = await offsets.stored(connection, NAME)
            export = log.completed
            if export is None or done.get(export.place) == export.offset + 1:
                self.waiting = False
                return
            self.waiting = True
            if await self._is_ready(connection, log, export):
                held = await connection.fetchval(query("audit_lock"))
                # another process may have done it until it gave the lock away
                done = await offsets.stored(connection, NAME)
                if held and done.get(export.place) != export.offset + 1:
                    await self._do(connection, log, export)
                self.waiting = not held

    async def _exports(self, connection: Connection) -> Log:
        """Read what the exports say, if the consumer pets has come further since."""
        place = Place(EXPORTS.full_name(self._context.prefix), 0)
        at = (await offsets.stored(connection, "pets")).get(place, 0)
        if self._log is None or at != self._seen:
            self._log = await last_completed(self._context.kafka, self._context.prefix)
            self._seen = at
        return self._log

    async def _is_ready(self, connection: Connection, log: Log, export: Completed) -> bool:
        """Tell whether the consumers have applied all that was there when it was completed."""
        if log.lost():
            return True
        at = await offsets.stored(connection, "pets")
        if at.get(export.place, 0) <= export.offset or _behind(at, export):
            return False
        now = asyncio.get_running_loop().time()
        self._since = now if self._since is None else self._since
        for consumer in (name for name in NAMES if name != "pets"):
            read = topics_of(consumer, self._context.prefix)
            theirs = {
                place: end
                for place, end in export.end_offsets.items()
                if place.rpartition("/")[0] in read
            }
            at = await offsets.stored(connection, consumer)
            if _behind(at, export._replace(end_offsets=theirs)):
                return now - self._since >= self._others_s
        return True

    async def _do(self, connection: Connection, log: Log, export: Completed) -> None:
        context = self._context
        self._since = None
        if shorter := log.lost():
            _log.warning("%s", told_lost(export, shorter))
        else:
            first = await compared(context.kafka, context.database_url, context.prefix)
            if not first.equal:
                second, refused = await self._mended(first)
                _log.warning("%s", told(export, first, second, refused))
        await connection.execute(query("set_position"), NAME, *export.place, export.offset + 1)

    async def _mended(self, first: Audit) -> tuple[Audit, list[Refused]]:
        context = self._context
        if not first.mendable:
            return first, []
        refused = await repair(first.mendable, context.kafka, context.database_url, self._settings)
        return await compared(context.kafka, context.database_url, context.prefix), refused


def told(export: Completed, first: Audit, second: Audit, refused: list[Refused]) -> str:
    """Return the line about what differed."""
    if first.lost:
        return told_lost(export, first.lost)
    kinds = Counter(f"{one.table} {one.kind}" for one in first.differences)
    what = ", ".join(f"{name} {number:,}" for name, number in sorted(kinds.items()))
    left = len(second.differences)
    line = f"audit after {export.export_id}: the tables differed from the log ({what})"
    line += f"; {left:,} still do" if left else "; all was put right"
    if refused:
        reasons = ", ".join(sorted({one.reason for one in refused}))
        line += f"; {len(refused):,} events were refused again ({reasons})"
    return f"{line}: see 'petstream audit'" if left else line


def told_lost(export: Completed, shorter: list[str]) -> str:
    """Return the line about a log that is shorter than it was."""
    return (
        f"audit after {export.export_id}: the log lost records ({'; '.join(shorter)}), so nothing "
        "was repaired; the next ingest reads the full pet files"
    )


def _behind(at: Mapping[Place, int], export: Completed) -> bool:
    now = {f"{place.topic}/{place.partition}": offset for place, offset in at.items()}
    return any(now.get(place, 0) < end for place, end in export.end_offsets.items())
