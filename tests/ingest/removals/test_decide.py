"""What becomes of who is missing: published, held as a plan once, or left alone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

import pytest
from compared_rows import START, facts, refolded
from recorded_publisher import RecordedPublisher
from rows_of_the_feed import framed, org_row, pet_row

from ingest.changes.comparison import Comparison
from ingest.changes.event import ORGS, PETS, Kind
from ingest.publish.lifecycle import Lifecycle
from ingest.removals.decide import (
    Evidence,
    JudgedRemovals,
    find_petlist,
    gather_evidence,
    judge_organizations,
    judge_pets,
    judge_removals,
    settle,
)
from ingest.removals.gate import GateDecision
from ingest.removals.petlist import read_petlist
from ingest.source.listing import ExportSet, Part, RemoteFile
from ingest.state.export_history import ExportHistory
from ingest.state.ledger import Ledger
from petstream.events import Counts, ExportCounts, ExportEvent, PlanEvent
from petstream.setting_values import RemovalLimits

LIMITS = RemovalLimits(max_share=0.5, max_count=5_000)
PETLIST = read_petlist(b"1\n2\n3\n")
BELIEVED = Evidence(PETLIST, (), seen_with=None, seen_last=False, rate_problems=())


def the_day_after(kind: Kind, known: int, rows: list[Any]) -> Comparison:
    """Return a comparison in which so many are listed, and these rows were read."""
    row, family = (pet_row, "pets") if kind is PETS else (org_row, "orgs")
    before = Comparison(kind, Ledger(), facts(0))
    log = before.compare(framed(*(row(key) for key in range(1, known + 1))), family, "f")  # type: ignore[arg-type]  # both are families
    today = Comparison(kind, refolded(log.publications), facts(1))
    today.compare(framed(*rows), family, "f")  # type: ignore[arg-type]  # as above
    return today


def a_run(published: RecordedPublisher, history: ExportHistory) -> Lifecycle:
    def make_event(state: Any, reason: str | None = None) -> ExportEvent:
        run = facts(1)
        return ExportEvent(
            export_id=run.export_id, mode="daily", state=state, at=START, base=run.base,
            counts=ExportCounts(Counts(), Counts()), reason=reason,
        )  # fmt: skip

    return Lifecycle(published, "t.", make_event, history.take_sequence, quiet=False)  # type: ignore[arg-type]  # just what is asked of it


def test_who_is_missing_from_a_list_that_is_believed_leaves() -> None:
    pets = the_day_after(PETS, 4, [pet_row(1)])
    assert judge_pets(pets, BELIEVED, LIMITS) == GateDecision((4,), None)
    orgs = the_day_after(ORGS, 4, [org_row(1), org_row(2), org_row(4)])
    assert judge_organizations(orgs, BELIEVED, LIMITS) == GateDecision((3,), None)


def test_a_refused_row_of_organisations_might_be_any_of_them() -> None:
    orgs = the_day_after(ORGS, 4, [org_row(1), org_row(2), "no row", org_row(4)])
    assert judge_organizations(orgs, BELIEVED, LIMITS) == GateDecision(
        (3,), "rows of orgs_n were refused"
    )


def test_what_is_not_believable_of_the_export_or_its_list_removes_nobody() -> None:
    pets = the_day_after(PETS, 4, [pet_row(1)])
    orgs = the_day_after(ORGS, 2, [org_row(1)])
    rate = BELIEVED._replace(rate_problems=("too much changed",))
    assert [kind.decision for kind in judge_removals(pets, orgs, rate, LIMITS)] == [
        GateDecision((4,), "too much changed"),
        GateDecision((2,), "too much changed"),
    ]
    cut = BELIEVED._replace(petlist_problems=("petlist.csv is cut",))
    assert [kind.decision.reason for kind in judge_removals(pets, orgs, cut, LIMITS)] == [
        "petlist.csv is cut", None,
    ]  # fmt: skip


async def test_a_plan_is_held_once_and_waits_until_somebody_decides() -> None:
    pets = the_day_after(PETS, 4, [pet_row(1)])
    judged = [JudgedRemovals(pets, GateDecision((4,), "doubtful"))]
    published, history = RecordedPublisher(), ExportHistory()
    plan_id = f"{facts(1).export_id}.pets"

    settled = await settle(a_run(published, history), judged, history)
    assert settled.held == (plan_id,)
    assert published.types == ["export.held"]
    for envelope in published.envelopes:
        history.fold_record(envelope)
    assert [plan.removals for plan in history.held()] == [(4,)]

    again = RecordedPublisher()  # the same export once more: a crash, or its files looked at again
    settled = await settle(a_run(again, history), judged, history)
    assert (settled.held, again.types) == ((plan_id,), [])

    history.fold(
        PlanEvent(plan_id=plan_id, export_id=plan_id, decision="rejected", at=datetime.now(UTC))
    )
    settled = await settle(a_run(again, history), judged, history)
    assert (settled.held, again.types) == ((), []), "a person's decision stands"


async def test_what_passes_is_published_and_a_contradiction_is_a_note() -> None:
    pets = the_day_after(PETS, 4, [pet_row(1)])
    published, history = RecordedPublisher(), ExportHistory()
    judged = [JudgedRemovals(pets, GateDecision((4,), None, contradictions=2))]
    settled = await settle(a_run(published, history), judged, history)
    assert settled.held == ()
    assert published.types == ["export.started", "pet.removed"]
    assert published.envelopes[-1].subject == "pet/4"
    assert settled.notes == ("in the files but not in the petlist, so they stay: 2 pets",)


class _Files:
    """A reader that gives one petlist."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def whole(self, _part: Part, *, most_bytes: int) -> bytes:
        assert most_bytes
        return self._data


@pytest.mark.parametrize(("hours", "stale"), [(0, False), (-5, True)])
async def test_a_list_older_than_the_rows_is_read_and_not_believed(
    hours: int, *, stale: bool
) -> None:
    def part(family: Any, hour: int) -> Part:
        at = START.replace(hour=12 + hour)
        return Part(family, 1, RemoteFile(str(PurePath(family)), 6, at))

    files = ExportSet((part("petlist", hours), part("updatedpets", 0)))
    given = await find_petlist(_Files(b"1\n2\n"), files, "daily")  # type: ignore[arg-type]  # just what is asked of it
    assert given.petlist is not None
    assert given.petlist.ids == {1, 2}
    assert bool(given.problems) == stale
    evidence = gather_evidence(given, [], ExportHistory(), an_identity())
    assert bool(evidence.petlist_problems) == stale


def an_identity() -> Any:
    return ExportHistory().identify(START, "files")
