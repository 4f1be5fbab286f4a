"""The lifecycle of an export on the topics: started, held, completed or failed, and refused rows.

Rule 1: `started` comes before anything else of an export; an export that was completed before
        says nothing unless something new was found in it.
Rule 2: every record goes through the one publisher, so that a flush covers it.
Rule 3: files that are broken are read every few minutes, but published as `failed` only once.
Rule 4: exports.v1 has one partition and is read in order; each record has the next sequence of its
        export, from the history that was folded under the lead.
Rule 5: a plan of more than 10,000 ids comes in parts, each a subject of its own; a decision is
        published for every part, so that the newest of each subject is its state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

from msgspec import structs

from ingest.changes.comparison import RefusedRow
from ingest.changes.event import Kind, Publication, stamp
from ingest.publish.publisher import Publisher
from ingest.state.export_history import HeldPlan, start_of
from petstream import codec, failpoints, topics
from petstream.events import (
    DebtEvent,
    ExportEvent,
    ExportState,
    Plan,
    PlanDecision,
    PlanEvent,
    debt_subject,
    export_subject,
    plan_subject,
)
from petstream.sequence import microseconds

IDS_A_PART: Final = 10_000

TakeSequence = Callable[[str, int], int]
"""Returns the next sequence of an export, by its id and its base."""

MakeEvent = Callable[[ExportState, str | None], ExportEvent]
"""Makes the event of the export as it stands now."""


class Lifecycle:
    """Publishes the records of one run to their topics, in their order."""

    def __init__(  # noqa: PLR0913  what a run publishes with and by, each by its name
        self,
        publisher: Publisher,
        prefix: str,
        make_event: MakeEvent,
        take_sequence: TakeSequence,
        *,
        quiet: bool,
        failed_before: bool = False,
    ) -> None:
        """Publish through `publisher`.

        Args:
            publisher: of the run.
            prefix: of the topics.
            make_event: makes the event of the export as it stands.
            take_sequence: of the history that was folded under the lead.
            quiet: the export was completed: publish its state only once there is news.
            failed_before: just these files were broken: that stays published until they aren't.
        """
        self.flush: Final = publisher.flush
        self.announced = False
        self.quiet = quiet
        self._failed_before = failed_before
        self._dead_letters: list[Publication] = []
        self._publisher, self._prefix, self._make_event = publisher, prefix, make_event
        self._take_sequence = take_sequence

    async def start(self) -> None:
        """Publish `started`, unless that was done, or needn't be."""
        if not self.quiet and not self._failed_before:
            await self.announce("started")

    @property
    def has_news(self) -> bool:
        """Tell whether there is anything to complete."""
        return self.announced or not self.quiet

    async def complete(self) -> None:
        """Publish `completed`; everything else of the export was flushed."""
        for dead_letter in self._dead_letters:
            await self._publish(topics.DEAD_LETTERS, dead_letter)
        await self.announce("completed")

    async def announce(self, state: ExportState, reason: str | None = None) -> None:
        """Publish the export's state."""
        self.announced = True
        record = export_record(self._make_event(state, reason), self._take_sequence)
        await self._publish(topics.EXPORTS, record)
        if state == "started":
            await self.flush()  # at once: an hour of reading may lie before the next flush
            failpoints.point("ingest.started.announced")

    async def record_debt(self, debt: DebtEvent) -> None:
        """Publish what is owed from now on."""
        await self._publish(topics.EXPORTS, debt_record(debt, self._take_sequence))
        await self.flush()

    async def publish_changes(self, kind: Kind, publications: Iterable[Publication]) -> None:
        """Publish events of pets or organisations."""
        topic, send = kind.topic.full_name(self._prefix), self._publisher.send
        for key, value, headers in publications:
            if not self.announced:
                await self.announce("started")
            await send(topic, key, value, headers)

    async def publish_plans(self, records: Iterable[Publication]) -> None:
        """Publish held plans, and decisions about earlier ones."""
        for record in records:
            await self._publish(topics.EXPORTS, record)

    async def hold(
        self, plan_id: str, entity: Literal["pets", "orgs"], removals: Sequence[int], reason: str
    ) -> None:
        """Publish a plan of removals that a person is to decide about, and why."""
        event = self._make_event("held", reason)
        await self.publish_plans(
            held_plan_records(event, plan_id, entity, removals, self._take_sequence)
        )

    async def publish_refused(self, rows: Sequence[RefusedRow], export_id: str) -> None:
        """Publish refused rows as dead letters (once: not again for a completed export)."""
        for row in () if self.quiet else rows:
            dead_letter = refused_row_record(row, export_id, datetime.now(UTC))
            if self._failed_before:
                self._dead_letters.append(dead_letter)
            else:
                await self._publish(topics.DEAD_LETTERS, dead_letter)

    async def _publish(self, topic: topics.Topic, record: Publication) -> None:
        name = topic.full_name(self._prefix)
        await self._publisher.send(name, record.key, record.value, record.headers)


def export_record(event: ExportEvent, take_sequence: TakeSequence) -> Publication:
    """Return the record of an export's event, or of a part of a plan that is held."""
    subject = export_subject(event.export_id)
    if event.state == "held" and event.plan is not None:
        subject = plan_subject(event.plan.plan_id, event.plan.part)
    sequence = take_sequence(event.export_id, event.base)
    return _record(f"export.{event.state}", subject, sequence, event)


def held_plan_records(
    event: ExportEvent,
    plan_id: str,
    entity: Literal["pets", "orgs"],
    removals: Sequence[int],
    take_sequence: TakeSequence,
) -> Iterator[Publication]:
    """Return the records of a held plan, in parts."""
    parts = max(1, -(-len(removals) // IDS_A_PART))
    for part in range(1, parts + 1):
        ids = tuple(removals[(part - 1) * IDS_A_PART : part * IDS_A_PART])
        held = structs.replace(event, plan=Plan(plan_id, part, parts, ids, entity))
        yield export_record(held, take_sequence)


def plan_decision(
    plan: HeldPlan,
    word: PlanDecision,
    now: datetime,
    *,
    by: str | None = None,
    reason: str | None = None,
) -> PlanEvent:
    """Return what was decided about a plan."""
    return PlanEvent(
        plan_id=plan.plan_id,
        export_id=plan.event.export_id,
        decision=word,
        at=now.replace(microsecond=0),
        by=by,
        reason=reason,
    )


def decision_records(
    plan: HeldPlan, event: PlanEvent, take_sequence: TakeSequence
) -> Iterator[Publication]:
    """Return the records of a decision about a plan: the same event for each of its parts."""
    for part in plan.parts:
        sequence = take_sequence(event.export_id, plan.event.base)
        subject = plan_subject(plan.plan_id, part)
        yield _record(f"removals.{event.decision}", subject, sequence, event)


def debt_record(event: DebtEvent, take_sequence: TakeSequence) -> Publication:
    """Return the record of something that is owed: a subject of its own, until it is paid."""
    base = int(start_of(event.export_id).timestamp())
    sequence = take_sequence(event.export_id, base)
    return _record("debt.found", debt_subject(sequence), sequence, event)


def refused_row_record(refused: RefusedRow, export_id: str, now: datetime) -> Publication:
    """Return the dead letter of a row: its bytes (the first 2,048), and where it stood."""
    origin = f"{export_id}/{refused.file}/{refused.row.number}"
    context = codec.headers(
        type_="deadletter.row",
        subject=f"row/{codec.ascii_text(origin)}",
        sequence=microseconds(now),
        export_id=export_id,
        digest=codec.digest(refused.row.raw),
        time=now,
        content_type=codec.BYTES,
    )
    details = {
        "dl_origin": origin,
        "dl_reason": refused.row.reason,
        "dl_class": "row",
        "dl_message": refused.row.message,
        "dl_file": refused.file,
        "dl_row": str(refused.row.number),
        "dl_offset": str(refused.row.offset),
        "dl_at": stamp(now),
    }
    return Publication(
        origin, refused.row.raw, (*context, *codec.dead_letter_headers(details.items()))
    )


def _record(
    type_: str, subject: str, sequence: int, event: ExportEvent | PlanEvent | DebtEvent
) -> Publication:
    value = codec.encode(event)
    headers = codec.headers(
        type_=type_,
        subject=subject,
        sequence=sequence,
        export_id=event.export_id,
        digest=codec.digest(value),
        time=event.at,
    )
    return Publication(event.export_id, value, headers)
