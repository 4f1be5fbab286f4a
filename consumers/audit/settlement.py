"""What an audit does: sweep, compare, let the log win, and ask for what it can't explain.

Rule 1: a line if anything differed, none otherwise.
Rule 2: tables and log are compared after each completed export; and where a consumer found another
        log than it knew: what it left in the tables may be what the log lost. At each start they
        are as well if a row may have left: a database may have been put back.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import NamedTuple

from consumers.audit.compare import Audit, compare
from consumers.audit.folded_log import Log, last_completed
from consumers.audit.questions import ask, settle_question
from consumers.audit.repair import RepairRefused, repair
from consumers.audit.sweep import is_anything_left, sweep
from consumers.engine.backoff import Retry
from consumers.engine.postgres import Connection, connected
from consumers.engine.queries import query
from consumers.engine.runner import RunContext
from petstream.setting_values import RemovalLimits

_log = logging.getLogger(__name__)


class Auditor(NamedTuple):
    """What an audit works with."""

    context: RunContext
    pictures: str | None
    limits: RemovalLimits


async def settle_once(auditor: Auditor) -> None:
    """Sweep, ask, and compare if need be, behind consumers that drain; gives up after 60 s."""
    context = auditor.context
    retry = Retry("audit", context.stopping, limited=True)
    while not context.stopping.is_set():
        async with retry:
            async with connected(context.database_url) as connection:
                log = await last_completed(context.kafka, context.prefix)
                await settle(auditor, connection, log, at_start=True)
            return


async def settle(auditor: Auditor, connection: Connection, log: Log, *, at_start: bool) -> None:
    """Ask what is due, and compare if there may be something that no export leads to (rule 2)."""
    await settle_question(connection, auditor.context, log, at_start=at_start)
    if await connection.fetchval(query("any_unsettled")) or (
        at_start and log.snapshot is not None and await is_anything_left(connection, log.snapshot)
    ):
        await compare_and_repair(auditor, connection, log.newest_export_id)


async def compare_and_repair(auditor: Auditor, connection: Connection, export_id: str) -> None:
    """Compare, sweep, let the log win, and ask for what it doesn't know."""
    context = auditor.context
    found_until = await connection.fetchval(query("any_unsettled"))
    before = await compare(context.kafka, context.database_url, context.prefix)
    swept = await sweep(connection, before, auditor.limits)
    if not before.equal:
        refused = await repair(
            before.repairable, context.kafka, context.database_url, auditor.pictures
        )
        after = before
        if before.repairable or any(swept.values()):
            after = await compare(context.kafka, context.database_url, context.prefix)
        _log.warning("%s", difference_line(export_id, before, after, refused))
    if before.to_ask_above is not None:
        rows = sum(difference.kind == "ahead" for difference in before.differences)
        await ask(
            connection, context, before.to_ask_above,
            reason=f"{rows:,} rows of the tables aren't in the log", export_id=export_id,
        )  # fmt: skip
    if found_until is not None:
        await connection.execute(query("settle_rewritten"), found_until)


def difference_line(
    export_id: str, before: Audit, after: Audit, refused: list[RepairRefused]
) -> str:
    """Return the line about what differed."""
    line = f"audit after {export_id or 'no export yet'}"
    if before.lost:
        line += f": {'; '.join(before.lost)}"
    kinds = Counter(f"{difference.table} {difference.kind}" for difference in before.differences)
    if kinds:
        counts = ", ".join(f"{kind} {number:,}" for kind, number in sorted(kinds.items()))
        left = len(after.differences)
        line += f": the tables differed from the log ({counts})"
        line += f"; {left:,} still do" if left else "; all was put right"
    if refused:
        reasons = ", ".join(sorted({refusal.reason for refusal in refused}))
        line += f"; {len(refused):,} events were refused again ({reasons})"
    return line if after.equal else f"{line}: see 'petstream audit'"
