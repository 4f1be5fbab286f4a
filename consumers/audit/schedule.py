"""The audit by itself: after each completed export, and where a consumer found another log.

Rule 1: it has a task and connections of its own, so it never keeps a consumer from its records.
Rule 2: one process at a time does it (an advisory lock), and each export is done once: which was
        the last stands with the consumers' positions, under the name `audit`.
Rule 3: what an audit does, and what is done in between where something is owed: `settlement`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple

from consumers.audit.folded_log import Completed, Log, last_completed
from consumers.audit.questions import NAME, settle_question
from consumers.audit.settlement import Auditor, compare_and_repair, settle
from consumers.engine import offsets
from consumers.engine.backoff import Retry
from consumers.engine.postgres import Connection, connected
from consumers.engine.queries import query
from consumers.registry import NAMES, topics_of
from petstream.events import LogEnd
from petstream.kafka.records import TopicPartition
from petstream.topics import EXPORTS


class AuditTimings(NamedTuple):
    """How long it waits: between two polls, for consumers other than pets, and with nothing new."""

    poll_s: float = 5.0
    others_s: float = 300.0
    look_s: float = 60.0


TIMINGS: Final = AuditTimings()


async def keep_auditing(
    auditor: Auditor, applied: asyncio.Event, timings: AuditTimings = TIMINGS
) -> None:
    """Poll whenever the consumer pets has applied something, and now and then; goes on for ever.

    Args:
        auditor: where the consumers run, the setting `PETSTREAM_PICTURES`, and the limits.
        applied: set by whoever applies records of the consumer pets.
        timings: how long to wait for what.
    """
    schedule = _Schedule(auditor, timings.others_s)
    retry = Retry("audit", auditor.context.stopping, limited=False)
    while True:
        applied.clear()
        async with retry:
            await schedule.poll()
            retry.progressed()
        if not schedule.waiting:
            with suppress(TimeoutError):
                async with asyncio.timeout(timings.look_s):
                    await applied.wait()
        await asyncio.sleep(timings.poll_s)


class _Schedule:
    """Which export is next, and since when the other consumers are waited for."""

    def __init__(self, auditor: Auditor, others_s: float) -> None:
        self.waiting = True
        self._auditor, self._others_s = auditor, others_s
        self._log: Log | None = None
        self._exports_end: LogEnd | None = None  # when the exports were read last
        self._waiting_since: float | None = None
        self._is_first = True

    async def poll(self) -> None:
        """Compare and repair if an export is to be audited; else look whether anything is owed."""
        async with connected(self._auditor.context.database_url) as connection:
            log = await self._exports(connection)
            export = log.completed
            if export is None or await _was_audited(connection, export):
                self.waiting = False
                await self._settle(connection, log)
                return
            self.waiting = True
            if await self._is_ready(connection, log, export):
                async with alone(self._auditor.context.database_url) as locked:
                    # another process may have done it until it gave the lock away
                    if locked and not await _was_audited(connection, export):
                        await self._audit(connection, log, export)
                self.waiting = not locked

    async def _settle(self, connection: Connection, log: Log) -> None:
        await settle(self._auditor, connection, log, at_start=self._is_first)
        self._is_first = False

    async def _exports(self, connection: Connection) -> Log:
        """Read what the exports say, if the consumer pets has come further since."""
        context = self._auditor.context
        exports = TopicPartition(EXPORTS.full_name(context.prefix), 0)
        end = (await offsets.stored(connection, "pets")).get(exports)
        if self._log is None or end != self._exports_end:
            self._log = await last_completed(context.kafka, context.prefix)
            self._exports_end = end
        return self._log

    async def _is_ready(self, connection: Connection, log: Log, export: Completed) -> bool:
        """Return whether the consumers have applied all that was there when it was completed."""
        if log.lost or await connection.fetchval(query("any_unsettled")):
            return True
        reached = await _reached(connection, "pets")
        if reached.get(export.topic_partition, 0) < export.end.offset or _is_behind(
            reached, export.ends
        ):
            return False
        now = asyncio.get_running_loop().time()
        self._waiting_since = now if self._waiting_since is None else self._waiting_since
        for consumer in (name for name in NAMES if name != "pets"):
            topics = topics_of(consumer, self._auditor.context.prefix)
            ends = {
                partition: end
                for partition, end in export.ends.items()
                if partition.topic in topics
            }
            if _is_behind(await _reached(connection, consumer), ends):
                return now - self._waiting_since >= self._others_s
        return True

    async def _audit(self, connection: Connection, log: Log, export: Completed) -> None:
        self._waiting_since = None
        await settle_question(connection, self._auditor.context, log, at_start=self._is_first)
        self._is_first = False
        await compare_and_repair(self._auditor, connection, export.export_id)
        await connection.execute(
            query("set_position"), NAME, export.topic_partition.topic,
            export.topic_partition.partition, export.end.offset, export.end.record_id,
            export.end.timestamp_ms,
        )  # fmt: skip


@asynccontextmanager
async def alone(database_url: str) -> AsyncGenerator[bool, None]:
    """Hold the audit for this process, if no other does.

    The lock is a transaction's: behind a pooler, one of the session would stay with a process of
    the server that is lent to others.
    """
    async with connected(database_url) as connection, connection.transaction():
        await connection.execute(query("audit_may_last"))
        yield await connection.fetchval(query("audit_lock"))


async def _was_audited(connection: Connection, export: Completed) -> bool:
    audited = await offsets.stored(connection, NAME)
    return audited.get(export.topic_partition) in {export.end, LogEnd(export.end.offset)}


async def _reached(connection: Connection, consumer: str) -> dict[TopicPartition, int]:
    positions = await offsets.stored(connection, consumer)
    return {partition: position.offset for partition, position in positions.items()}


def _is_behind(
    reached: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, LogEnd]
) -> bool:
    return any(reached.get(partition, 0) < end.offset for partition, end in ends.items())
