"""Debts published: whoever leads and finds that something is owed says so before it goes on.

Rule 1: whoever appends looks first whether the log holds what the last completed export knew: a
        run, a decision about a plan, an expiry.
Rule 2: a loss that is owed for already is not said again.
"""

from __future__ import annotations

from collections.abc import Sequence

from ingest.leadership.election import Leadership
from ingest.publish.lifecycle import debt_record
from ingest.publish.publisher import Publisher
from ingest.state import log_check
from ingest.state.export_history import ExportHistory
from petstream import failpoints, topics
from petstream.events import DebtEvent
from petstream.settings import KafkaAccess


async def check_log(
    kafka: KafkaAccess, prefix: str, history: ExportHistory, lead: Leadership
) -> DebtEvent | None:
    """Look whether the log lost records, publish that it did, and return what is owed for it."""
    owed = next((debt for debt in history.debts if debt.owes == "snapshot"), None)
    last = history.last_completed
    if owed is not None or last is None:
        return owed
    lost = await log_check.lost_since(kafka, last)
    if not lost:
        return None
    when = f"before {last.export_id} was completed"
    debt = log_check.loss(last.export_id, history.highest_base, lost, when)
    await record(kafka, prefix, history, lead, [debt])
    return debt


async def record(
    kafka: KafkaAccess,
    prefix: str,
    history: ExportHistory,
    lead: Leadership,
    debts: Sequence[DebtEvent],
) -> None:
    """Publish debts, and take them into the history."""
    if not debts:
        return
    name = topics.EXPORTS.full_name(prefix)
    async with Publisher(kafka, lead) as publisher:
        for debt in debts:
            owed = debt_record(debt, history.take_sequence)
            await publisher.send(name, owed.key, owed.value, owed.headers)
    failpoints.point("ingest.debt.recorded")
    for debt in debts:
        if debt not in history.debts:
            history.fold(debt)
