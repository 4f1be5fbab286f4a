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
    assert document == {"planId": PLAN, "state": "held", "text": text}


def test_only_show_has_a_document() -> None:
    assert parser().parse_args(["removals", "show", "--json", PLAN]).json
    with pytest.raises(SystemExit):
        parser().parse_args(["removals", "approve", "--json", PLAN])
