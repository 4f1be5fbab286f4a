"""What is known of earlier exports: folded from exports.v1, which is kept for ever.

Rule 1: an export is its start time; the same start with other files is a republication
        (``.2``, ``.3``), whose base is the time of its newest file.
Rule 2: an export that was completed is never completed again; a held one counts as completed.
Rule 3: a scrub is due by the starts of exports, not by the clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

from contracts.events import ExportEvent, Mode, Plan, PlanEvent

MISSED_AFTER: Final = timedelta(hours=30)
"""Two exports further apart than this have a day between them that nobody read."""

PLAN_EXPIRES_AFTER: Final = timedelta(days=14)
_SCRUB_EVERY: Final = {"weekly": timedelta(days=7), "monthly": timedelta(days=30)}
_SLACK: Final = timedelta(hours=6)  # exports start some minutes earlier or later every day

Wanted = Literal["auto", "initial", "daily", "scrub"]


class Identity(NamedTuple):
    """An export's name, the base of its sequences, and its start."""

    export_id: str
    base: int
    start: datetime


class HeldPlan(NamedTuple):
    """A plan that waits for a decision."""

    plan_id: str
    event: ExportEvent
    removals: tuple[int, ...]
    entity: Literal["pets", "orgs"]

    @property
    def at(self) -> datetime:
        """When it was held."""
        return self.event.at


class Memory:
    """The exports and plans so far, newest last."""

    def __init__(self) -> None:
        """Start empty; `fold` fills it in the order of the log."""
        self.completed: dict[str, ExportEvent] = {}
        self.started: dict[str, ExportEvent] = {}
        self.decided: dict[str, PlanEvent] = {}
        self.last: ExportEvent | None = None
        self._plans: dict[str, dict[int, tuple[ExportEvent, Plan]]] = {}

    def fold(self, event: ExportEvent | PlanEvent) -> None:
        """Take one event of exports.v1."""
        if isinstance(event, PlanEvent):
            self.decided[event.plan_id] = event
            return
        if event.state == "held" and event.plan is not None:
            parts = self._plans.setdefault(event.plan.plan_id, {})
            parts[event.plan.part] = (event, event.plan)
            return
        self.last = event
        if event.state == "started":
            self.started[event.export_id] = event
        elif event.state == "completed":
            self.completed[event.export_id] = event

    @property
    def newest(self) -> ExportEvent | None:
        """The newest export that was completed."""
        return max(self.completed.values(), key=lambda event: event.base, default=None)

    def plan(self, plan_id: str) -> HeldPlan | None:
        """Return a plan, decided or not; None if there is no such plan, or not all its parts."""
        parts = self._plans.get(plan_id, {})
        if not parts or len(parts) < next(iter(parts.values()))[1].parts:
            return None
        ordered = [parts[number] for number in sorted(parts)]
        event, first = ordered[0]
        removals = tuple(key for _, plan in ordered for key in plan.removals)
        return HeldPlan(plan_id, event, removals, first.entity)

    def plan_ids(self) -> list[str]:
        """Return the ids of all plans there were, oldest first."""
        return list(self._plans)

    def held(self) -> list[HeldPlan]:
        """Return the plans that wait for a decision, oldest first."""
        undecided = (name for name in self._plans if name not in self.decided)
        return [plan for plan in map(self.plan, undecided) if plan is not None]

    def identify(self, start: datetime, fingerprint: str, newest_file: datetime) -> Identity:
        """Name the export of this start and these files (rule 1)."""
        name = start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        before = [
            event
            for export_id, event in (self.started | self.completed).items()
            if export_id == name or export_id.startswith(name + ".")
        ]
        for event in before:
            if event.fingerprint == fingerprint:
                return Identity(event.export_id, event.base, start)
        if not before:
            return Identity(name, int(start.timestamp()), start)
        base = max(int(newest_file.timestamp()), max(event.base for event in before) + 1)
        finished = sum(event.export_id in self.completed for event in before)
        export_id = f"{name}.{finished + 1}" if finished else name
        return Identity(export_id, base, start)

    def mode(self, wanted: Wanted, base: int, scrub: str) -> Mode:
        """Choose the mode of an export of this base; ``auto`` as design and rule 3 say."""
        if wanted != "auto":
            return wanted
        newest = self.newest
        if newest is None:
            return "initial"
        if timedelta(seconds=base - newest.base) > MISSED_AFTER:
            return "scrub"
        whole = [event.base for event in self.completed.values() if event.mode != "daily"]
        due = _SCRUB_EVERY.get(scrub)
        if due is not None and timedelta(seconds=base - max(whole, default=0)) >= due - _SLACK:
            return "scrub"
        if self.last is not None and self.last.state != "completed" and self.last.base < base:
            return "scrub"  # the last export was never finished: its rows may be missing
        return "daily"
