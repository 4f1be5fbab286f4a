"""What earlier exports tell about the next: its name, its mode, and what is overdue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import structs

from ingest.state.export_history import ExportHistory
from petstream.events import (
    Counts,
    DebtEvent,
    Drift,
    ExportCounts,
    ExportEvent,
    ExportState,
    Plan,
    PlanEvent,
)
from petstream.fold import truncated
from petstream.sequence import PER_SECOND

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


def memory(*events: ExportEvent | PlanEvent | DebtEvent) -> ExportHistory:
    """Fold events."""
    history = ExportHistory()
    for event in events:
        history.fold(event)
    return history


def base(start: datetime) -> int:
    """Return the base of an export."""
    return int(start.timestamp())


def test_t5_an_older_export_put_back_never_gets_a_higher_base() -> None:
    """T5: other files under an older start stamp are no reason to win over what came later."""
    later = event("completed", START + DAY)
    identity = memory(event("completed"), later).identify(START, "other")
    assert identity.export_id == "2026-11-02T08:12:04Z.2"
    assert identity.base < later.base
    republished = memory(event("completed")).identify(START, "other")
    assert (republished.export_id, republished.base) == (identity.export_id, base(START) + 1)


def test_a_plan_expires_after_14_days_and_is_then_none_to_decide_about() -> None:
    plan = event("held", plan=Plan("p.pets", 1, 1, (7,)))
    held = memory(event("completed"), plan)
    assert held.overdue(plan.at + 14 * DAY) == []
    assert [plan.plan_id for plan in held.overdue(plan.at + 14 * DAY + DAY / 24)] == ["p.pets"]
    held.fold(PlanEvent(plan_id="p.pets", export_id="p", decision="expired", at=START + 15 * DAY))
    assert held.held() == []
    assert held.overdue(START + 20 * DAY) == []


def part(number: int, of: int, *removals: int) -> ExportEvent:
    """Return a part of a plan of the first day."""
    return event("held", plan=Plan("p.pets", number, of, removals))


def test_a_plan_is_one_only_with_all_its_parts_whatever_their_order() -> None:
    history = memory(part(3, 3, 5), part(1, 3, 1, 2))
    assert history.plan("p.pets") is None
    assert history.held() == [], "a crash may have left a part out"
    history.fold(part(2, 3, 3, 4))
    (plan,) = history.held()
    assert (plan.removals, plan.parts) == ((1, 2, 3, 4, 5), (1, 2, 3))


def test_a_plan_held_again_in_fewer_parts_has_none_of_the_earlier_ones() -> None:
    history = memory(part(1, 2, 1, 2), part(2, 2, 3), part(1, 1, 2))
    plan = history.plan("p.pets")
    assert plan is not None
    assert plan.removals == (2,)
    assert plan.parts == (1, 2), "a decision is published for each that was ever held"


def test_a_newer_export_supersedes_a_plan_and_its_own_export_does_not() -> None:
    history = memory(part(1, 2, 7))
    assert history.superseded_by(base(START)) == []
    assert [plan.plan_id for plan in history.superseded_by(base(START) + 1)] == ["p.pets"]


def test_t6_a_petlist_is_known_from_earlier_exports_but_not_from_its_own() -> None:
    """T6: a republication may come with the same list; another day may not."""
    first = event("completed", petlist_digest="d")
    history = memory(first, event("completed", START + DAY, petlist_digest="e"))
    tomorrow = history.identify(START + 2 * DAY, "g")
    assert history.seen_with("d", tomorrow) is first
    assert history.seen_with("e", tomorrow) is history.newest
    assert history.seen_with("f", tomorrow) is None
    assert history.seen_with("d", history.identify(START, "g")) is None


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
    looked_at = event("failed", tomorrow, unread=True, reason="pets_2 is missing")
    history = memory(event("completed", START + 2 * DAY, mode="scrub"), looked_at)
    assert history.unfinished is None
    assert history.highest_base == base(START + 2 * DAY)
    assert history.unread == {looked_at.export_id: "pets_2 is missing"}


def test_a_run_gets_a_base_above_all_that_is_known() -> None:
    """Whatever lies in the log, in exports.v1 or is asked for: what is said now is newer."""
    history = memory(event("completed"))
    start = START + DAY
    assert history.identify(start, "g").base == base(start)
    assert history.identify(start, "g", known_base=base(start)).base == base(start) + 1
    assert history.identify(start, "g", known_base=base(start) + 9).base == base(start) + 10
    assert history.identify(start, "g", asked_base=base(start) + 5).base == base(start) + 6


def test_the_same_files_keep_their_base_until_something_higher_is_known() -> None:
    history = memory(event("completed"), event("started", START + DAY, fingerprint="g"))
    start = START + DAY
    assert history.identify(start, "g", known_base=base(start)).base == base(start)
    assert history.identify(start, "g", known_base=base(start) + 1).base == base(start) + 2


def test_a_snapshot_of_a_completed_export_is_a_republication() -> None:
    history = memory(event("completed"))
    snapshot = history.identify(START, "f", restating=True)
    assert (snapshot.export_id, snapshot.base) == ("2026-11-02T08:12:04Z.2", base(START) + 1)
    begun = event("started", export_id=snapshot.export_id, base=snapshot.base)
    begun = structs.replace(begun, restated=snapshot.base * PER_SECOND)
    killed = memory(event("completed"), begun)
    assert killed.identify(START, "f", restating=True) == snapshot
    asked = killed.identify(START, "f", restating=True, asked_base=snapshot.base)
    assert asked.base == snapshot.base + 1


def test_which_export_is_the_newest_its_start_says_and_not_its_base() -> None:
    later = event("completed", START + DAY)
    history = memory(later, event("completed", base=base(START + 9 * DAY)))
    assert history.newest is later
    last = history.last_completed
    assert last is not None
    assert last.base == base(START + 9 * DAY)


def test_the_end_of_the_log_is_told_by_the_run_with_the_highest_base() -> None:
    """A dead leader's `completed` arrives behind its successor's, and knows less."""
    successor = event("completed", START + DAY)
    assert memory(successor, event("completed")).last_completed is successor


def test_a_base_at_which_a_loss_was_found_is_not_used_again() -> None:
    """Of its run's records some were lost: said again at other places, they'd look the same."""
    start = START + DAY
    begun = event("started", start, fingerprint="g")
    lost = DebtEvent(
        export_id=begun.export_id, owes="snapshot", at=start, reason="", base=base(start)
    )
    assert memory(begun).identify(start, "g").base == base(start)
    assert memory(begun, lost).identify(start, "g").base == base(start) + 1


def test_a_snapshot_has_no_base_below_the_clock() -> None:
    """Runs of this very export may be lost: nothing of them may lie above the snapshot."""
    now = START + DAY / 2
    assert memory().identify(START, "f", restating=True, now=now).base == base(now)
    assert memory().identify(START, "f", now=now).base == base(START)
    early = START - DAY
    assert memory().identify(START, "f", restating=True, now=early).base == base(START)


def test_f3_an_export_named_for_a_time_to_come_makes_nothing_that_came_since_older() -> None:
    """F3: named by a version that believed one file's time, 300 days ahead; there is a way out."""
    ahead = event("completed", START + 300 * DAY, at=START + DAY / 24)
    history = memory(event("completed", START - DAY), ahead)
    tomorrow = history.identify(START + DAY, "g")
    assert tomorrow.base > ahead.base, "what it says wins over the misnamed export"
    history.fold(event("completed", START + DAY, base=tomorrow.base))
    assert history.newest is not None
    assert history.newest.base == tomorrow.base
    assert history.names_ahead(START + 300 * DAY)
    assert not history.names_ahead(START + DAY)
