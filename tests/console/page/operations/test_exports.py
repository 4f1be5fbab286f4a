"""The pages of exports: what one read, changed, refused and holds."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from console.inspect.database_reader import Rows, Unavailable
from console.page.command_runner import CommandResult, CommandRunner
from console.page.database import Database
from console.page.operations import front
from console.page.operations.exports import stages
from console.page.site import mount
from petstream.settings import KafkaAccess, Settings

SETTINGS = Settings(kafka=KafkaAccess("localhost:1"))
COUNTS = {"read": 9, "added": 2, "updated": 3, "unchanged": 4, "removed": 0, "relisted": 0,
          "refused": 1}  # fmt: skip


def _export(day: int, **changed: Any) -> dict[str, Any]:
    at = f"2026-03-{day:02}T0"
    file = {"name": "<b>.json", "bytes": 1_234, "modifiedAt": f"{at}8:05:00Z", "rows": 9}
    return {
        "exportId": f"{at}8:00:00Z", "mode": "daily", "state": "completed", "reason": None,
        "startAt": f"{at}8:00:00Z", "startedAt": f"{at}9:00:00Z", "endedAt": f"{at}9:00:42Z",
        "durationS": 42.0, "counts": {"pets": COUNTS, "orgs": COUNTS},
        "notes": ["warning: <i>", "odd: 3"], "files": [file],
    } | changed  # fmt: skip


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, tuple[str, tuple[Any, ...]]]]:
    """Play Kafka, Postgres and commands; what the tables were asked for."""
    asked: list[dict[str, tuple[str, tuple[Any, ...]]]] = []
    status: dict[str, Any] = {
        "at": "2026-03-02T12:00:00Z", "pictures": None, "lag": [], "parts": [],
        "exports": [_export(2), _export(1)], "debts": {"owed": [], "paid": []},
        "heldPlans": [{"exportId": "2026-03-02T08:00:00Z", "planId": "P", "removals": 37,
                       "entity": "pets"}],
        "postgres": {"reachable": False},
    }  # fmt: skip

    async def gather(*_: object, **__: object) -> Any:
        return status

    async def rows(_database: Database, **queries: tuple[str, tuple[Any, ...]]) -> Any:
        asked.append(queries)
        pet = {"name": "Biscuit &amp; Co", "species": "Dog", "breed": None, "sex": None,
               "age": None, "status": "Available", "thumbnails": None}  # fmt: skip
        letter = {"id": "7", "origin": "E/f/3", "reason": "json", "error": "<u>"}
        return {"pets": [pet | {"animal_id": number} for number in range(61)], "refused": [letter]}

    monkeypatch.setattr(front, "gather", gather)
    monkeypatch.setattr(Database, "rows", rows)
    return asked


async def _get(path: str) -> tuple[int, str]:
    app = web.Application()
    mount(app, lambda: SETTINGS, bound_host="127.0.0.1")
    async with TestClient(TestServer(app)) as client:
        response = await client.get(path)
        return response.status, await response.text()


async def test_the_page_of_an_export_has_all_that_is_known_of_it(stage: Any) -> None:
    status, text = await _get("/exports/2026-03-02T08:00:00Z")
    assert status == 200
    for shown in ("1,234", "&lt;b&gt;.json", "Biscuit &amp; Co", "37 removals of pets wait",
                  'href="/plans/P"', 'href="/dead-letters/7"', "&lt;u&gt;", "2 notes",
                  "42 s later", 'href="/exports/2026-03-01T08:00:00Z"',
                  "/exports/2026-03-02T08:00:00Z/diff"):  # fmt: skip
        assert shown in text, shown
    assert "?op=added&amp;after=59#pets" in text
    assert stage[0]["pets"][1] == ("2026-03-02T08:00:00Z", "added", 0)


async def test_its_pets_are_chosen_and_paged(stage: Any) -> None:
    await _get("/exports/2026-03-02T08:00:00Z?op=updated&after=59")
    assert stage[0]["pets"][1] == ("2026-03-02T08:00:00Z", "updated", 59)
    await _get("/exports/2026-03-02T08:00:00Z?op=nonsense&after=x")
    assert stage[1]["pets"][1] == ("2026-03-02T08:00:00Z", "added", 0)


async def test_without_postgres_the_export_is_still_shown(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def rows(*_: object, **__: object) -> Rows | Unavailable:
        return Unavailable("not reachable")

    monkeypatch.setattr(Database, "rows", rows)
    status, text = await _get("/exports/2026-03-02T08:00:00Z")
    assert status == 200
    assert "Unknown: Postgres is not reachable" in text
    assert stage == []


@pytest.mark.usefixtures("stage")
async def test_an_export_that_is_not_known_is_a_page_that_says_so() -> None:
    status, text = await _get("/exports/2020-01-01T00:00:00Z")
    assert status == 404
    assert "No export 2020-01-01T00:00:00Z is known here" in text


@pytest.mark.usefixtures("stage")
async def test_the_diff_is_that_with_the_completed_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[tuple[str, ...]] = []

    async def run(
        _commands: CommandRunner, _settings: Settings, *arguments: str, within_s: float
    ) -> CommandResult:
        assert within_s > 0
        ran.append(arguments)
        side = {"exportId": "E", "mode": "daily", "counts": {}}
        total = {"added": 5, "updated": 0, "relisted": 0, "removed": 0}
        document = {
            "older": side, "newer": side, "listedBefore": 64_000, "listedAfter": 64_005,
            "total": total, "species": {"<b>": total}, "states": {}, "organizations": {},
            "changedFields": {"adoptionFee": 1}, "orphans": 0, "whole": True,
            "fills": [{"field": "sex", "before": 0.5, "after": 0.25}],
        }  # fmt: skip
        return CommandResult(0, document, "")

    monkeypatch.setattr(CommandRunner, "run", run)
    status, text = await _get("/exports/2026-03-02T08:00:00Z/diff")
    assert ran == [("diff", "--json", "2026-03-01T08:00:00Z", "2026-03-02T08:00:00Z")]
    assert status == 200
    for shown in ("64,005", "&lt;b&gt;", "adoptionFee: in 1 pet", "50.0 % → 25.0 %"):
        assert shown in text, shown
    assert (await _get("/exports/2026-03-01T08:00:00Z/diff"))[0] == 404


def test_the_steps_of_an_export_have_the_time_between_them() -> None:
    steps = stages(_export(2))
    assert [step.after_s for step in steps] == [None, 300.0, 3_300.0, 42.0]
    assert [step.what for step in stages(_export(2, endedAt=None, files=[]))] == [
        "RescueGroups began to make it",
        "reading began",
    ]
    early = stages(_export(2, startedAt="2026-03-02T08:01:00Z"))
    assert early[2].after_s is None
