"""Whether the log owes anything: a day is over when it doesn't."""

from __future__ import annotations

from datetime import datetime

from ingest.state.debts import standing_debts
from ingest.state.export_history import started_at
from ingest.state.log_check import lost_since
from ingest.state.restore import fold_exports, fold_requests
from petstream.errors import UnreachableError
from petstream.settings import KafkaAccess


async def owed(kafka: KafkaAccess | None, prefix: str, start: datetime | None) -> str | None:
    """Return what is owed, in words; None: nothing.

    Args:
        kafka: how to reach it; None: it doesn't run.
        prefix: of the topics.
        start: of the export that must be completed; None: none came.
    """
    if kafka is None:
        return "Kafka doesn't run"
    try:
        history = await fold_exports(kafka, prefix)
        requests = await fold_requests(kafka, prefix)
        lost = await lost_since(kafka, history.last_completed)
    except UnreachableError as error:
        return str(error)
    debts = standing_debts(history, max(requests.by.values(), default=0))
    if lost:
        return f"what {', '.join(map(str, lost))} lost isn't made good"
    if debts:
        return f"the log owes: {'; '.join(debt.why for debt in debts)}"
    newest = history.newest
    if start is not None and (newest is None or started_at(newest) < start):
        return f"the export of {start:%F %T} isn't completed"
    return None
