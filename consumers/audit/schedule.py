"""The audit by itself: once after each completed export, when the consumers have applied all of it.

Rule 1: it has a task and connections of its own, so it never keeps a consumer from its records.
Rule 2: one process at a time does it (an advisory lock), and each export is done once: which was
        the last stands with the consumers' offsets, under the name `audit`.
Rule 3: while the log is shorter than the export says it was, nothing is repaired.
Rule 4: a line if anything differed, none otherwise.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from consumers.audit.compare import Audit, compare
from consumers.audit.folded_log import Completed, Log, last_completed
from consumers.audit.repair import RepairRefused, repair
from consumers.engine import offsets
from consumers.engine.backoff import Retry
from consumers.engine.postgres import Connection, connected
from consumers.engine.queries import query
from consumers.engine.runner import RunContext
from consumers.registry import NAMES, topics_of
from petstream.kafka.records import TopicPartition
from petstream.topics import EXPORTS

NAME: Final = "audit"
"""Under which the last export that was audited stands with the offsets."""

_log = logging.getLogger(__name__)


class AuditTimings(NamedTuple):
    """How long it waits: between two polls, and for consumers other than pets."""

    poll_s: float = 5.0
    others_s: float = 300.0


TIMINGS: Final = AuditTimings()


async def keep_auditing(
    pictures: str | None,
    context: RunContext,
    applied: asyncio.Event,
    timings: AuditTimings = TIMINGS,
) -> None:
    """Poll whenever the consumer pets has applied something; goes on for ever.

    Args:
        pictures: the setting `PETSTREAM_PICTURES`.
        context: where the consumers run.
        applied: set by whoever applies records of the consumer pets.
        timings: how long to wait for what.
    """
    schedule = _Schedule(pictures, context, timings.others_s)
    retry = Retry("audit", context.stopping, limited=False)
    while True:
        applied.clear()
        async with retry:
            await schedule.poll()
            retry.progressed()
        if not schedule.waiting:
            await applied.wait()
        await asyncio.sleep(timings.poll_s)


class _Schedule:
    """Which export is next, and since when the other consumers are waited for."""

    def __init__(self, pictures: str | None, context: RunContext, others_s: float) -> None:
        self.waiting = True
        self._pictures, self._context, self._others_s = pictures, context, others_s
        self._log: Log | None = None
        self._exports_offset: int | None = None  # when the exports were read last
        self._waiting_since: float | None = None

    async def poll(self) -> None:
        """Compare and repair if an export is to be audited."""
        async with connected(self._context.database_url) as connection:
            log = await self._exports(connection)
            audited = await offsets.stored(connection, NAME)
            export = log.completed
            if export is None or audited.get(export.topic_partition) == export.offset + 1:
                self.waiting = False
                return
            self.waiting = True
            if await self._is_ready(connection, log, export):
                locked = await connection.fetchval(query("audit_lock"))
                # another process may have done it until it gave the lock away
                audited = await offsets.stored(connection, NAME)
                if locked and audited.get(export.topic_partition) != export.offset + 1:
                    await self._audit(connection, log, export)
                self.waiting = not locked

    async def _exports(self, connection: Connection) -> Log:
        """Read what the exports say, if the consumer pets has come further since."""
        exports = TopicPartition(EXPORTS.full_name(self._context.prefix), 0)
        offset = (await offsets.stored(connection, "pets")).get(exports, 0)
        if self._log is None or offset != self._exports_offset:
            self._log = await last_completed(self._context.kafka, self._context.prefix)
            self._exports_offset = offset
        return self._log

    async def _is_ready(self, connection: Connection, log: Log, export: Completed) -> bool:
        """Return whether the consumers have applied all that was there when it was completed."""
        if log.lost():
            return True
        reached = await offsets.stored(connection, "pets")
        if reached.get(export.topic_partition, 0) <= export.offset or _is_behind(
            reached, export.end_offsets
        ):
            return False
        now = asyncio.get_running_loop().time()
        self._waiting_since = now if self._waiting_since is None else self._waiting_since
        for consumer in (name for name in NAMES if name != "pets"):
            topics = topics_of(consumer, self._context.prefix)
            end_offsets = {
                partition: end
                for partition, end in export.end_offsets.items()
                if partition.rpartition("/")[0] in topics
            }
            if _is_behind(await offsets.stored(connection, consumer), end_offsets):
                return now - self._waiting_since >= self._others_s
        return True

    async def _audit(self, connection: Connection, log: Log, export: Completed) -> None:
        self._waiting_since = None
        if lost := log.lost():
            _log.warning("%s", loss_line(export, lost))
        else:
            before = await self._compare()
            if not before.equal:
                refused = await self._repair(before)
                after = await self._compare() if before.repairable else before
                _log.warning("%s", difference_line(export, before, after, refused))
        await connection.execute(
            query("set_position"), NAME, export.topic_partition.topic,
            export.topic_partition.partition, export.offset + 1,
        )  # fmt: skip

    async def _compare(self) -> Audit:
        context = self._context
        return await compare(context.kafka, context.database_url, context.prefix)

    async def _repair(self, audit: Audit) -> list[RepairRefused]:
        context = self._context
        return await repair(audit.repairable, context.kafka, context.database_url, self._pictures)


def difference_line(
    export: Completed, before: Audit, after: Audit, refused: list[RepairRefused]
) -> str:
    """Return the line about what differed."""
    if before.lost:
        return loss_line(export, before.lost)
    kinds = Counter(f"{difference.table} {difference.kind}" for difference in before.differences)
    counts = ", ".join(f"{kind} {number:,}" for kind, number in sorted(kinds.items()))
    left = len(after.differences)
    line = f"audit after {export.export_id}: the tables differed from the log ({counts})"
    line += f"; {left:,} still do" if left else "; all was put right"
    if refused:
        reasons = ", ".join(sorted({refusal.reason for refusal in refused}))
        line += f"; {len(refused):,} events were refused again ({reasons})"
    return f"{line}: see 'petstream audit'" if left else line


def loss_line(export: Completed, lost: list[str]) -> str:
    """Return the line about a log that is shorter than it was."""
    return (
        f"audit after {export.export_id}: the log lost records ({'; '.join(lost)}), so nothing "
        "was repaired; the next ingest reads the full pet files"
    )


def _is_behind(reached: Mapping[TopicPartition, int], end_offsets: Mapping[str, int]) -> bool:
    now = {str(partition): offset for partition, offset in reached.items()}
    return any(now.get(partition, 0) < end for partition, end in end_offsets.items())
