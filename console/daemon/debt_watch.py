"""Between two looks at the feed: is anything owed? Kafka alone is asked, each minute.

Rule 1: what is owed and wasn't a minute before ends the rest: the feed is looked at at once. What
        stays owed, because the export can't be read whole, waits for the next look in its turn.
Rule 2: what the log lost is owed, though nobody has said so yet.
Rule 3: a server that is away is passed over: the next look says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from ingest.state.debts import Debt, standing_debts
from ingest.state.export_history import ExportHistory
from ingest.state.log_check import lost_since
from ingest.state.restore import fold_exports, fold_requests
from petstream.errors import UnreachableError
from petstream.kafka.client import ensure_topics
from petstream.metrics import DEBTS, SNAPSHOT_COMPLETED, SNAPSHOTS_LAST_DAY
from petstream.settings import KafkaAccess
from petstream.waiting import pause, unless_stopped

_DAY: Final = timedelta(days=1)


class DebtWatch:
    """What was owed a minute ago."""

    def __init__(self, kafka: KafkaAccess, prefix: str, clock: Callable[[], datetime]) -> None:
        """Begin knowing nothing."""
        self._kafka, self._prefix, self._clock = kafka, prefix, clock
        self._owed: frozenset[str] = frozenset()

    async def rest(self, stopping: asyncio.Event, rest_s: float, every_s: float) -> None:
        """Rest until `stopping`, for so long, or until something is owed (rule 1)."""
        ends_at = time.monotonic() + rest_s
        while True:
            await pause(stopping, max(0.0, min(every_s, ends_at - time.monotonic())))
            if stopping.is_set():
                return
            if await unless_stopped(self.owes_more(), stopping) or time.monotonic() >= ends_at:
                return

    async def owes_more(self) -> bool:
        """Return whether anything is owed that wasn't when this was asked before."""
        try:
            await ensure_topics(self._kafka, self._prefix)
            history = await fold_exports(self._kafka, self._prefix)
            requests = await fold_requests(self._kafka, self._prefix)
            lost = await lost_since(self._kafka, history.last_completed)
        except UnreachableError:
            return False
        debts = standing_debts(history, requests.highest(self._clock()))
        measure(history, debts, self._clock())
        owed = frozenset(debt.why for debt in debts) | frozenset(map(str, lost))
        more, self._owed = owed - self._owed, owed
        return bool(more)


def measure(history: ExportHistory, debts: list[Debt], now: datetime) -> None:
    """Tell the metrics what is owed, and when it was paid last."""
    for owes in ("whole", "snapshot"):
        DEBTS.labels(owes).set(sum(debt.owes == owes for debt in debts))
    at = [event.at for event in history.snapshots()]
    SNAPSHOT_COMPLETED.set(max(at).timestamp() if at else 0)
    SNAPSHOTS_LAST_DAY.set(sum(now - _DAY < completed <= now for completed in at))
