"""What is known of earlier exports: folded from exports.v1, which is kept for ever.

Rule 1: an export is its start time; the same start with other files is a republication
        (``.2``, ``.3``), whose base is the time of its newest file.
Rule 2: an export that was completed is never completed again; a held one counts as completed.
Rule 3: a scrub is due by the starts of exports, not by the clock.
Rule 4: a plan that nobody decided about for two weeks has expired, and is none to decide about.
Rule 5: each record of an export has the next sequence of its export id; the first has the base's.
Rule 6: a plan is decided as a whole, but a record says so for each of its parts, so that each
        subject ends in its state; a crash may have left some out, or a plan without all its parts.
Rule 7: an export that was looked at and never read (`unread`) leaves nothing to be made good.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

from petstream.codec import Envelope
from petstream.errors import PetstreamError
from petstream.events import ExportEvent, Mode, Plan, PlanEvent, plan_part_of
from petstream.fold import SubjectOrder
from petstream.sequence import LIMIT, PER_SECOND

MISSED_AFTER: Final = timedelta(hours=30)
"""Two exports further apart than this have a day between them that nobody read."""

PLAN_EXPIRES_AFTER: Final = timedelta(days=14)
_SCRUB_EVERY: Final = {"weekly": timedelta(days=7), "monthly": timedelta(days=30)}
_SLACK: Final = timedelta(hours=6)  # exports start some minutes earlier or later every day

Wanted = Literal["auto", Mode]


class HalfDecided(NamedTuple):
    """A plan that was decided, and what was decided; not all of its parts say so."""

    plan: HeldPlan
    decision: PlanEvent


class Identity(NamedTuple):
    """An export's name, the base of its sequences, and its start."""

    export_id: str
    base: int
    start: datetime


class Choice(NamedTuple):
    """A mode, and why it isn't the usual one."""

    mode: Mode
    why: str | None = None


class HeldPlan(NamedTuple):
    """A plan that waits for a decision."""

    plan_id: str
    event: ExportEvent
    removals: tuple[int, ...]
    entity: Literal["pets", "orgs"]
    parts: tuple[int, ...] = (1,)
    """The numbers of all parts that were ever held: a decision is published for each."""

    @property
    def at(self) -> datetime:
        """When it was held."""
        return self.event.at


def start_of(export_id: str) -> datetime:
    """Return an export's start, which is its name."""
    return datetime.fromisoformat(export_id.partition("Z")[0]).replace(tzinfo=UTC)


class ExportHistory:
    """The exports and plans so far, newest last."""

    def __init__(self) -> None:
        """Start empty; `fold` fills it in the order of the log."""
        self.completed: dict[str, ExportEvent] = {}
        self.started: dict[str, ExportEvent] = {}
        self.failed: set[tuple[str, str | None]] = set()
        self.unread: dict[str, str | None] = {}
        self.decided: dict[str, PlanEvent] = {}
        self.vocabulary: dict[str, set[str]] = {}
        self.last: ExportEvent | None = None
        self._plans: dict[str, dict[int, tuple[ExportEvent, Plan]]] = {}
        self._parts: dict[str, set[int]] = {}
        self._decided_parts: dict[str, set[int]] = {}
        self._sequences: dict[str, int] = {}
        self._order = SubjectOrder()

    def fold_record(self, envelope: Envelope) -> None:
        """Take one record of exports.v1; one that is late, or comes again, changes nothing."""
        event = envelope.event
        if not isinstance(event, ExportEvent | PlanEvent):
            return
        highest = self._sequences.get(event.export_id, 0)
        self._sequences[event.export_id] = max(highest, envelope.sequence)
        if self._order.is_newest(envelope.subject, envelope.rank):
            self.fold(event, plan_part_of(envelope.subject))

    def fold(self, event: ExportEvent | PlanEvent, part: int | None = None) -> None:
        """Take one event of exports.v1.

        Args:
            event: what was published.
            part: of a decision: which part of the plan says so; None: the plan as a whole.
        """
        if isinstance(event, PlanEvent):
            self.decided[event.plan_id] = event
            every = self._parts.get(event.plan_id, ())
            decided = self._decided_parts.setdefault(event.plan_id, set())
            decided.update(every if part is None else (part,))
            return
        if event.state == "held" and event.plan is not None:
            plan = event.plan
            self._parts.setdefault(plan.plan_id, set()).add(plan.part)
            parts = self._plans.setdefault(plan.plan_id, {})
            parts[plan.part] = (event, plan)
            for number in [number for number in parts if parts[number][1].parts != plan.parts]:
                del parts[number]  # held before, in another number of parts
            return
        if event.unread is True:
            self.unread[event.export_id] = event.reason
            return
        self.last = event
        if event.state == "started":
            self.started[event.export_id] = event
        elif event.state == "failed":
            self.failed.add((event.export_id, event.fingerprint))
        elif event.state == "completed":
            self.completed[event.export_id] = event
            for name, values in event.drift.new_values.items() if event.drift is not None else ():
                self.vocabulary.setdefault(name, set()).update(values)

    @property
    def newest(self) -> ExportEvent | None:
        """The newest export that was completed."""
        return max(self.completed.values(), key=lambda event: event.base, default=None)

    def take_sequence(self, export_id: str, base: int) -> int:
        """Return the sequence of the next record of an export (rule 5); only under the lead.

        Raises:
            PetstreamError: the range of sequences has ended; nothing of the export was published.
        """
        first = base * PER_SECOND
        if first + PER_SECOND > LIMIT:
            raise PetstreamError(
                f"{export_id} is beyond the range of sequences, which ends in May 2041: it needs a "
                "version of petstream with topics of a wider one (docs/events.md)"
            )
        sequence = max(first, self._sequences.get(export_id, first - 1) + 1)
        self._sequences[export_id] = sequence
        return sequence

    def plan(self, plan_id: str) -> HeldPlan | None:
        """Return a plan, decided or not; None if there is no such plan, or not all its parts."""
        parts = self._plans.get(plan_id, {})
        if not parts or len(parts) < next(iter(parts.values()))[1].parts:
            return None
        return self._assembled(plan_id)

    def _assembled(self, plan_id: str) -> HeldPlan:
        parts = self._plans[plan_id]
        ordered = [parts[number] for number in sorted(parts)]
        event, first = ordered[0]
        removals = tuple(key for _, plan in ordered for key in plan.removals)
        every = tuple(sorted(self._parts[plan_id]))
        return HeldPlan(plan_id, event, removals, first.entity, every)

    def plan_ids(self) -> list[str]:
        """Return the ids of all plans there were, oldest first."""
        return list(self._plans)

    def held(self) -> list[HeldPlan]:
        """Return the plans that wait for a decision, oldest first."""
        undecided = (name for name in self._plans if name not in self.decided)
        return [plan for plan in map(self.plan, undecided) if plan is not None]

    def superseded_by(self, base: int) -> list[HeldPlan]:
        """Return the undecided plans of older exports than this base's, also those not whole."""
        undecided = (self._assembled(name) for name in self._plans if name not in self.decided)
        return [plan for plan in undecided if plan.event.base < base]

    def half_decided(self) -> list[HalfDecided]:
        """Return the decisions that not all parts of their plans say, with those that don't."""
        half = []
        for plan_id, decision in self.decided.items():
            lacking = self._parts.get(plan_id, set()) - self._decided_parts[plan_id]
            if lacking:
                plan = self._assembled(plan_id)._replace(parts=tuple(sorted(lacking)))
                half.append(HalfDecided(plan, decision))
        return half

    def overdue(self, now: datetime) -> list[HeldPlan]:
        """Return the plans that wait for too long (rule 4)."""
        return [plan for plan in self.held() if now - plan.at > PLAN_EXPIRES_AFTER]

    def seen_with(self, petlist_digest: str, identity: Identity) -> ExportEvent | None:
        """Return the last of the earlier exports, if any, that came with just this petlist."""
        name = identity.export_id.partition("Z")[0]
        earlier = (
            event
            for event in self.completed.values()
            if event.petlist_digest == petlist_digest
            and event.base < identity.base
            and event.export_id.partition("Z")[0] != name  # a republication may bring it again
        )
        return max(earlier, key=lambda event: event.base, default=None)

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
        base = max(event.base for event in before) + 1
        if self.newest is None or start_of(self.newest.export_id) <= start:
            base = max(int(newest_file.timestamp()), base)  # else it was put back: never on top
        finished = sum(event.export_id in self.completed for event in before)
        export_id = f"{name}.{finished + 1}" if finished else name
        return Identity(export_id, base, start)

    def choose(self, wanted: Wanted, base: int, scrub: str) -> Choice:
        """Choose the mode of an export of this base; ``auto`` as design and rule 3 say."""
        if wanted != "auto":
            return Choice(wanted)
        newest = self.newest
        if newest is None:
            return Choice("initial")
        gap = timedelta(seconds=base - newest.base)
        if gap > MISSED_AFTER:
            hours = gap // timedelta(hours=1)
            return Choice(
                "scrub",
                f"a day was missed: {hours} h lie between the starts of {newest.export_id} and of "
                "this export, and updatedpets_n and newpets_n cover 24: pets_n is read",
            )
        whole = [event.base for event in self.completed.values() if event.mode != "daily"]
        due = _SCRUB_EVERY.get(scrub)
        if due is not None and timedelta(seconds=base - max(whole, default=0)) >= due - _SLACK:
            return Choice("scrub")
        if self.last is not None and self.last.state != "completed" and self.last.base < base:
            return Choice(
                "scrub", f"export {self.last.export_id} was never finished: pets_n is read"
            )
        return Choice("daily")
