"""The exports so far, as the records of exports.v1 tell of them. Pure.

Rule 1: the newest event of an export says how it stands; `held` says nothing of the export itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import structs

from console.inspect.debts import DebtTracker, PaidDebt
from ingest.state.export_history import PLAN_EXPIRES_AFTER, ExportHistory, HeldPlan, start_of
from petstream.codec import UndecodableError, decode
from petstream.events import ExportCounts, ExportEvent, FileRead
from petstream.fold import SubjectOrder
from petstream.kafka.records import ConsumerRecord


class ExportStatus(NamedTuple):
    """How one export stands: when it ran, its counts, and why it failed."""

    export_id: str
    mode: str
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    counts: ExportCounts
    reason: str | None
    notes: tuple[str, ...] = ()
    files: tuple[FileRead, ...] = ()

    @property
    def duration(self) -> timedelta | None:
        """How long the last run took, if it has ended."""
        if self.started_at is None or self.ended_at is None or self.ended_at < self.started_at:
            return None
        return self.ended_at - self.started_at

    @property
    def start(self) -> datetime:
        """When RescueGroups began to make it: that is its name, unless it names a time to come."""
        start = start_of(self.export_id)
        return start if self.ended_at is None else min(start, self.ended_at)


class PublishedExports(NamedTuple):
    """All exports, newest last, and how every plan stands."""

    exports: tuple[ExportStatus, ...]
    history: ExportHistory
    undecodable: int
    paid: tuple[PaidDebt, ...] = ()
    """The debts that were paid, the first one first."""

    @property
    def newest_completed(self) -> ExportStatus | None:
        """The newest export that was completed."""
        newest = self.history.newest
        if newest is None:
            return None
        return next(export for export in self.exports if export.export_id == newest.export_id)

    def plans(self) -> list[HeldPlan]:
        """Return every plan there was, oldest first."""
        plans = (self.history.plan(plan_id) for plan_id in self.history.plan_ids())
        return [plan for plan in plans if plan is not None]

    def state_of(self, plan: HeldPlan, now: datetime) -> str:
        """Return how a plan stands: held, expired, or what was decided."""
        decided = self.history.decided.get(plan.plan_id)
        if decided is not None:
            return decided.decision
        return "expired" if now - plan.at > PLAN_EXPIRES_AFTER else "held"


def published_exports(records: Iterable[ConsumerRecord]) -> PublishedExports:
    """Return the exports that the records of exports.v1 tell of, given in the log's order."""
    history = ExportHistory()
    exports: dict[str, ExportStatus] = {}
    order = SubjectOrder()
    undecodable, debts = 0, DebtTracker()
    for record in records:
        try:
            envelope = decode(record.headers, record.value)
        except UndecodableError:
            undecodable += 1
            continue
        history.fold_record(envelope)
        event = envelope.event
        debts.follow(history, event)
        if (
            isinstance(event, ExportEvent)
            and event.state != "held"
            and order.is_newest(envelope.subject, envelope.rank)
        ):
            exports[event.export_id] = _after(exports.pop(event.export_id, None), event)
    return PublishedExports(tuple(exports.values()), history, undecodable, tuple(debts.paid))


def _after(before: ExportStatus | None, event: ExportEvent) -> ExportStatus:
    started = event.state == "started"
    return ExportStatus(
        export_id=event.export_id,
        mode=event.mode,
        state=event.state,
        started_at=event.at if started else (before.started_at if before else None),
        ended_at=None if started else event.at,
        counts=structs.replace(event.counts),
        reason=event.reason,
        notes=event.notes,
        files=event.files,
    )
