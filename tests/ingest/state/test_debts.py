"""What is owed before an export is read, and which mode pays it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingest.state.debts import Offer, Requests, choose, debts_of_fold, standing_debts, unrecorded
from ingest.state.export_history import ExportHistory
from petstream.events import (
    Counts,
    DebtEvent,
    ExportCounts,
    ExportEvent,
    ExportState,
    Owed,
)
from petstream.sequence import PER_SECOND

START = datetime(2026, 11, 2, 8, 12, 4, tzinfo=UTC)
DAY = timedelta(days=1)
BASE = int(START.timestamp())


def event(state: ExportState, start: datetime = START, **changes: Any) -> ExportEvent:
    """Return an event of the export of a start."""
    given: dict[str, Any] = {
        "export_id": start.strftime("%Y-%m-%dT%H:%M:%SZ"), "mode": "daily", "state": state,
        "at": start + timedelta(hours=1), "counts": ExportCounts(Counts(), Counts()),
        "base": int(start.timestamp()), "fingerprint": f"{start:%d}",
    }  # fmt: skip
    return ExportEvent(**given | changes)


def debt(owes: Owed, reason: str = "the log lost records", base: int = BASE) -> DebtEvent:
    """Return a debt that was found when runs up to a base were known."""
    export_id = "2026-11-02T08:12:04Z"
    return DebtEvent(export_id=export_id, owes=owes, at=START, reason=reason, base=base)


def history(*events: ExportEvent | DebtEvent) -> ExportHistory:
    """Fold events, behind an export that was imported."""
    folded = ExportHistory()
    for item in (event("completed", mode="initial"), *events):
        folded.fold(item)
    return folded


def offer(days: float = 1, *, whole: bool = True) -> Offer:
    """Return the export of a day."""
    start = START + days * DAY
    return Offer(start, f"{start:%d}", whole)


SNAPSHOT: dict[str, Any] = {
    "mode": "scrub", "base": BASE + 1, "restated": (BASE + 1) * PER_SECOND,
}  # fmt: skip


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
    choice = choose(history(), "auto", Offer(START + gap, "g", whole=True), "weekly")
    assert choice.mode == mode
    assert ("a day was missed" in (choice.why or "")) is (mode == "scrub")


def test_a_republication_a_day_later_hides_no_missed_day() -> None:
    """D1 published again 20 h later, D2 missed: D3 comes 48 h after D1."""
    republished = event("completed", export_id="2026-11-02T08:12:04Z.2", base=BASE + 72_000)
    assert choose(history(republished), "auto", offer(2), "off").mode == "scrub"


def test_nothing_completed_makes_an_initial_run() -> None:
    assert choose(ExportHistory(), "auto", offer(), "weekly").mode == "initial"


def test_a_scrub_is_due_by_the_starts_of_exports() -> None:
    days = [event("completed", START + day * DAY) for day in range(1, 7)]
    assert choose(history(*days[:5]), "auto", offer(6), "weekly").mode == "daily"
    assert choose(history(*days), "auto", offer(7), "weekly").mode == "scrub"
    assert choose(history(*days), "auto", offer(7), "off").mode == "daily"


def test_a_run_that_broke_off_owes_its_mode_or_a_whole_read() -> None:
    begun = event("started", START + DAY)
    assert choose(history(begun), "auto", offer(1), "off").mode == "daily"
    assert choose(history(begun), "auto", offer(1.9), "off").mode == "scrub"
    scrub = event("started", START + DAY, mode="scrub")
    assert choose(history(scrub), "auto", offer(1), "off").mode == "scrub"
    broken = event("failed", START + DAY)
    assert choose(history(broken), "auto", offer(1.9), "off").mode == "scrub"
    done = event("completed", START + DAY)
    assert choose(history(begun, done), "auto", offer(2), "off").mode == "daily"


def test_a_loss_owes_a_snapshot_until_a_whole_one_is_completed() -> None:
    """Acknowledgements and daily runs don't pay, and a plain scrub doesn't either."""
    lost = debt("snapshot")
    choice = choose(history(lost), "auto", offer(), "off")
    assert (choice.mode, choice.restating) == ("scrub", True)
    assert "the log lost records" in (choice.why or "")
    daily, scrub = event("completed", START + DAY), event("completed", START + DAY, mode="scrub")
    for completed in (daily, scrub):
        assert choose(history(lost, completed), "auto", offer(2), "off").restating
    paid = event("completed", **SNAPSHOT)
    assert not choose(history(lost, paid), "auto", offer(), "off").restating


def test_a_snapshot_that_is_carried_on_pays_nothing() -> None:
    """Each later completed export tells of the snapshot; only its own run pays a loss."""
    carried = event("completed", START + DAY, restated=SNAPSHOT["restated"], mode="scrub")
    carries = history(event("completed", **SNAPSHOT), debt("snapshot"), carried)
    assert choose(carries, "auto", offer(2), "off").restating


def test_what_began_before_a_loss_was_found_does_not_pay_for_it() -> None:
    """A dead leader's `completed` may arrive behind the debt: its run knew nothing of the loss."""
    snapshot = event("completed", **SNAPSHOT)
    lost = debt("snapshot", base=BASE + 1)
    assert choose(history(lost, snapshot), "auto", offer(), "off").restating
    later = event("completed", mode="scrub", base=BASE + 2, restated=(BASE + 2) * PER_SECOND)
    assert not choose(history(lost, later), "auto", offer(), "off").restating


def test_a_snapshot_that_was_killed_is_owed_for_the_same_files_too() -> None:
    begun = event("started", **SNAPSHOT)
    assert [owed.owes for owed in standing_debts(history(begun), 0)] == ["snapshot"]
    assert choose(history(begun), "auto", offer(), "off").restating


def test_a_whole_read_is_paid_by_any_run_that_reads_all() -> None:
    late = debt("whole")
    assert choose(history(late), "auto", offer(), "off").mode == "scrub"
    for mode in ("scrub", "initial"):
        paid = history(late, event("completed", START + DAY, mode=mode))
        assert choose(paid, "auto", offer(2), "off").mode == "daily"
    unpaid = history(late, event("completed", START + DAY))
    assert choose(unpaid, "auto", offer(2), "off").mode == "scrub"


@pytest.mark.parametrize("owes", ["whole", "snapshot"])
def test_what_cannot_be_paid_stays_owed_and_the_day_goes_on(owes: Owed) -> None:
    choice = choose(history(debt(owes)), "auto", offer(whole=False), "off")
    assert (choice.mode, choice.restating, choice.unpaid) == ("daily", False, owes)
    assert "stays owed" in (choice.why or "")


def test_a_missed_day_that_cannot_be_read_is_written_down() -> None:
    """Once the next day is completed, nobody could tell any more that there was a gap."""
    (owed,) = unrecorded(history(), offer(2, whole=False), "2026-11-04T08:12:04Z")
    assert owed.owes == "whole"
    assert "a day was missed" in owed.reason
    assert unrecorded(history(owed), offer(2, whole=False), "2026-11-04T08:12:04Z") == []
    assert unrecorded(history(), offer(1, whole=False), "2026-11-03T08:12:04Z") == []


def test_a_request_owes_a_snapshot_above_it() -> None:
    asked = BASE * PER_SECOND + 7
    assert choose(history(), "auto", offer(), "off", asked).restating
    paid = event("completed", mode="scrub", restated=asked + 1)
    assert not choose(history(paid), "auto", offer(), "off", asked).restating
    same = event("completed", mode="scrub", restated=asked)
    assert not choose(history(same), "auto", offer(), "off", asked).restating


def test_a_request_far_ahead_of_the_clock_is_ignored_and_named() -> None:
    now = START
    month_s = 31 * 86_400
    near, far = (BASE + month_s - 1) * PER_SECOND, (BASE + month_s) * PER_SECOND
    requests = Requests({"a": near, "b": far, "c": 0})
    assert requests.highest(now) == near
    assert requests.unbelieved(now) == ["b", "c"]
    assert Requests({}).highest(now) == 0


def test_who_holds_rows_of_a_snapshot_that_a_wrong_clock_made_is_believed() -> None:
    """The clock was three days ahead as it was made, and the log has lost it since."""
    held = (BASE + 3 * 86_400) * PER_SECOND + 7
    asked = Requests({"pets": held}).highest(START)
    assert asked == held
    assert choose(history(), "auto", offer(), "off", asked).restating


def test_events_that_no_run_is_known_of_owe_a_snapshot() -> None:
    """exports.v1 has lost its tail: what was published since is there, and nobody knows of it."""
    assert debts_of_fold(history(), (), BASE, "x") == []
    (owed,) = debts_of_fold(history(), (), BASE + 1, "x")
    assert owed.owes == "snapshot"
    assert debts_of_fold(history(debt("snapshot")), (), BASE + 1, "x") == []


def test_events_that_came_late_and_won_owe_a_whole_read() -> None:
    (owed,) = debts_of_fold(history(), (7,), BASE, "x")
    assert owed.owes == "whole"
    assert debts_of_fold(history(debt("whole")), (7,), BASE, "x") == []


def test_a_person_may_ask_for_a_mode_whatever_is_owed() -> None:
    assert choose(history(debt("snapshot")), "daily", offer(), "off").mode == "daily"
    choice = choose(history(), "snapshot", offer(), "off")
    assert (choice.mode, choice.restating) == ("scrub", True)
    assert choose(ExportHistory(), "snapshot", offer(), "off").mode == "initial"


def test_t4_an_export_that_was_never_finished_is_made_good_though_no_day_was_missed() -> None:
    """T4: of the day before nothing is missing by the clock; of its rows, nobody knows."""
    today = offer(1)
    begun = event("started", START + DAY - timedelta(hours=6), fingerprint="another's")
    choice = choose(history(begun), "auto", today, "weekly")
    assert choice.mode == "scrub"
    assert choice.why == f"export {begun.export_id} was never finished: pets_n is read"
    finished = event("completed", START + DAY - timedelta(hours=6), fingerprint="another's")
    assert choose(history(begun, finished), "auto", today, "weekly").mode == "daily"
