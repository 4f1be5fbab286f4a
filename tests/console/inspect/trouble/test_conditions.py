"""What is wrong: each alert's condition, most urgent first, with its remedy from docs/ops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from console.inspect.trouble.conditions import (
    ONLY_PROMETHEUS,
    RepeatedLooks,
    conditions,
    document,
    kafka_away,
)
from console.inspect.trouble.runbooks import runbooks

OPS = Path(__file__).parents[4] / "docs" / "ops"
NOW = "2026-11-28T17:30:00Z"
FAILED = {"exportId": "E", "state": "failed", "reason": "pets_2.json is cut", "notes": []}
WARNED = {"exportId": "E", "state": "completed", "notes": ["warning: 9 of 20 changed"]}
PLAN = {"planId": "E.pets", "removals": 37, "entity": "pets", "reason": "the list is empty"}
WAITING = {"doing": "waiting", "why": "no room", "since": "2026-11-28T17:00:00Z"}


def _part(name: str, state: str, report: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"part": name, "state": state, "report": report, "members": []}


def _debt(owes: str, since: str, reason: str = "pets.v1/0 was cut") -> dict[str, Any]:
    return {"owed": [{"owes": owes, "since": since, "reason": reason}], "paid": []}


def _status(**changed: Any) -> dict[str, Any]:
    """Return the document of a quiet day, as `petstream status --json` prints it, but for these."""
    feed = {"newestExportId": "E", "ageHours": 5.0, "late": False, "lateToday": False,
            "windowEnds": "12:00"}  # fmt: skip
    pictures = {"due": 0, "stored": 100, "failed": 0, "gone": 0, "off": 0}
    quiet: dict[str, Any] = {
        "at": NOW, "feed": feed, "exports": [], "debts": {"owed": [], "paid": []},
        "snapshots": {"inLastDay": 0}, "heldPlans": [], "lag": [], "pictures": pictures,
        "deadLetters": {"lastDay": {}}, "postgres": {"reachable": True},
        "parts": [_part("watch", "running"), _part("pets", "running")],
    }  # fmt: skip
    for name, value in changed.items():
        quiet[name] = quiet[name] | value if name in {"feed", "pictures"} else value
    return quiet


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "PetstreamDown": ({"parts": [_part("watch", "missing")]}, "No part runs: watch"),
    "PetstreamNotReady": (
        {"parts": [_part("watch", "running"), _part("images", "missing")]},
        "images doesn't run",
    ),
    "PetstreamServerAway": ({"postgres": {"reachable": False, "detail": "refused"}}, "refused"),
    "PetstreamFeedStale": ({"feed": {"late": True, "ageHours": 31.0}}, "1 d 7 h ago"),
    "PetstreamExportLate": ({"feed": {"lateToday": True}}, "ended at 12:00 in New York"),
    "PetstreamFeedUnreadable": ({"exports": [FAILED]}, "pets_2.json is cut"),
    "PetstreamRemovalsHeld": ({"heldPlans": [PLAN]}, "37 removals of pets wait"),
    "PetstreamSweepHeld": ({"heldPlans": [PLAN | {"planId": "E.sweep"}]}, "37 removals"),
    "PetstreamSnapshotsRepeat": ({"snapshots": {"inLastDay": 2}}, "2 snapshots"),
    "PetstreamDebtUnpaid": ({"debts": _debt("whole", "2026-11-26T17:00:00Z")}, "whole read"),
    "PetstreamLogLost": ({"debts": _debt("snapshot", "2026-11-28T17:00:00Z")}, "was cut"),
    "PetstreamSnapshotAsked": (
        {"debts": _debt("snapshot", "2026-11-28T17:00:00Z", "a snapshot above 7 is asked for")},
        "above 7",
    ),
    "PetstreamFeedUpheaval": ({"exports": [WARNED]}, "9 of 20 changed"),
    "PetstreamEventsParked": ({"deadLetters": {"lastDay": {"event": 1}}}, "1 event that"),
    "PetstreamRowsRefused": ({"deadLetters": {"lastDay": {"row": 1200}}}, "1,200 rows of"),
    "PetstreamPicturesRefused": ({"pictures": {"failed": 60}}, "60 of the 160 pictures"),
}


def test_nothing_is_wrong_on_a_quiet_day() -> None:
    assert conditions(_status()) == []
    assert conditions(_status(parts=[_part("watch", "absent"), _part("pets", "running")])) == []
    assert conditions(_status(pictures={"failed": 4, "stored": 1})) == []


@pytest.mark.parametrize("alert", CASES)
def test_each_condition_is_seen_and_says_its_figures(alert: str) -> None:
    changed, said = CASES[alert]
    (condition,) = conditions(_status(**changed))
    assert condition.alert == alert
    assert said in condition.what


def test_what_only_repeated_looks_tell_is_seen_too() -> None:
    trend = RepeatedLooks(stalled_s={"images": 420.0}, due_before=1_500)
    seen = conditions(_status(pictures={"due": 2_000}), trend)
    assert [condition.alert for condition in seen] == [
        "PetstreamConsumerBehind",
        "PetstreamPicturesWaiting",
    ]
    assert seen[0].what.endswith("no less of it for 7 min")
    assert "500 more" in seen[1].what
    assert conditions(_status(pictures={"due": 2_000}), RepeatedLooks(due_before=2_000)) == []


def test_every_alert_is_a_condition_or_is_said_to_be_none() -> None:
    rules = yaml.safe_load((OPS / "alerts.yml").read_text("utf-8"))["groups"]
    alerts = {rule["alert"] for group in rules for rule in group["rules"]}
    shown = {*CASES, "PetstreamConsumerBehind", "PetstreamPicturesWaiting"}
    assert alerts - ONLY_PROMETHEUS.keys() == shown
    assert ONLY_PROMETHEUS.keys() <= alerts


def test_the_most_urgent_comes_first() -> None:
    wrong = _status(heldPlans=[PLAN], deadLetters={"lastDay": {"row": 3}}, exports=[FAILED],
                    parts=[_part("pets", "missing")])  # fmt: skip
    assert [condition.level for condition in conditions(wrong)] == ["bad", "warn", "warn", "info"]
    assert conditions(wrong)[0].alert == "PetstreamDown"


def test_who_runs_by_a_timer_is_missed_only_with_work_before_it() -> None:
    parts = [_part("watch", "absent"), _part("pets", "missing")]
    assert conditions(_status(parts=parts)) == []
    (missed,) = conditions(_status(parts=parts, lag=[{"consumer": "pets", "lag": 3}]))
    assert missed.alert == "PetstreamDown"


def test_a_list_that_is_missing_is_said_so_and_not_counted() -> None:
    nobody = PLAN | {"removals": 0, "reason": "petlist.csv is missing"}
    (held,) = conditions(_status(heldPlans=[nobody]))
    assert held.what == "Who left of the pets can't be told: petlist.csv is missing"


def test_nobody_is_told_to_approve_what_removes_nobody_nor_to_start_who_runs() -> None:
    """Two mornings of docs/console.md: what the page told to do didn't fit."""
    (none,) = conditions(_status(heldPlans=[PLAN | {"removals": 0}]))
    said = " ".join(document(none)["mend"])
    assert "approve" not in said
    assert "`petstream removals reject E.pets`" in said
    (some,) = conditions(_status(heldPlans=[PLAN]))
    assert "`petstream removals approve E.pets`" in " ".join(document(some)["mend"])
    gone = [_part("watch", "running"), _part("images", "missing")]
    (part,) = conditions(_status(parts=gone))
    assert "`petstream consume images`" in document(part)["mend"][-1]
    old = {"late": True, "ageHours": 31.0}
    (read,) = conditions(_status(feed=old))
    assert not any("start it" in step for step in document(read)["mend"])
    unread = conditions(_status(feed=old, parts=[_part("watch", "absent")]))[0]
    assert any("start it" in step for step in document(unread)["mend"])


def test_a_late_export_says_what_the_watch_waits_for() -> None:
    parts = [_part("watch", "running", WAITING)]
    (late,) = conditions(_status(feed={"lateToday": True}, parts=parts))
    assert late.what.endswith("in New York: no room")
    gone = [_part("watch", "missing", WAITING), _part("pets", "running")]
    assert "no room" not in conditions(_status(feed={"lateToday": True}, parts=gone))[-1].what


def test_a_watch_that_waits_for_the_same_for_ten_minutes_is_trouble() -> None:
    (waits,) = conditions(_status(parts=[_part("watch", "running", WAITING)]))
    assert waits.alert == "PetstreamFeedUnreadable"
    assert waits.what == "The watch has waited 30 min: no room"
    short = WAITING | {"since": "2026-11-28T17:25:00Z"}
    assert conditions(_status(parts=[_part("watch", "running", short)])) == []


def test_a_condition_comes_with_the_remedy_of_docs_ops() -> None:
    shown = document(kafka_away("it is silent"))
    assert shown["level"] == "bad"
    assert shown["mend"] == list(runbooks()["PetstreamServerAway"].mend)
    assert shown["what"] == "Kafka can't be read: it is silent"
