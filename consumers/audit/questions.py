"""A snapshot asked for: where the tables hold what the log doesn't know.

Rule 1: the question is kept in Postgres, and asked again at every start and each day, until a
        snapshot above it is there.
Rule 2: nothing is asked for where the newest snapshot is already above: `compare` sees to that.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Final

from consumers.audit.folded_log import Log
from consumers.audit.losses import Question
from consumers.engine.postgres import Connection
from consumers.engine.queries import query
from consumers.engine.runner import RunContext
from consumers.registry import group_of
from petstream.events import SnapshotRequest
from petstream.kafka.requests import request_record
from petstream.kafka.writer import send_all
from petstream.metrics import SNAPSHOT_ASKED

NAME: Final = "audit"
"""Who asks, behind the prefix."""

_AGAIN_AFTER: Final = timedelta(days=1)

_log = logging.getLogger(__name__)


async def ask(
    connection: Connection, context: RunContext, sequence: int, *, reason: str, export_id: str
) -> None:
    """Ask for a snapshot above a sequence, and keep the question; raises as both clients do."""
    async with connection.transaction():
        row = await connection.fetchrow(
            query("keep_question"),
            group_of(NAME, context.prefix),
            sequence,
            reason,
            datetime.now(UTC),
        )
        assert row is not None  # noqa: S101  an upsert gives its row back
        question = Question(**row)
        request = SnapshotRequest(
            asked_by=question.asked_by,
            sequence=question.sequence,
            at=question.asked_at,
            reason=question.reason,
        )
        await send_all(context.kafka, [request_record(request, export_id, context.prefix)])
    SNAPSHOT_ASKED.set(1)
    _log.warning("a snapshot above %d is asked for: %s", question.sequence, question.reason)


async def settle_question(
    connection: Connection, context: RunContext, log: Log, *, at_start: bool
) -> None:
    """Drop the question if it is paid; ask it again at the start, and each day."""
    if await connection.fetchval(query("drop_question"), log.restated) is not None:
        _log.info("the snapshot that was asked for is there: from %d on", log.restated)
    row = await connection.fetchrow(query("read_question"))
    SNAPSHOT_ASKED.set(0 if row is None else 1)
    if row is not None:
        question = Question(**row)
        if at_start or datetime.now(UTC) - question.asked_at >= _AGAIN_AFTER:
            await ask(
                connection, context, question.sequence, reason=question.reason,
                export_id=log.newest_export_id,
            )  # fmt: skip
