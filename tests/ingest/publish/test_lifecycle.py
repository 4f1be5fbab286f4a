"""Ids and sequences on exports.v1: over a log of crashes, approvals and expiries each is its own.

Whoever leads folds the log first, and may be killed behind any record: what it had still to publish
is missing then, until the next makes it good.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import pytest
from compared_rows import facts
from recorded_publisher import RecordedPublisher
from rows_of_the_feed import framed, pet_row

from ingest.changes.comparison import Comparison, RefusedRow
from ingest.changes.event import PETS, Publication
from ingest.parse.rows import BadRow
from ingest.publish import lifecycle
from ingest.publish.lifecycle import (
    Lifecycle,
    decision_records,
    export_record,
    held_plan_records,
    plan_decision,
)
from ingest.state.export_history import ExportHistory
from ingest.state.ledger import Ledger
from petstream.codec import Envelope, decode
from petstream.errors import PetstreamError
from petstream.events import Counts, ExportCounts, ExportEvent, ExportState, Plan
from petstream.sequence import PER_SECOND

START: Final = datetime(2026, 11, 23, 8, 12, 4, tzinfo=UTC)


def event(state: ExportState, start: datetime = START, **changes: Any) -> ExportEvent:
    """Return an event of the export of a start."""
    name = start.strftime("%Y-%m-%dT%H:%M:%SZ")
    given: dict[str, Any] = {
        "export_id": name, "mode": "daily", "state": state, "at": start,
        "counts": ExportCounts(Counts(), Counts()), "base": int(start.timestamp()),
    }  # fmt: skip
    return ExportEvent(**given | changes)


def seeded(seed: int) -> Random:
    """Return what decides a schedule."""
    return Random(seed)  # noqa: S311  a schedule, no secret


@dataclass
class World:
    """A log, and leaders that are killed behind some record."""

    random: Random
    log: list[Envelope] = field(default_factory=list)
    day: int = 0

    def history(self) -> ExportHistory:
        """Fold the log."""
        history = ExportHistory()
        for envelope in self.log:
            history.fold_record(envelope)
        return history

    def publish(self, records: Iterable[Publication], *, calm: bool) -> None:
        """Publish records; unless it's calm, the leader may be killed behind any of them."""
        for record in records:
            self.log.append(decode(record.headers, record.value))
            if not calm and self.random.random() < 0.2:
                return

    def lead(self, *, calm: bool = False) -> None:
        """Do as one leader does: make good what is half decided, then something of its own."""
        history = self.history()
        self.publish(self._records(history, calm=calm), calm=calm)

    def _records(self, history: ExportHistory, *, calm: bool) -> Iterator[Publication]:
        take = history.take_sequence
        for plan, decided in history.half_decided():
            yield from decision_records(plan, decided, take)
        what = "supersede" if calm else self.random.choice(["read", "approve", "expire", "fail"])
        held = history.held()
        if what == "fail":
            yield export_record(event("failed", self._start, reason="cut", unread=True), take)
        elif what in {"approve", "expire"} and held:
            plan = self.random.choice(held)
            word: Any = "approved" if what == "approve" else "expired"
            yield from decision_records(plan, plan_decision(plan, word, self._start), take)
        elif what in {"read", "supersede"}:
            yield from self._read(history, hold=not calm)

    def _read(self, history: ExportHistory, *, hold: bool) -> Iterator[Publication]:
        if event("started", self._start).export_id in history.completed:
            self.day += 1
        take, started = history.take_sequence, event("started", self._start)
        yield export_record(started, take)
        plan_id = f"{started.export_id}.pets"
        if hold and history.plan(plan_id) is None:
            removals = range(self.random.randrange(1, 6))
            held = event("held", self._start)
            yield from held_plan_records(held, plan_id, "pets", removals, take)
        for plan in history.superseded_by(started.base):
            decided = plan_decision(plan, "superseded", self._start)
            yield from decision_records(plan, decided, take)
        yield export_record(event("completed", self._start), take)

    @property
    def _start(self) -> datetime:
        return START + timedelta(days=self.day)


def newest_types(log: Iterable[Envelope]) -> dict[str, str]:
    """Return what each subject's newest event is, as a subscriber decides it who reads no more."""
    newest: dict[str, Envelope] = {}
    for envelope in log:
        held = newest.get(envelope.subject)
        if held is None or envelope.rank > held.rank:
            newest[envelope.subject] = envelope
    return {subject: envelope.type for subject, envelope in newest.items()}


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "IDS_A_PART", 2)


@pytest.mark.parametrize("seed", range(150))
def test_every_record_has_an_id_of_its_own_and_the_newest_of_a_subject_is_its_state(
    seed: int,
) -> None:
    world = World(seeded(seed))
    for _ in range(25):
        world.lead()
    world.day += 1
    world.lead(calm=True)
    ids = [(record.export_id, record.subject, record.sequence) for record in world.log]
    assert len(set(ids)) == len(ids)
    last: dict[str, int] = {}
    for record in world.log:
        assert record.sequence > last.get(record.export_id, 0), record
        last[record.export_id] = record.sequence
    last_types = {record.subject: record.type for record in world.log}
    assert newest_types(world.log) == last_types
    plans = {subject: type_ for subject, type_ in last_types.items() if "removal-plan/" in subject}
    assert {type_ for type_ in plans.values() if ".removals." not in type_} == set()
    held = {record.subject for record in world.log if record.type.endswith(".held")}
    assert held == plans.keys()


@pytest.mark.parametrize("seed", range(30))
def test_duplicates_rewinds_and_late_records_fold_to_the_same(seed: int) -> None:
    random = seeded(seed)
    world = World(random)
    world.lead(calm=True)
    for _ in range(15):
        world.lead()
    right = world.history()
    for _ in range(5):
        world.log.extend(random.sample(world.log, len(world.log) // 3))
    again = world.history()
    for name in (
        "completed",
        "started",
        "failed",
        "unread",
        "decided",
        "unfinished",
        "last_completed",
        "debts",
        "_plans",
    ):
        assert getattr(again, name) == getattr(right, name), name
    export_id, base = next(iter(right.started)), int(START.timestamp())
    assert again.take_sequence(export_id, base) == right.take_sequence(export_id, base)


def test_the_first_record_of_an_export_has_its_base_and_each_later_one_the_next() -> None:
    history = ExportHistory()
    base = int(START.timestamp())
    records = [
        export_record(event("started"), history.take_sequence),
        *held_plan_records(event("held"), "P", "pets", range(5), history.take_sequence),
        export_record(event("completed"), history.take_sequence),
    ]
    decoded = [decode(record.headers, record.value) for record in records]
    assert [envelope.sequence - base * PER_SECOND for envelope in decoded] == [0, 1, 2, 3, 4]
    assert [envelope.subject for envelope in decoded] == [
        "export/2026-11-23T08:12:04Z", "removal-plan/P/1", "removal-plan/P/2", "removal-plan/P/3",
        "export/2026-11-23T08:12:04Z",
    ]  # fmt: skip
    assert dict(records[0].headers)["ce_id"] == (
        b"2026-11-23T08:12:04Z/export/2026-11-23T08:12:04Z/%d" % (base * PER_SECOND)
    )


def test_nothing_is_published_beyond_the_range_of_sequences() -> None:
    last = datetime(2041, 5, 10, 11, 56, 52, tzinfo=UTC)
    record = export_record(event("started", last), ExportHistory().take_sequence)
    assert decode(record.headers, record.value).sequence < 2**53 - PER_SECOND
    with pytest.raises(PetstreamError, match="May 2041"):
        export_record(event("started", last + timedelta(seconds=1)), ExportHistory().take_sequence)


def test_a_log_of_0_1_is_folded_in_its_order_and_continued_above_it() -> None:
    """There all records of an export had one sequence, and the export's subject."""
    base = int(START.timestamp())
    plan = Plan("P", 1, 1, (7,))
    events = [event("started"), event("held", plan=plan), event("completed", reason="a")]
    log = [_as_in_0_1(said, digest) for said, digest in zip(events, "cba", strict=True)]
    world = World(seeded(0), list(log))
    history = world.history()
    assert history.last_completed == events[-1], "the last in the log, not the highest digest"
    (held,) = history.held()
    assert held.plan_id == "P"
    decided = plan_decision(held, "approved", START)
    world.publish(decision_records(held, decided, history.take_sequence), calm=True)
    assert world.log[-1].sequence == base * PER_SECOND + 1
    assert (world.history().held(), world.history().half_decided()) == ([], [])
    whole = Envelope("t", log[0].subject, log[0].sequence, log[0].export_id, "x", START, decided)
    by_0_1 = World(seeded(0), [*log, whole])
    assert (by_0_1.history().held(), by_0_1.history().half_decided()) == ([], [])


def _as_in_0_1(said: ExportEvent, digest: str) -> Envelope:
    subject = f"export/{said.export_id}"
    return Envelope(
        f"org.petstream.export.{said.state}", subject, said.base * PER_SECOND, said.export_id,
        digest, START, said,
    )  # fmt: skip


def test_a_plan_of_many_parts_names_each_key_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "IDS_A_PART", 2)
    for removals in ((), (1,), (1, 2), (1, 2, 3, 4, 5)):
        history = ExportHistory()
        for record in held_plan_records(
            event("held"), "p.pets", "pets", removals, history.take_sequence
        ):
            history.fold_record(decode(record.headers, record.value))
        plan = history.plan("p.pets")
        assert plan is not None
        assert plan.removals == removals


async def test_an_export_that_was_completed_is_announced_again_only_with_news() -> None:
    published = RecordedPublisher()
    run = a_run(published, quiet=True)
    await run.start()
    assert not run.has_news
    await run.publish_refused([REFUSED], "x")
    assert published.types == [], "refused rows were said the first time"
    await run.publish_changes(PETS, [a_pet()])
    await run.complete()
    assert published.types == ["export.started", "pet.added", "export.completed"]


async def test_an_export_that_is_broken_still_is_announced_once_it_is_whole() -> None:
    """Its files are looked at every few minutes: it stays published as failed meanwhile."""
    published = RecordedPublisher()
    run = a_run(published, failed_before=True)
    await run.start()
    await run.publish_refused([REFUSED], "x")
    assert published.types == []
    await run.complete()
    assert published.types == ["deadletter.row", "export.completed"]


REFUSED = RefusedRow("pets_1.json", BadRow(3, 70, "not-json", "it isn't", b"{"))


def a_run(published: RecordedPublisher, **changes: bool) -> Lifecycle:
    """Return the lifecycle of a run."""

    def make_event(state: ExportState, reason: str | None = None) -> ExportEvent:
        return event(state, reason=reason)

    given = {"quiet": False} | changes
    history = ExportHistory()
    return Lifecycle(published, "t.", make_event, history.take_sequence, **given)  # type: ignore[arg-type]  # just what is asked of it


def a_pet() -> Publication:
    """Return the event of a new pet."""
    run = Comparison(PETS, Ledger(), facts(0))
    return run.compare(framed(pet_row(7)), "pets", "pets_1.json").publications[0]
