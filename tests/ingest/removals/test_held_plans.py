"""What an approved plan publishes, and which plan can't be approved."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from compared_rows import START, facts, refolded
from msgspec.structs import replace
from rows_of_the_feed import framed, org_row, pet_row

from ingest.changes.comparison import Comparison
from ingest.changes.event import ORGS, PETS, Kind
from ingest.removals import held_plans
from ingest.removals.held_plans import removals_of
from ingest.state.export_history import ExportHistory, HeldPlan
from ingest.state.ledger import Ledger
from ingest.state.log_check import debt
from petstream.codec import decode
from petstream.errors import UsageError
from petstream.events import (
    Counts,
    DebtEvent,
    ExportCounts,
    ExportEvent,
    OrganizationEvent,
    PetEvent,
    Plan,
    PlanEvent,
)
from petstream.sequence import Family, removal_sequence
from petstream.settings import KafkaAccess, Settings


def plan_of(day: int, entity: Literal["pets", "orgs"], *removals: int) -> HeldPlan:
    """Return a plan that was held of a day's export."""
    export = facts(day)
    event = ExportEvent(
        export_id=export.export_id, mode=export.mode, state="held", at=datetime.now(UTC),
        counts=ExportCounts(Counts(), Counts()), base=export.base,
    )  # fmt: skip
    return HeldPlan(f"{export.export_id}.{entity}", event, removals, entity)


@pytest.mark.parametrize(
    ("kind", "family", "row", "file"),
    [(PETS, "pets", pet_row, "petlist.csv"), (ORGS, "orgs", org_row, "orgs")],
)
def test_an_approved_removal_names_the_list_it_was_missing_from(
    kind: Kind, family: Family, row: Any, file: str
) -> None:
    before = Comparison(kind, Ledger(), facts(0))
    log = before.compare(framed(row(7), row(8)), family, "f").publications
    plan = plan_of(1, kind.plural, 7)
    removals = removals_of(plan, Comparison(kind, refolded(log), facts(1)))
    events = [decode(removal.headers, removal.value).event for removal in removals]
    for event in events:
        assert isinstance(event, PetEvent | OrganizationEvent)
        assert (event.op, event.sequence) == ("removed", removal_sequence(facts(1).base))
        assert (event.source.file, event.source.row) == (file, 0)
        assert event.source.export_id == plan.event.export_id
        assert event.first_seen_at == START
    assert [removal.key for removal in removals] == ["7"]


def test_a_key_that_was_seen_later_is_not_removed() -> None:
    later = Comparison(PETS, Ledger(), facts(2))
    log = later.compare(framed(pet_row(7)), "pets", "pets_1.json").publications
    comparison = Comparison(PETS, refolded(log), facts(1))
    assert removals_of(plan_of(1, "pets", 7, 8), comparison) == []


class _Approval:
    """A run of `approve` without Kafka: what it was led by, and what it published."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *events: ExportEvent | PlanEvent) -> None:
        self.history = ExportHistory()
        self.debt: DebtEvent | None = None
        self.lead, self.leads = object(), list[object]()
        self.keys: list[str] = []
        for event in events:
            self.history.fold(event)
        before = Comparison(PETS, Ledger(), facts(0))
        log = before.compare(framed(pet_row(7), pet_row(8)), "pets", "pets_1.json").publications
        self.comparison = Comparison(PETS, refolded(log), facts(1))

        @asynccontextmanager
        async def leading(*_: object) -> AsyncIterator[object]:
            yield self.lead

        async def nothing(*_: object) -> None:
            pass

        async def fold_exports(*_: object) -> ExportHistory:
            return self.history

        async def check_log(*_: object) -> DebtEvent | None:
            return self.debt

        async def comparison(*_: object) -> Comparison:
            return self.comparison

        for name, stub in {
            "leading": leading, "ensure_topics": nothing, "complete_decisions": nothing,
            "fold_exports": fold_exports, "check_log": check_log, "_comparison": comparison,
            "Publisher": self._publisher,
        }.items():  # fmt: skip
            monkeypatch.setattr(held_plans, name, stub)

    @asynccontextmanager
    async def _publisher(self, _kafka: object, lead: object = None) -> AsyncIterator[Any]:
        self.leads.append(lead)
        yield self

    async def send(self, _topic: str, key: str, _value: bytes, _headers: object) -> None:
        self.keys.append(key)

    async def flush(self) -> None:
        pass

    async def approve(self, plan_id: str, directory: Path) -> int:
        settings = Settings(data_dir=directory, topic_prefix="t.")
        access = KafkaAccess("nowhere:1")
        return await held_plans.approve(settings, access, plan_id, by="me", reason=None)


def held(day: int, *removals: int) -> ExportEvent:
    plan = plan_of(day, "pets", *removals)
    return replace(plan.event, plan=Plan(plan.plan_id, 1, 1, removals, "pets"))


def completed(day: int) -> ExportEvent:
    return replace(plan_of(day, "pets").event, state="completed")


async def test_an_approval_publishes_under_its_lead_and_only_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    approval = _Approval(monkeypatch, completed(1), held(1, 7))
    plan_id = plan_of(1, "pets").plan_id
    assert await approval.approve(plan_id, tmp_path) == 1
    assert approval.keys == ["7", plan_of(1, "pets").event.export_id]
    assert set(approval.leads) == {approval.lead}, "without it, nothing fences what is sent"
    with pytest.raises(UsageError, match="was approved already"):
        await approval.approve(plan_id, tmp_path)
    assert len(approval.keys) == 2


async def test_what_cannot_be_approved_removes_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan_id = plan_of(1, "pets").plan_id
    older = _Approval(monkeypatch, completed(1), held(1, 7), completed(2))
    with pytest.raises(UsageError, match="is of an older export than"):
        await older.approve(plan_id, tmp_path)
    nobody = _Approval(monkeypatch, completed(1), held(1))
    with pytest.raises(UsageError, match="names nobody to remove"):
        await nobody.approve(plan_id, tmp_path)
    owing = _Approval(monkeypatch, completed(1), held(1, 7))
    owing.debt = debt("x", 1, "snapshot", "the log lost records")
    with pytest.raises(UsageError, match="the log lost records"):
        await owing.approve(plan_id, tmp_path)
    late = replace(held(1, 7), at=datetime.now(UTC) - timedelta(days=15))
    expired = _Approval(monkeypatch, completed(1), late)
    with pytest.raises(UsageError, match="was expired already"):
        await expired.approve(plan_id, tmp_path)
    assert [*older.keys, *nobody.keys, *owing.keys, *expired.keys] == []
