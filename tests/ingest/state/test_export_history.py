"""What earlier exports tell about the next: its name, its mode, and what is overdue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingest.state.export_history import ExportHistory
from petstream.events import Counts, Drift, ExportCounts, ExportEvent, ExportState, Plan, PlanEvent
from petstream.fold import truncated

START = datetime(2026, 11, 2, 8, 12, 4, tzinfo=UTC)
DAY = timedelta(days=1)


def event(state: ExportState, start: datetime = START, **changes: Any) -> ExportEvent:
    """Return an event of the export of a start."""
    given: dict[str, Any] = {
        "export_id": start.strftime("%Y-%m-%dT%H:%M:%SZ"), "mode": "daily", "state": state,
        "at": start + timedelta(hours=1), "counts": ExportCounts(Counts(), Counts()),
        "base": int(start.timestamp()), "fingerprint": "f",
    }  # fmt: skip
    return ExportEvent(**given | changes)


def memory(*events: ExportEvent | PlanEvent) -> ExportHistory:
    """Fold events."""
    history = ExportHistory()
    for event in events:
        history.fold(event)
    return history


def base(start: datetime) -> int:
    """Return the base of an export."""
    return int(start.timestamp())


@pytest.mark.parametrize(
    ("gap", "mode"),
    [
        (timedelta(hours=24), "daily"),
        (timedelta(hours=30), "daily"),
        (timedelta(hours=30, seconds=1), "scrub"),
        (2 * DAY, "scrub"),
    ],
)
def test_t4_a_gap_of_more_than_30_hours_makes_a_scrub_and_says_why(
    gap: timedelta, mode: str
) -> None:
    """T4: between the starts of exports, whatever the clock says."""
    choice = memory(event("completed", mode="initial")).choose("auto", base(START + gap), "weekly")
    assert choice.mode == mode
    assert ("a day was missed" in (choice.why or "")) is (mode == "scrub")


def test_t5_an_older_export_put_back_never_gets_a_higher_base() -> None:
    """T5: other files under an older start stamp are no reason to win over what came later."""
    later = event("completed", START + DAY)
    identity = memory(event("completed"), later).identify(START, "other", START + 3 * DAY)
    assert identity.export_id == "2026-11-02T08:12:04Z.2"
    assert identity.base < later.base
    republished = memory(event("completed")).identify(START, "other", START + DAY / 2)
    assert (republished.export_id, republished.base) == (identity.export_id, base(START + DAY / 2))


def test_a_plan_expires_after_14_days_and_is_then_none_to_decide_about() -> None:
    plan = event("held", plan=Plan("p.pets", 1, 1, (7,)))
    held = memory(event("completed"), plan)
    assert held.overdue(plan.at + 14 * DAY) == []
    assert [plan.plan_id for plan in held.overdue(plan.at + 14 * DAY + DAY / 24)] == ["p.pets"]
    held.fold(PlanEvent(plan_id="p.pets", export_id="p", decision="expired", at=START + 15 * DAY))
    assert held.held() == []
    assert held.overdue(START + 20 * DAY) == []


def test_t6_a_petlist_is_known_from_earlier_exports_but_not_from_its_own() -> None:
    """T6: a republication may come with the same list; another day may not."""
    first = event("completed", petlist_digest="d")
    history = memory(first, event("completed", START + DAY, petlist_digest="e"))
    tomorrow = history.identify(START + 2 * DAY, "g", START + 2 * DAY)
    assert history.seen_with("d", tomorrow) is first
    assert history.seen_with("e", tomorrow) is history.newest
    assert history.seen_with("f", tomorrow) is None
    assert history.seen_with("d", history.identify(START, "g", START + DAY / 24)) is None


def test_t28_values_of_all_exports_are_remembered() -> None:
    """T28: what was seen once is never new again."""
    history = memory(
        event("completed", drift=Drift(new_values={"sex": ("Male",)})),
        event(
            "completed", START + DAY, drift=Drift(new_values={"sex": ("Female",), "age": ("X",)})
        ),
    )
    assert history.vocabulary == {"sex": {"Male", "Female"}, "age": {"X"}}


def test_files_that_were_broken_are_remembered() -> None:
    history = memory(event("started"), event("failed", fingerprint="broken"))
    assert history.failed == {("2026-11-02T08:12:04Z", "broken")}


def test_t47_a_partition_that_is_shorter_than_recorded_lost_records() -> None:
    """T47: longer is fine, shorter or gone is not."""
    assert truncated({"a/0": 5, "a/1": 3}, {"a/0": 5, "a/1": 9, "a/2": 1}) == []
    assert truncated({"a/0": 5, "a/1": 3}, {"a/0": 4}) == [
        "a/0 ends at 4, not at 5 or behind", "a/1 ends at 0, not at 3 or behind",
    ]  # fmt: skip


def test_an_export_that_was_only_looked_at_leaves_nothing_to_be_made_good() -> None:
    tomorrow = START + 3 * DAY
    whole = event("completed", START + 2 * DAY, mode="scrub")
    looked_at = event("failed", tomorrow, unread=True, reason="pets_2 is missing")
    history = memory(whole, looked_at)
    assert history.choose("auto", base(tomorrow), "weekly").mode == "daily"
    assert history.unread == {looked_at.export_id: "pets_2 is missing"}
    again = event("failed", tomorrow, reason="cut")
    assert memory(whole, again).choose("auto", base(tomorrow + DAY), "weekly").mode == "scrub"
