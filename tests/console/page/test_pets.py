"""The pages of pets, organisations, pictures and searches, on rows as the views give them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from console.find import pet as pet_of_tables
from console.inspect.database_reader import Rows, Unavailable
from console.page import command_runner, database
from console.page.command_runner import CommandResult, CommandRunner, environment
from console.page.site import mount
from console.page.timeline import timeline
from petstream.settings import SETTLED, KafkaAccess, Settings, load

SETTINGS = Settings(
    kafka=KafkaAccess("localhost:1"), database_url="postgresql://me:canary@nowhere/x"
)
KEY = "ab/cd/" + "ab" * 32
HOSTILE = "<script>alert(1)</script>"
THUMBNAILS = json.dumps({"320": f"{KEY}.320.jpg", "960": f"{KEY}.960.jpg"})
PET: dict[str, Any] = dict.fromkeys((
    "animal_id", *pet_of_tables.COLUMNS, "first_seen_at", "changed_at", "removed_at",
    "description_rendered", "attributes", "org_name", "org_city", "org_state", "plan_state",
)) | {"animal_id": 7, "export_id": "2026-03-02T08:00:00Z", "listed": True}  # fmt: skip
ORG = (
    "name", "address", "city", "state", "postal_code", "country", "phone", "email", "url",
    "facebook_url", "type", "species",
)  # fmt: skip
PICTURE: dict[str, Any] = {
    "picture_id": 70, "position": 1, "status": "stored", "thumbnails": THUMBNAILS, "width": 800,
    "height": 600, "error": None, "rendition": "original",
}  # fmt: skip
CARD: dict[str, Any] = {
    "animal_id": 7, "name": "Biscuit", "species": "Dog", "breed": None, "sex": "Male", "age": None,
    "status": "Available", "thumbnails": THUMBNAILS,
}  # fmt: skip


RESULT: dict[str, Any] = CARD | {
    "org_id": 4, "org_name": "Paws &amp; Co", "city": "Reno", "state": "NV", "listed": True,
    "removed_at": None, "rank": 0, "sorted_by": "biscuit",
}  # fmt: skip
SEARCHED: dict[str, list[dict[str, Any]]] = {
    "by_id": [{"is_pet": False, "is_organization": False, "is_indexed": True}],
    "species": [], "orgs": [], "organizations": [], "pets": [RESULT],
    "facets": [
        {"facet": "all", "value": None, "label": None, "pets": 61},
        {"facet": "species", "value": "Cat", "label": None, "pets": 20},
        {"facet": "species", "value": "Dog", "label": None, "pets": 41},
    ],
}  # fmt: skip


class StubDatabase:
    """Answers every query with these rows, and remembers the arguments."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **rows: list[dict[str, Any]]) -> None:
        """Stand in for Postgres."""
        self.rows: Rows | Unavailable = rows
        self.arguments: list[tuple[Any, ...]] = []
        monkeypatch.setattr(database, "fetch_rows", self._fetch_rows)

    async def _fetch_rows(
        self, _url: str | None, queries: dict[str, tuple[str, Any]]
    ) -> Rows | Unavailable:
        self.arguments += [arguments for _, arguments in queries.values()]
        return self.rows


async def test_pages_read_by_the_login_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they run to look at a pet does so, too."""
    asked: list[str | None] = []

    async def fetch_rows(url: str | None, _queries: object) -> Unavailable:
        asked.append(url)
        return Unavailable("away")

    async def run(
        _runner: CommandRunner, settings: Settings, *_: str, **__: float
    ) -> CommandResult:
        asked.append(settings.database_url)
        return CommandResult(1, None, "away")

    monkeypatch.setattr(database, "fetch_rows", fetch_rows)
    monkeypatch.setattr(CommandRunner, "run", run)
    settings = replace(SETTINGS, console_database_url="postgresql://pages@nowhere/x")
    for path in ("/pets/7", "/pets/7/life", "/orgs/4"):
        await get(path, settings)
    assert asked == ["postgresql://pages@nowhere/x"] * 3


async def get(path: str, settings: Settings | None = SETTINGS) -> tuple[int, str, dict[str, str]]:
    """Ask the site for a page."""
    app = web.Application()
    mount(app, lambda: settings, bound_host="127.0.0.1")
    async with TestClient(TestServer(app)) as client:
        response = await client.get(path)
        return response.status, await response.text(errors="replace"), dict(response.headers)


async def test_a_pet_is_shown_as_a_site_would_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    StubDatabase(
        monkeypatch,
        pet=[PET | {
            "name": "Fish &amp; Chips", "species": "Dog", "breed": "Beagle", "sex": "Male",
            "altered": True, "org_id": 4,
            "good_with_cats": False, "org_name": "Paws", "org_city": "Reno", "adoption_fee": "250",
            "description_rendered": "Sit <b>&amp; stay</b>", "attributes": '{"goofy": true}',
            "updated_at": datetime(2026, 3, 1, 7, 30, tzinfo=UTC), "status": "Available",
        }],
        pictures=[PICTURE], history=[], similar=[RESULT | {"animal_id": 8}],
    )  # fmt: skip
    status, text, _ = await get("/pets/7")
    assert status == 200
    assert "<h1>Fish &amp; Chips</h1>" in text
    assert ">Beagle</span>" in text
    assert ">Male</span>" in text
    assert '<a href="/orgs/4">Paws</a>, Reno' in text
    assert "<dt>Spayed or neutered</dt><dd>yes</dd>" in text
    assert ">not with cats</span>" in text
    assert "with dogs" not in text  # the feed doesn't say: that is no "no"
    assert 'href="/pets/8"' in text
    assert '<dd><time datetime="2026-03-01T07:30:00Z" title="2026-03-01 07:30:00 UTC' in text
    assert "Sit <b>&amp; stay</b>" in text
    assert f'src="/pictures/{KEY}.960.jpg" alt="Fish &amp; Chips, picture 1 of 1"' in text
    assert "<dt>Goofy</dt><dd>yes</dd>" in text


async def test_p6_a_smaller_rendition_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """P6: the original couldn't be had."""
    pictures = [PICTURE | {"rendition": name} for name in ("original", None, "large")]
    StubDatabase(monkeypatch, pet=[PET], pictures=pictures, history=[])
    _, text, _ = await get("/pets/7")
    assert text.count("rendition") == 1
    assert ", large rendition<" in text


TRACKER = "https://tracker.rescuegroups.org/pet?7&a=&h="
PIXEL = f'<img src="{TRACKER}" width="0" height="0" alt="">'.replace("&", "&amp;")


@pytest.mark.parametrize(
    ("description", "tracker", "has_section"),
    [
        (PIXEL, TRACKER, False),
        (PIXEL, None, False),
        (f"<p>&nbsp;</p><br>{PIXEL}", TRACKER, False),
        ('<img src="https://count.example/7" alt="">', "https://count.example/7", False),
        (None, TRACKER, False),
        ("", None, False),
        (f"<p>Good cat</p>{PIXEL}", TRACKER, True),
        (f'<img src="https://x.example/1.jpg" alt="a cat">{PIXEL}', TRACKER, True),
    ],
)
async def test_p12_a_description_that_is_only_the_tracker_has_no_section(
    monkeypatch: pytest.MonkeyPatch,
    description: str | None,
    tracker: str | None,
    *,
    has_section: bool,
) -> None:
    """P12: no heading over nothing."""
    row = PET | {"description_rendered": description, "tracker_url": tracker}
    StubDatabase(monkeypatch, pet=[row], pictures=[], history=[])
    _, text, _ = await get("/pets/7")
    assert (">About it</h2>" in text) is has_section
    assert ("aren't fetched here" in text) is has_section


async def test_whatever_the_tables_hold_no_page_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = {name: HOSTILE for name, value in PET.items() if value is None}
    row = PET | hostile | {"attributes": json.dumps({HOSTILE: HOSTILE}), "org_id": 4}
    row["pet_url"] = "javascript:alert(1)"
    StubDatabase(
        monkeypatch, pet=[row], history=[CHANGE | {"old": json.dumps({"name": HOSTILE})}],
        similar=[], pictures=[PICTURE | {"error": HOSTILE}],
        org=[dict.fromkeys(ORG, HOSTILE) | {"org_id": 4, "listed": True}],
        **SEARCHED | {
            "pets": [RESULT | {"name": HOSTILE, "breed": HOSTILE, "status": HOSTILE}],
            "facets": [{"facet": "state", "value": text, "label": None, "pets": 1}
                       for text in ("TX", HOSTILE)],
            "organizations": [{"org_id": 4, "name": HOSTILE, "city": HOSTILE, "state": None,
                               "pets": 1, "listed": True}],
        },
    )  # fmt: skip
    for path in ("/pets/7", "/orgs/4", f"/search?q={HOSTILE}"):
        status, text, _ = await get(path)
        assert status == 200
        assert "<script>" not in text
        assert 'href="javascript' not in text
        assert "&lt;script&gt;" in text


async def test_a_pet_that_left_and_one_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = PET | {
        "listed": False, "removed_at": datetime(2026, 3, 1, tzinfo=UTC), "name": "Biscuit",
        "breed": "Beagle", "org_id": 4, "org_name": "Paws", "plan_state": "approved",
    }  # fmt: skip
    stub = StubDatabase(monkeypatch, pet=[gone], pictures=[PICTURE], history=[])
    status, text, _ = await get("/pets/7")
    assert (status, "<h1>Biscuit</h1>" in text, ">Beagle</span>" in text) == (200, True, True)
    assert 'Left the feed <time datetime="2026-03-01T00:00:00Z"' in text
    assert "Export 2026-03-02T08:00:00Z didn&#39;t name it" in text
    assert "a person approved it" in text
    assert '<a href="/orgs/4">Paws</a>' in text
    assert f'src="/pictures/{KEY}.960.jpg"' in text
    forgotten = dict.fromkeys(PET) | {name: gone[name] for name in ("animal_id", "removed_at")}
    forgotten |= {"listed": False, "export_id": "2026-03-02T08:00:00Z"}
    stub.rows = {"pet": [forgotten], "pictures": [], "history": []}
    _, text, _ = await get("/pets/7")
    assert "is forgotten, as PETSTREAM_REMOVED_DAYS asks" in text
    stub.rows = {"pet": [], "pictures": [], "history": []}
    assert (await get("/pets/7"))[0] == 404
    assert (await get("/pets/not-a-number"))[0] == 404
    stub.rows = Unavailable("not reachable (OSError)")
    status, text, _ = await get("/pets/7")
    assert (status, "not reachable (OSError)" in text) == (503, True)
    assert (await get("/pets/7", settings=None))[0] == 503


CHANGE: dict[str, Any] = {
    "sequence": 3, "op": "updated", "export_id": "2026-03-03T08:00:00Z",
    "occurred_at": datetime(2026, 3, 3, 8, tzinfo=UTC), "changed": ["name", "adoptionFee"],
    "old": json.dumps({"name": "Biskit", "adoptionFee": "250"}),
}  # fmt: skip


async def test_a_history_says_what_each_field_was_and_became(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it became is what the next change says it was; at last, what the row holds."""
    earlier = CHANGE | {
        "sequence": 2, "occurred_at": datetime(2026, 3, 2, 8, tzinfo=UTC),
        "changed": ["adoptionFee", "goofy", "pictures"],
        "old": json.dumps({"adoptionFee": None, "goofy": True, "pictures": []}),
    }  # fmt: skip
    first = CHANGE | {"sequence": 1, "op": "added", "changed": [], "old": "{}"}
    row = PET | {"name": "Biscuit &amp; Co", "adoption_fee": "200", "attributes": '{"goofy":false}'}
    StubDatabase(monkeypatch, pet=[row], pictures=[PICTURE], history=[CHANGE, earlier, first])
    _, text, _ = await get("/pets/7")
    lines = [" ".join(re.sub("<[^>]*>", " ", line).split()) for line in text.splitlines()]
    assert [line for line in lines if "→" in line] == [
        "Name Biskit → Biscuit &amp; Co", "Adoption fee 250 → 200",
        "Adoption fee nothing → 250", "Goofy yes → no", "Pictures 0 → 1",
    ]  # fmt: skip
    shown = re.findall('<time datetime="(.{10})T', text[text.index("What happened") :])
    assert shown[:2] == ["2026-03-03", "2026-03-02"]
    assert text.count("a picture it had then") == 1


async def test_a_search_shows_cards_facets_filters_and_the_next_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cards = [RESULT | {"animal_id": number} for number in range(7, 56)]
    gone = RESULT | {"listed": False, "removed_at": datetime(2026, 3, 1, tzinfo=UTC)}
    stub = StubDatabase(monkeypatch, **SEARCHED | {"pets": [gone, *cards]})
    _, text, _ = await get("/search?q=biscuit&state=tx")
    assert text.count('<li><a href="/pets/') == 47  # a page is 48 pets, and one has left
    assert 'left <time datetime="2026-03-01T00:00:00Z"' in text
    assert f'src="/pictures/{KEY}.320.jpg"' in text
    assert "<strong>61</strong> pets" in text
    assert 'href="/search?q=biscuit&amp;state=TX&amp;species=Dog">Dog</a> <span>41</span>' in text
    assert '<a href="/search?q=biscuit">TX ' in text  # takes the filter away
    assert "after=0.53.biscuit" in text
    assert "pg_trgm" not in text
    stub.rows = SEARCHED | {"pets": [], "facets": [], "organizations": [], "by_id": [
        {"is_pet": False, "is_organization": False, "is_indexed": False}
    ]}  # fmt: skip
    _, text, _ = await get("/search?q=nobody")
    assert "Nothing fits" in text
    assert "pg_trgm" in text
    stub.rows = Unavailable("not reachable (OSError)")
    status, text, _ = await get("/search?q=a")
    assert (status, "not reachable (OSError)" in text) == (503, True)


@pytest.mark.parametrize(
    ("is_pet", "is_organization", "opens"),
    [(True, True, "/pets/701"), (False, True, "/orgs/701"), (False, False, None)],
)
async def test_an_id_opens_what_has_it(
    monkeypatch: pytest.MonkeyPatch, *, is_pet: bool, is_organization: bool, opens: str | None
) -> None:
    known = {"is_pet": is_pet, "is_organization": is_organization, "is_indexed": True}
    StubDatabase(monkeypatch, **SEARCHED | {"by_id": [known]})
    app = web.Application()
    mount(app, lambda: SETTINGS, bound_host="127.0.0.1")
    async with TestClient(TestServer(app)) as client:
        answer = await client.get("/search?q=701", allow_redirects=False)
    assert answer.headers.get("Location") == opens


async def test_an_organisation_pages_through_its_pets(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [RESULT | {"animal_id": number} for number in range(100, 149)]
    counted = [{"facet": "all", "value": None, "label": None, "pets": 61}]
    org = dict.fromkeys(ORG) | {
        "name": "Paws &amp; Co", "email": "hello@a-shelter-with-a-name.example.org", "listed": True,
    }  # fmt: skip
    stub = StubDatabase(monkeypatch, org=[org], pets=rows, facets=counted)
    status, text, _ = await get("/orgs/4")
    assert status == 200
    assert "<h1>Paws &amp; Co</h1>" in text
    assert "hello@a-shelter-with-a-name.example.org" in text
    assert "61 pets listed" in text
    assert 'href="/orgs/4?after=0.147.biscuit"' in text
    stub.rows = {"org": [], "pets": rows[48:], "facets": counted}
    _, text, _ = await get("/orgs/4?after=0.147.biscuit")
    assert (0, "biscuit", 147) in [arguments[-3:] for arguments in stub.arguments]
    assert "but not itself" in text
    assert "after=" not in text
    stub.rows = {"org": [], "pets": [], "facets": []}
    assert (await get("/orgs/4"))[0] == 404


async def test_the_api_says_what_the_pages_show_and_describes_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pet = PET | {"name": "Fish &amp; Chips", "org_id": 4, "adoption_fee": "250"}
    stub = StubDatabase(
        monkeypatch, **SEARCHED, pet=[pet], pictures=[PICTURE], history=[CHANGE],
        org=[dict.fromkeys(ORG) | {"name": "Paws", "listed": True}],
    )  # fmt: skip
    described = json.loads((await get("/api/openapi.json"))[1])
    shown = {}
    for path in ("/api/search?q=biscuit", "/api/pets/7", "/api/orgs/4"):
        status, text, headers = await get(path)
        assert (status, headers["Content-Type"]) == (200, "application/json")
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        shown[path] = json.loads(text)
    for path in ("/api/search", "/api/pets/{animalId}", "/api/orgs/{orgId}"):
        operation = described["paths"][path]
        answer = operation["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        schema = {**answer, "components": described["components"]}
        real = next(name for name in shown if name.startswith(path.partition("{")[0].rstrip("/")))
        jsonschema.validate(shown[real], schema)
    assert shown["/api/search?q=biscuit"]["pets"][0]["name"] == "Biscuit"
    assert shown["/api/search?q=biscuit"]["total"] == 61
    assert shown["/api/pets/7"]["name"] == "Fish & Chips"
    assert shown["/api/pets/7"]["history"][0]["changes"][0]["before"] == "Biskit"
    assert shown["/api/orgs/4"]["name"] == "Paws"
    stub.rows = {"pet": [], "pictures": [], "history": []}
    assert (await get("/api/pets/7"))[0] == 404
    stub.rows = Unavailable("not reachable (OSError)")
    status, text, _ = await get("/api/orgs/4")
    assert (status, json.loads(text)["error"]) == (
        503, "Postgres can't be asked: not reachable (OSError)",
    )  # fmt: skip


async def test_pictures_come_from_the_store_and_from_nowhere_else(tmp_path: Path) -> None:
    store, other = tmp_path / "store", tmp_path / "secret.jpg"
    (store / KEY).parent.mkdir(parents=True)
    (store / f"{KEY}.320.jpg").write_bytes(b"a picture")
    other.write_bytes(b"a secret")
    settings = Settings(pictures=store.as_uri())
    status, text, headers = await get(f"/pictures/{KEY}.320.jpg", settings)
    assert (status, text, headers["Content-Type"]) == (200, "a picture", "image/jpeg")
    assert "immutable" in headers["Cache-Control"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    for path in (f"/pictures/{KEY}.png", "/pictures/../secret.jpg", "/pictures/%2e%2e/secret.jpg"):
        status, text, _ = await get(path, settings)
        assert (status, "secret" in text.replace(path, "")) == (404, False)
    assert (await get(f"/pictures/{KEY}.320.jpg", Settings(pictures="off")))[0] == 404


async def test_a_timeline_is_what_explain_says(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [
        {
            "headers": {"ce_sequence": "0000012"},
            "offset": 3,
            "value": {"op": "updated", "x": HOSTILE, "y": None},
        },
        {"headers": {"ce_sequence": "0000007"}, "offset": 4, "value": {"op": "late"}},
        {"headers": {"ce_sequence": "\u00b2"}, "offset": 5, "value": {"op": "odd"}},
        {"headers": {"ce_sequence": "9" * 5_000}, "offset": 6, "value": {"op": "odd"}},
    ]
    explained = {"animalId": 7, "text": f"Pet 7 {HOSTILE}", "events": events}
    results = [CommandResult(0, explained, ""), CommandResult(None, None, "no answer within 60 s")]

    async def run(
        _commands: CommandRunner, _settings: Settings, *arguments: str, within_s: float
    ) -> CommandResult:
        assert (*arguments, within_s) == ("explain", "7", "--json", 60.0)
        return results.pop(0)

    monkeypatch.setattr(CommandRunner, "run", run)
    status, text, _ = await get("/pets/7/life")
    assert status == 200
    assert "&#34;op&#34;: &#34;updated&#34;" in text
    assert text.index("updated") < text.index("late")  # newest first
    assert "&#34;y&#34;" not in text
    assert "<script>" not in text
    status, text, _ = await get("/pets/7/life")
    assert (status, "no answer within 60 s" in text) == (503, True)


def test_a_command_gets_the_servers_and_no_other_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PETSTREAM_FTP_URL", "ftp://apikey-Canary7K:canary@nowhere/")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/nowhere")
    access = KafkaAccess(
        "a:1", security_protocol="SASL_PLAINTEXT", sasl_username="me", sasl_password="pass"
    )
    settings = Settings(
        kafka=access, database_url="postgresql://h/d", topic_prefix="t.", data_dir=Path("here"),
        console_token="canary-of-the-console",
    )  # fmt: skip
    values = environment(settings)
    assert not [text for text in values.values() if "anary" in text]
    assert "PROMETHEUS_MULTIPROC_DIR" not in values
    assert values[SETTLED] == "1"
    loaded = load(values)
    assert (loaded.kafka, loaded.database_url, loaded.topic_prefix, loaded.data_dir) == (
        access, "postgresql://h/d", "t.", Path("here"),
    )  # fmt: skip


async def test_a_command_that_takes_too_long_is_ended() -> None:
    result = await CommandRunner().run(SETTINGS, "--help", within_s=0.0)
    assert (result.status, result.document) == (None, None)
    assert "no answer within 0 s" in result.error


async def test_a_command_gives_its_json_document_and_its_errors(tmp_path: Path) -> None:
    commands, without_servers = CommandRunner(), Settings(data_dir=tmp_path)
    result = await commands.run(without_servers, "doctor", "--json", within_s=60)
    assert (result.status, result.document["ok"]) == (1, False)
    assert {check["area"] for check in result.document["checks"]} >= {"ftp", "kafka", "postgres"}
    result = await commands.run(SETTINGS, "explain", "--json", within_s=60)
    assert (result.status, result.document) == (2, None)
    assert "ANIMAL_ID" in result.error
    result = await commands.run(SETTINGS, "explain", "--help", within_s=60)
    assert (result.status, result.document) == (0, None)


def test_a_document_that_comes_in_pieces_is_whole_and_half_a_one_is_none() -> None:
    printed = json.dumps({"text": "a long line"})
    assert command_runner._parsed([printed[:15], printed[15:]]) == {"text": "a long line"}  # noqa: SLF001  needs no long line
    assert command_runner._parsed([printed[:15]]) is None  # noqa: SLF001  the same
    assert command_runner._parsed([]) is None  # noqa: SLF001  the same


def test_the_timeline_has_the_newest_first() -> None:
    pets_read = {"added": 1200, "updated": 2, "removed": 3}
    exports = [
        {"exportId": "b", "state": "failed", "endedAt": "2026-03-02T09:00:00Z", "reason": "torn"},
        {"exportId": "c", "state": "started", "startedAt": "2026-03-03T09:00:00Z"},
        {"exportId": "a", "state": "completed", "endedAt": "2026-03-01T09:00:00Z"},
    ]
    plan = {"removals": 7000, "entity": "pets", "heldAt": "2026-03-02T10:00:00Z", "decide": "…"}
    owed = {"owes": "snapshot", "reason": "lost twice", "since": "2026-03-04T09:00:00Z"}
    paid = {
        "owes": "snapshot", "reason": "lost", "since": "2026-01-01",
        "paidBy": "a.2", "paidAt": "2026-01-02",
    }  # fmt: skip
    entries = timeline({
        "exports": [export | {"counts": {"pets": pets_read}} for export in exports],
        "debts": {"owed": [owed], "paid": [paid]},
        "heldPlans": [plan], "expiredPlans": [plan | {"decide": None, "heldAt": "2026-02-01"}],
    })  # fmt: skip
    assert [(entry.what, entry.level) for entry in entries] == [
        ("lost twice", "bad"),
        ("export c begun", ""),
        ("7,000 removals of pets held: they wait for a person", "warn"),
        ("export b can't be read: torn", "bad"),
        ("export a completed: 1,200 added, 2 updated, 3 removed", "good"),
        ("7,000 removals of pets held, and expired undecided", "warn"),
        ("the snapshot that was owed is done: a.2", "good"),
        ("lost", "bad"),
    ]
