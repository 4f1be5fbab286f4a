"""What an approved plan publishes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from compared_rows import START, facts, refolded
from rows_of_the_feed import framed, org_row, pet_row

from ingest.changes.comparison import Comparison
from ingest.changes.event import ORGS, PETS, Kind
from ingest.removals.held_plans import removals_of
from ingest.state.export_history import HeldPlan
from ingest.state.ledger import Ledger
from petstream.codec import decode
from petstream.events import Counts, ExportCounts, ExportEvent, OrganizationEvent, PetEvent
from petstream.sequence import Family, removal_sequence


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
