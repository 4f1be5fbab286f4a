"""What is owed, since when, and what paid what was owed, as exports.v1 and requests.v1 say. Pure.

Rule 1: what is owed is what the ingester would find owed: the same functions say so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from ingest.state.debts import Debt, Requests, standing_debts
from ingest.state.export_history import ExportHistory
from ingest.state.restore import asked_in
from petstream.events import DebtEvent, Event, ExportEvent
from petstream.kafka.records import ConsumerRecord


class PaidDebt(NamedTuple):
    """A debt, the run that paid it, and when that was completed."""

    debt: DebtEvent
    paid_by: str
    paid_at: datetime


@dataclass
class DebtTracker:
    """Follows what is owed, while exports.v1 is folded."""

    paid: list[PaidDebt] = field(default_factory=list)
    _owed: tuple[DebtEvent, ...] = ()

    def follow(self, history: ExportHistory, event: Event) -> None:
        """Take what was just folded into the history."""
        owed = tuple(history.debts)
        if isinstance(event, ExportEvent):
            gone = (debt for debt in self._owed if debt not in owed)
            self.paid += [PaidDebt(debt, event.export_id, event.at) for debt in gone]
        self._owed = owed


def standing(
    history: ExportHistory, requests: Iterable[ConsumerRecord], now: datetime
) -> list[Debt]:
    """Return what is owed.

    Args:
        history: of exports.v1.
        requests: the records of requests.v1, by the order of the log.
        now: in UTC.
    """
    asked: dict[str, int] = {}
    since: datetime | None = None
    for record in requests:
        sequence, asker = asked_in(record), (record.key or b"").decode("utf-8", "replace")
        if sequence <= history.restated_from or not Requests({asker: sequence}).highest(now):
            continue
        asked[asker] = max(sequence, asked.get(asker, 0))
        since = record.published_at if since is None else since
    debts = standing_debts(history, max(asked.values(), default=0))
    askers = ", ".join(sorted(asked))
    return [
        debt._replace(since=since, why=f"{debt.why} (by {askers})") if debt.since is None else debt
        for debt in debts
    ]
