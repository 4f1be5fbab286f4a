"""`removals show`: as lines for a person, and as a document for the pages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from records_of_topics import record

from console.act.removals import decide
from console.cli.parser import parser
from console.inspect.export_history import published_exports
from ingest.removals import held_plans
from petstream.settings import KafkaAccess, Settings

PLAN = "2026-11-23T08:12:04Z.pets"


@pytest.fixture(autouse=True)
def _held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold one plan, without Kafka; a name of the feed is hostile."""
    (plan,) = published_exports([record("export.held")]).plans()

    async def plans(*_: object) -> Any:
        return [held_plans.ListedPlan(plan, "held")]

    async def describe(*_: object) -> Any:
        return [
            held_plans.PlannedRemoval(7, "\x1b[2J", 701),
            held_plans.PlannedRemoval(8, None, None),
        ]

    monkeypatch.setattr(held_plans, "plans", plans)
    monkeypatch.setattr(held_plans, "describe", describe)


async def shown(capsys: pytest.CaptureFixture[str], *, as_json: bool) -> str:
    assert await decide(Settings(), KafkaAccess("k:1"), "show", PLAN, as_json=as_json) == 0
    return capsys.readouterr().out


async def test_a_plan_is_shown_with_whom_it_would_remove(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = (await shown(capsys, as_json=False)).splitlines()
    assert lines[0] == f"{PLAN} of export 2026-11-23T08:12:04Z: held"
    assert lines[1].startswith("why it is held: 7,120 of 64,120 pets are missing")
    assert lines[2:] == [
        "it would remove 2 pets:",
        r"  7  \x1b[2J  (organization 701)",
        "  8  without a name",
    ]


async def test_as_json_it_is_one_document_with_its_state_and_the_same_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = (await shown(capsys, as_json=False)).removesuffix("\n")
    document = json.loads(await shown(capsys, as_json=True))
    assert (document["planId"], document["state"], document["text"]) == (PLAN, "held", text)
    assert (document["entity"], document["count"]) == ("pets", 2)
    assert document["removals"] == [
        {"key": 7, "name": "\x1b[2J", "orgId": 701},
        {"key": 8, "name": None, "orgId": None},
    ]


async def test_the_list_and_a_decision_are_documents_as_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def approve(*_: object, **__: object) -> int:
        return 2

    monkeypatch.setattr(held_plans, "approve", approve)
    access = KafkaAccess("k:1")
    assert await decide(Settings(), access, "list", None, as_json=True) == 0
    (plan,) = json.loads(capsys.readouterr().out)["plans"]
    assert (plan["planId"], plan["state"], plan["count"]) == (PLAN, "held", 2)
    assert await decide(Settings(), access, "approve", PLAN, as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == {
        "planId": PLAN, "state": "approved", "removed": 2,
    }  # fmt: skip


@pytest.mark.parametrize("action", [["list"], ["show", PLAN], ["approve", PLAN], ["reject", PLAN]])
def test_every_action_has_a_document(action: list[str]) -> None:
    assert parser().parse_args(["removals", *action, "--json"]).json
