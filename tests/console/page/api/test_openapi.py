"""`/api`: it says what the pages show, each of them, behind the same guards, as it is described."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import jsonschema
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from openapi_spec_validator import validate

from console.inspect.database_reader import Rows, Unavailable
from console.page.api.openapi import ENDPOINTS, openapi
from console.page.command_runner import CommandResult, CommandRunner
from console.page.database import Database
from console.page.operations import front
from console.page.site import mount
from petstream.settings import KafkaAccess, Settings

SETTINGS: Final = Settings(kafka=KafkaAccess("localhost:1"))
NO_PAGES: Final = ("/api/", "/static/", "/pictures/")
FORMS: Final = {"/dead-letters/replay"}
"""Pages that only ask for the token: what they show, another page shows."""
NOW: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
EXPORT: Final = "2026-03-02T08:00:00Z"
BEFORE: Final = "2026-03-01T08:00:00Z"
FIRST: Final = "2026-02-28T08:00:00Z"
NUMBERS: Final = dict.fromkeys(
    ("read", "added", "updated", "unchanged", "removed", "relisted", "refused"), 3
)
COUNTS: Final = {"pets": NUMBERS, "orgs": NUMBERS}
CHANGES: Final = dict.fromkeys(("added", "updated", "removed", "relisted"), 1)
PATHS: Final = {
    "/api/exports/{exportId}": f"/api/exports/{EXPORT}?op=added",
    "/api/exports/{exportId}/diff": f"/api/exports/{BEFORE}/diff",
    "/api/plans/{planId}": "/api/plans/P",
    "/api/dead-letters/{letterId}": "/api/dead-letters/7",
    "/api/pets/{animalId}": "/api/pets/7",
    "/api/pets/{animalId}/life": "/api/pets/7/life",
    "/api/orgs/{orgId}": "/api/orgs/4",
    "/api/runbooks/{page}": "/api/runbooks/down",
}
"""Where an endpoint with parameters is asked here."""

OF_FINDING: Final = {"/api/search", "/api/pets/{animalId}", "/api/orgs/{orgId}"}
"""Those whose rows tests/console/page/test_pets.py plays, and whose answers it validates."""


def _export(export_id: str) -> dict[str, Any]:
    file = {"name": "pets_1.json", "bytes": 9, "modifiedAt": export_id, "rows": 9}
    return {
        "exportId": export_id, "mode": "daily", "state": "completed", "reason": None,
        "startAt": export_id, "startedAt": export_id, "endedAt": export_id, "durationS": 42.0,
        "counts": COUNTS, "notes": ["odd: 3"], "files": [file],
    }  # fmt: skip


PLAN: Final = {
    "planId": "P", "exportId": EXPORT, "entity": "pets", "removals": 61, "reason": "too many",
    "heldAt": EXPORT, "decide": "petstream removals show P",
}  # fmt: skip
REPORT: Final = {"at": EXPORT, "doing": "reading", "rows": {"pets_1.json": 4}}
STATUS: Final[dict[str, Any]] = {
    "at": "2026-03-02T12:00:00Z",
    "feed": {
        "newestExportId": EXPORT, "ageHours": 4.0, "late": False, "lateAfterHours": 30,
        "lateToday": False, "windowEnds": "12:00", "usuallyLands": "05:10",
        "latestLanded": None, "landingsKnown": 9,
    },
    "exports": [_export(EXPORT) | {"state": "started", "endedAt": None}, _export(BEFORE),
                _export(FIRST)],
    "debts": {
        "owed": [{"owes": "whole", "reason": "a gap", "since": EXPORT, "partitions": ["pets/0"]}],
        "paid": [],
    },
    "snapshots": {"newest": None, "completedAt": None, "inLastDay": 0},
    "heldPlans": [PLAN], "expiredPlans": [],
    "lag": [{"consumer": "pets", "topic": "pets.v1", "lag": 5, "position": 4, "end": 9,
             "begun": True}],
    "deadLetters": {"total": 1, "byReason": {"row json": 1}, "lastDay": {"row": 1}},
    "parts": [
        {"part": "watch", "state": "running", "report": REPORT,
         "members": [{"host": "h", "process": 7, "since": EXPORT, "address": "10.0.0.1"}]},
        {"part": "pets", "state": "missing", "report": None, "members": []},
    ],
    "pictures": {"due": 2, "stored": 7, "failed": 0, "gone": 0, "off": 0},
    "postgres": {"reachable": True, "detail": "reachable"}, "undecodableExportEvents": 0,
    "servers": {"kafka": "k:1", "postgres": None},
}  # fmt: skip
DOCUMENTS: Final[dict[str, dict[str, Any]]] = {
    "diff": {
        "older": {"exportId": FIRST, "mode": "initial", "counts": COUNTS},
        "newer": {"exportId": BEFORE, "mode": "daily", "counts": COUNTS},
        "listedBefore": 9, "listedAfter": 8, "total": CHANGES, "species": {"Dog": CHANGES},
        "states": {}, "organizations": {}, "changedFields": {"name": 1}, "fills": [],
        "orphans": 0, "whole": True,
    },
    "removals": PLAN | {
        "state": "held", "count": 61, "text": "…",
        "removals": [{"key": number, "name": None, "orgId": 4} for number in range(61)],
    },
    "dead-letters": {
        "id": 7, "class": "row", "reason": "json", "origin": "E/f/3", "message": None,
        "publishedAt": EXPORT, "details": {"file": "f"}, "valueBase64": b64encode(b"{").decode(),
    },
    "explain": {
        "animalId": 7, "text": "It is listed.",
        "events": [{"topic": "pets.v1", "partition": 0, "offset": 3, "publishedAt": EXPORT,
                    "headers": {"ce_id": "1"}, "value": {"op": "added", "pet": None}}],
    },
}  # fmt: skip
ROWS: Final[dict[str, list[dict[str, Any]]]] = {
    "hosts": [{"host": None, "status": "gone", "pictures": 2}],
    "pets": [
        {"animal_id": number, "name": "Biscuit", "species": "Dog", "breed": None, "sex": None,
         "age": None, "status": "Available", "thumbnails": None} for number in range(61)
    ],
    "refused": [{"id": "7", "origin": "E/f/3", "reason": "json", "error": "it ends"}],
    "plans": [{"plan_id": "P", "export_id": EXPORT, "entity": "pets", "state": "held",
               "reason": None, "removals": 61, "created_at": NOW, "decided_at": None,
               "decision_reason": None}],
    "shares": [{"org_id": None, "name": None, "leaving": 3, "listed": 9}],
    "reasons": [{"class": "row", "reason": "json", "letters": 1, "newest": NOW}],
    "letters": [
        {"id": number, "at": NOW, "origin": "E/f/3", "reason": "json", "error": None}
        for number in range(51, 0, -1)
    ],
    "orgs": [
        {"org_id": number, "name": f"Paws {number}", "city": None, "state": "TX", "listed": True,
         "pets": 2, "sorted_by": f"paws {number}"} for number in range(101)
    ],
}  # fmt: skip


@pytest.fixture
async def client(
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """A site whose Kafka, Postgres and commands are played."""

    async def gather(*_: object, **__: object) -> Any:
        return STATUS

    async def ask(_database: Database, queries: Mapping[str, object]) -> Rows | Unavailable:
        return {name: ROWS[name] for name in queries}

    async def run(
        _runner: CommandRunner, _settings: Settings, command: str, *_: str, **__: float
    ) -> CommandResult:
        return CommandResult(0, DOCUMENTS[command], "")

    monkeypatch.setattr(front, "gather", gather)
    monkeypatch.setattr(Database, "ask", ask)
    monkeypatch.setattr(CommandRunner, "run", run)
    app = web.Application()
    mount(app, lambda: SETTINGS, bound_host="127.0.0.1")
    async with TestClient(TestServer(app)) as asking:
        yield asking


def _nameless(path: str) -> str:
    """Return a path without the names of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def _paths() -> set[str]:
    app = web.Application()
    mount(app, lambda: None, bound_host="127.0.0.1")
    resources = [route.resource for route in app.router.routes() if route.method == "GET"]
    return {_nameless(resource.canonical) for resource in resources if resource is not None}


def test_every_page_has_its_api_and_every_api_its_page() -> None:
    pages = {path for path in _paths() if not path.startswith(NO_PAGES) and "." not in path}
    assert {_nameless(endpoint.page) for endpoint in ENDPOINTS} == pages - FORMS
    answered = {path for path in _paths() if path.startswith("/api/")}
    assert {_nameless(endpoint.path) for endpoint in ENDPOINTS} == answered - {"/api/openapi.json"}


def test_the_description_is_openapi_and_says_all_that_is_asked_for() -> None:
    document = json.loads(json.dumps(openapi()))
    validate(document)
    assert set(document["paths"]) == {endpoint.path for endpoint in ENDPOINTS}
    for path, operations in document["paths"].items():
        (operation,) = operations.values()
        named = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path))
        assert all(each["description"] for each in operation["parameters"])


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
async def test_the_guards_of_the_pages_stand_before_it(
    client: TestClient[web.Request, web.Application], endpoint: Any
) -> None:
    path = PATHS.get(endpoint.path, endpoint.path)
    async with client.get(path, headers={"Host": "elsewhere.example"}) as answer:
        assert answer.status == 421
    async with client.get(path, headers={"Sec-Fetch-Site": "cross-site"}) as answer:
        assert answer.status == 403
    async with client.post(path, headers={"Host": "localhost"}) as answer:
        assert answer.status == 405


@pytest.mark.parametrize(
    "endpoint",
    [endpoint for endpoint in ENDPOINTS if endpoint.path not in OF_FINDING],
    ids=lambda endpoint: endpoint.name,
)
async def test_an_answer_is_as_it_is_described(
    client: TestClient[web.Request, web.Application], endpoint: Any
) -> None:
    document = openapi()
    operation = document["paths"][endpoint.path]["get"]
    content = operation["responses"]["200"]["content"]["application/json"]["schema"]
    async with client.get(PATHS.get(endpoint.path, endpoint.path)) as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        said = await answer.json()
    schema = content | {"components": document["components"]}
    jsonschema.validate(said, schema, format_checker=jsonschema.FormatChecker())


async def test_the_overview_says_what_is_wrong_and_what_goes_on(
    client: TestClient[web.Request, web.Application],
) -> None:
    async with client.get("/api/overview") as answer:
        said = await answer.json()
    assert [trouble["alert"] for trouble in said["problems"]] == [
        "PetstreamNotReady", "PetstreamRemovalsHeld", "PetstreamRowsRefused",
    ]  # fmt: skip
    assert said["problems"][1]["href"] == "/plans/P"
    assert (said["level"], said["freshness"]["lookedAt"]) == ("warn", "2026-03-02T12:00:00Z")
    assert said["progress"]["reading"]["done"] == 4
    assert said["progress"]["exportId"] == EXPORT
    assert said["progress"]["behind"]["pets"] == {
        "done": 4, "total": 9, "perS": None, "leftS": None,
    }  # fmt: skip
    assert said["standing"]["parts"][1]["state"] == "missing"
    assert said["standing"]["hosts"] == [{"host": None, "status": "gone", "pictures": 2}]


@pytest.mark.parametrize(
    ("path", "of", "pages", "shown"),
    [
        (f"/api/exports/{EXPORT}", "pets", {"after": 59}, 60),
        ("/api/plans/P", "who", {"after": 60}, 60),
        ("/api/plans/P?after=60", "who", {"after": None}, 1),
        ("/api/dead-letters?class=row", "letters", {"before": 2}, 50),
        ("/api/orgs", "organizations", {"after": "0.99.paws 99"}, 100),
    ],
)
async def test_a_long_answer_comes_in_pages(
    client: TestClient[web.Request, web.Application], path: str, of: str, pages: dict[str, Any],
    shown: int,
) -> None:  # fmt: skip
    async with client.get(path) as answer:
        said = await answer.json()
    assert len(said[of]) == shown
    assert {name: said[name] for name in pages} == pages


async def test_what_there_is_not_and_who_is_away_are_said_as_json(
    client: TestClient[web.Request, web.Application], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client.get("/api/exports/2020-01-01T00:00:00Z") as answer:
        assert answer.status == 404
        assert "petstream tail exports" in (await answer.json())["error"]
    async with client.get("/api/runbooks/nothing") as answer:
        assert answer.status == 404
        assert set(await answer.json()) == {"error"}

    async def away(_database: Database, _queries: Mapping[str, object]) -> Rows | Unavailable:
        return Unavailable("not reachable (OSError)")

    monkeypatch.setattr(Database, "ask", away)
    for path in ("/api/plans", "/api/dead-letters", "/api/orgs"):
        async with client.get(path) as answer:
            assert answer.status == 503
            assert "not reachable (OSError)" in (await answer.json())["error"]
    async with client.get(f"/api/exports/{EXPORT}") as answer:
        said = await answer.json()
    assert (answer.status, said["pets"], said["unknown"]) == (200, [], "not reachable (OSError)")
