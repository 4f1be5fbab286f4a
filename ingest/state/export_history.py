"""What is known of earlier exports: folded from exports.v1, which is kept for ever.

Rule 1: an export is its start time; the same start with other files is a republication
        (``.2``, ``.3``), and so is a snapshot of an export that was completed before.
Rule 2: a run's base is its export's start, or one more than the highest that is known. It is used
        again for the same files, while nothing higher is known. Which of two exports is the newer,
        their starts say, never their bases.
Rule 3: what is owed is not kept but folded: debts that were found, less what was completed since.
Rule 4: a plan that nobody decided about for two weeks has expired, and is none to decide about.
Rule 5: each record of an export has the next sequence of its export id; the first has the base's.
Rule 6: a plan is decided as a whole, but a record says so for each of its parts, so that each
        subject ends in its state; a crash may have left some out, or a plan without all its parts.
Rule 7: an export that was looked at and never read (`unread`) leaves nothing to be made good.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

from msgspec import UNSET

from petstream.codec import Envelope
from petstream.errors import PetstreamError
from petstream.events import DebtEvent, ExportEvent, Plan, PlanEvent, plan_part_of
from petstream.fold import SubjectOrder
from petstream.sequence import LIMIT, PER_SECOND

PLAN_EXPIRES_AFTER: Final = timedelta(days=14)


class HalfDecided(NamedTuple):
    """A plan that was decided, and what was decided; not all of its parts say so."""

    plan: HeldPlan
    decision: PlanEvent


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
    parts: tuple[int, ...] = (1,)
    """The numbers of all parts that were ever held: a decision is published for each."""

    @property
    def at(self) -> datetime:
        """When it was held."""
        return self.event.at


def start_of(export_id: str) -> datetime:
    """Return an export's start, which is its name."""
    return datetime.fromisoformat(export_id.partition("Z")[0]).replace(tzinfo=UTC)


def started_at(event: ExportEvent) -> datetime:
    """Return when an export started: no later than was told of it, whatever it is named for.

    (A server's clock may have been a year ahead: what came since is newer all the same.)
    """
    return min(start_of(event.export_id), event.at)


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
        self.unfinished: ExportEvent | None = None
        """What was started last, if it wasn't completed since."""
        self.debts: list[DebtEvent] = []
        """What was found to be owed, and wasn't paid since."""
        self.highest_base = -1
        self._highest_debt = -1
        self._plans: dict[str, dict[int, tuple[ExportEvent, Plan]]] = {}
        self._parts: dict[str, set[int]] = {}
        self._decided_parts: dict[str, set[int]] = {}
        self._sequences: dict[str, int] = {}
        self._order = SubjectOrder()

    def fold_record(self, envelope: Envelope) -> None:
        """Take one record of exports.v1; one that is late, or comes again, changes nothing."""
        event = envelope.event
        if not isinstance(event, ExportEvent | PlanEvent | DebtEvent):
            return
        highest = self._sequences.get(event.export_id, 0)
        self._sequences[event.export_id] = max(highest, envelope.sequence)
        if self._order.is_newest(envelope.subject, envelope.rank):
            self.fold(event, plan_part_of(envelope.subject))

    def fold(self, event: ExportEvent | PlanEvent | DebtEvent, part: int | None = None) -> None:
        """Take one event of exports.v1.

        Args:
            event: what was published.
            part: of a decision: which part of the plan says so; None: the plan as a whole.
        """
        if isinstance(event, DebtEvent):
            self.debts.append(event)
            self._highest_debt = max(self._highest_debt, event.base)
            self.highest_base = max(self.highest_base, event.base)
        elif isinstance(event, PlanEvent):
            self.decided[event.plan_id] = event
            every = self._parts.get(event.plan_id, ())
            decided = self._decided_parts.setdefault(event.plan_id, set())
            decided.update(every if part is None else (part,))
        elif event.state == "held" and event.plan is not None:
            self._fold_held(event, event.plan)
        elif event.unread is True:
            self.unread[event.export_id] = event.reason
        else:
            self._fold_export(event)

    def _fold_held(self, event: ExportEvent, plan: Plan) -> None:
        self._parts.setdefault(plan.plan_id, set()).add(plan.part)
        parts = self._plans.setdefault(plan.plan_id, {})
        parts[plan.part] = (event, plan)
        for number in [number for number in parts if parts[number][1].parts != plan.parts]:
            del parts[number]  # held before, in another number of parts

    def _fold_export(self, event: ExportEvent) -> None:
        self.highest_base = max(self.highest_base, event.base)
        if event.state == "started":
            self.started[event.export_id] = self.unfinished = event
        elif event.state == "failed":
            self.failed.add((event.export_id, event.fingerprint))
            self.unfinished = event
        elif event.state == "completed":
            self.completed.pop(event.export_id, None)  # completed again, it is the last one
            self.completed[event.export_id] = event
            if self.unfinished is not None and self.unfinished.export_id == event.export_id:
                self.unfinished = None
            self.debts = [debt for debt in self.debts if not pays(event, debt)]
            for name, values in event.drift.new_values.items() if event.drift is not None else ():
                self.vocabulary.setdefault(name, set()).update(values)

    @property
    def newest(self) -> ExportEvent | None:
        """The newest export that was completed."""
        return max(
            self.completed.values(),
            key=lambda event: (started_at(event), event.base),
            default=None,
        )

    @property
    def last_completed(self) -> ExportEvent | None:
        """The completed run with the highest base, which says where the log ended.

        (The last in the log may be a dead leader's, which arrived behind its successor's.)
        """
        return max(self.completed.values(), key=lambda event: event.base, default=None)

    @property
    def last_restated(self) -> ExportEvent | None:
        """The completed run with the highest base that tells of a snapshot, announced or not."""
        restatements = (
            event
            for event in self.completed.values()
            if event.snapshot is not UNSET or event.restated is not UNSET
        )
        return max(restatements, key=lambda event: event.base, default=None)

    def names_ahead(self, start: datetime) -> bool:
        """Return whether an export was named for this start before it had come."""
        events = (*self.started.values(), *self.completed.values())
        return any(started_at(event) < start == start_of(event.export_id) for event in events)

    def snapshots(self) -> list[ExportEvent]:
        """Return the completed runs that stated every key again, by the order of the log."""
        return [event for event in self.completed.values() if is_restating(event)]

    @property
    def restated_from(self) -> int:
        """The sequence from which the log was restated last, announced or not; 0: it never was."""
        sequences = (
            sequence
            for event in self.completed.values()
            for sequence in (event.snapshot, event.restated)
            if isinstance(sequence, int)
        )
        return max(sequences, default=0)

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

    def identify(  # noqa: PLR0913  what a base depends on, each by its name
        self,
        start: datetime,
        fingerprint: str,
        *,
        restating: bool = False,
        known_base: int = -1,
        asked_base: int = -1,
        now: datetime | None = None,
    ) -> Identity:
        """Name the run of this export, and give it a base (rules 1 and 2).

        Args:
            start: of the export.
            fingerprint: of its files.
            restating: the run states every key again.
            known_base: the highest base that is known besides those of exports.v1.
            asked_base: the highest that somebody asks for a snapshot above.
            now: the time; a run that states every key again has no base below it, for runs of
                this very export may be lost that nobody knows of.
        """
        name = start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        before = [
            event
            for export_id, event in (self.started | self.completed).items()
            if export_id == name or export_id.startswith(name + ".")
        ]
        known_base = max(known_base, self.highest_base)
        older = self.newest is not None and start < started_at(self.newest)
        same = [
            event
            for event in before
            if event.fingerprint == fingerprint and is_restating(event) == restating
        ]
        for event in sorted(same, key=lambda event: -event.base):
            highest = max(asked_base, self._highest_debt)
            if older or (event.base >= known_base and event.base > highest):
                return Identity(event.export_id, event.base, start)
        first = int(max(start, now).timestamp() if restating and now else start.timestamp())
        if older:  # it was put back: never on top of what came since
            base = max([event.base + 1 for event in before], default=first)
        else:
            base = max(first, known_base + 1, asked_base + 1)
        finished = sum(event.export_id in self.completed for event in before)
        return Identity(f"{name}.{finished + 1}" if finished else name, base, start)


def is_restating(event: ExportEvent) -> bool:
    """Return whether an event is of a run that states every key again."""
    return event.restated == event.base * PER_SECOND


def pays(completed: ExportEvent, debt: DebtEvent) -> bool:
    """Return whether an export that was completed pays a debt: it began behind it."""
    if completed.base <= debt.base:
        return False
    return is_restating(completed) if debt.owes == "snapshot" else completed.mode != "daily"
