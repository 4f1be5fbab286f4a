"""The pages of pets, organisations, pictures and searches, on rows as the views give them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from console.inspect.database_reader import Away, Rows
from console.page import views
from console.page.question import Answer, Desk, environment
from console.page.search import asked
from console.page.site import mount
from console.page.timeline import timeline
from petstream.settings import SETTLED, KafkaAccess, Settings, load

KNOWN = Settings(kafka=KafkaAccess("localhost:1"), database_url="postgresql://me:canary@nowhere/x")
KEY = "ab/cd/" + "ab" * 32
HOSTILE = "<script>alert(1)</script>"
THUMBNAILS = json.dumps({"320": f"{KEY}.320.jpg", "960": f"{KEY}.960.jpg"})
PET: dict[str, Any] = dict.fromkeys((
    "org_id", "status", "name", "species", "breed", "sex", "age", "size", "color", "birthdate",
    "altered", "housetrained", "declawed", "special_needs", "good_with_dogs", "good_with_cats",
    "good_with_kids", "adoption_fee", "postal_code", "updated_at", "first_seen_at", "pet_url",
    "description_rendered", "attributes", "org_name", "org_city", "org_state",
)) | {"animal_id": 7, "export_id": "2026-03-02T08:00:00Z"}  # fmt: skip
ORG = (
    "name", "address", "city", "state", "postal_code", "country", "phone", "email", "url",
    "facebook_url", "type", "species",
)  # fmt: skip
PICTURE: dict[str, Any] = {
    "picture_id": 70, "position": 1, "status": "stored", "thumbnails": THUMBNAILS, "width": 800,
    "height": 600, "error": None,
}  # fmt: skip
CARD: dict[str, Any] = {
    "animal_id": 7, "name": "Biscuit", "species": "Dog", "breed": None, "sex": "Male", "age": None,
    "status": "Available", "thumbnails": THUMBNAILS,
}  # fmt: skip


class Asked:
    """Answers every look with these rows, and remembers what was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **rows: list[dict[str, Any]]) -> None:
        """Stand in for Postgres."""
        self.rows: Rows | Away = rows
        self.arguments: list[tuple[Any, ...]] = []
        monkeypatch.setattr(views, "look", self._look)

    async def _look(self, _url: str | None, queries: dict[str, tuple[str, Any]]) -> Rows | Away:
        self.arguments += [arguments for _, arguments in queries.values()]
        return self.rows


async def get(path: str, known: Settings | None = KNOWN) -> tuple[int, str, dict[str, str]]:
    """Ask the site for a page."""
    app = web.Application()
    mount(app, lambda: known, bound_host="127.0.0.1")
    async with TestClient(TestServer(app)) as client:
        answer = await client.get(path)
        return answer.status, await answer.text(errors="replace"), dict(answer.headers)


async def test_a_pet_is_shown_as_a_site_would_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    Asked(
        monkeypatch,
        pet=[PET | {
            "name": "Fish &amp; Chips", "breed": "Beagle", "sex": "Male",
            "altered": True, "org_id": 4,
            "good_with_cats": False, "org_name": "Paws", "org_city": "Reno", "adoption_fee": "250",
            "description_rendered": "Sit <b>&amp; stay</b>", "attributes": '{"goofy": true}',
            "updated_at": datetime(2026, 3, 1, 7, 30, tzinfo=UTC), "status": "Available",
        }],
        pictures=[PICTURE], removed=[],
    )  # fmt: skip
    status, text, _ = await get("/pets/7")
    assert status == 200
    assert "<h1>Fish &amp; Chips</h1>" in text
    assert "Beagle, Male" in text
    assert '<a href="/orgs/4">Paws</a>, Reno' in text
    assert "<dt>Spayed or neutered</dt><dd>yes</dd>" in text
    assert "<dt>Good with cats</dt><dd>no</dd>" in text
    assert "Good with dogs" not in text  # the feed doesn't say: that is no "no"
    assert "<dd>2026-03-01 07:30 UTC</dd>" in text
    assert "Sit <b>&amp; stay</b>" in text
    assert f'src="/pictures/{KEY}.960.jpg" alt="Fish &amp; Chips, picture 1 of 1"' in text
    assert "<dt>goofy</dt><dd>yes</dd>" in text


async def test_whatever_the_tables_hold_no_page_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = {name: HOSTILE for name, value in PET.items() if value is None}
    row = PET | hostile | {"attributes": json.dumps({HOSTILE: HOSTILE}), "org_id": 4}
    row["pet_url"] = "javascript:alert(1)"
    Asked(
        monkeypatch, pet=[row], removed=[], pictures=[PICTURE | {"error": HOSTILE}],
        org=[dict.fromkeys(ORG, HOSTILE) | {"org_id": 4}],
        count=[{"pets": 1}], pets=[CARD | {"name": HOSTILE, "breed": HOSTILE, "status": HOSTILE}],
        orgs=[{"org_id": 4, "name": HOSTILE, "city": HOSTILE, "state": None}],
    )  # fmt: skip
    for path in ("/pets/7", "/orgs/4", f"/search?q={HOSTILE}"):
        status, text, _ = await get(path)
        assert status == 200
        assert "<script" not in text
        assert 'href="javascript' not in text
        assert "&lt;script&gt;" in text


async def test_a_pet_that_left_and_one_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = {"removed_at": datetime(2026, 3, 1, tzinfo=UTC), "export_id": "2026-03-01T08:00:00Z"}
    asked_for = Asked(monkeypatch, pet=[], removed=[gone], pictures=[])
    status, text, _ = await get("/pets/7")
    assert (status, "has left the feed" in text) == (200, True)
    asked_for.rows = {"pet": [], "removed": [], "pictures": []}
    assert (await get("/pets/7"))[0] == 404
    assert (await get("/pets/not-a-number"))[0] == 404
    asked_for.rows = Away("not reachable (OSError)")
    status, text, _ = await get("/pets/7")
    assert (status, "not reachable (OSError)" in text) == (503, True)
    assert (await get("/pets/7", known=None))[0] == 503


async def test_a_search_asks_for_id_and_name_and_says_if_there_is_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = Asked(monkeypatch, pets=[CARD], orgs=[])
    _, text, _ = await get("/search?q=22611034")
    assert found.arguments == [("22611034", 22611034)] * 2
    assert 'href="/pets/7"' in text
    assert f'src="/pictures/{KEY}.320.jpg"' in text
    assert "There are more" not in text
    found.rows = {"pets": [CARD] * 61, "orgs": []}
    _, text, _ = await get("/search?q=bis%25")
    assert found.arguments[-1] == ("bis%", None)
    assert text.count('href="/pets/7"') == 60
    assert "There are more" in text
    asked_before = len(found.arguments)
    assert (await get("/search"))[0] == 200
    assert len(found.arguments) == asked_before
    assert asked("\0 ") == ""


async def test_an_organisation_pages_through_its_pets(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [CARD | {"animal_id": number} for number in range(100, 161)]
    found = Asked(monkeypatch, org=[], pets=rows, count=[{"pets": 61}])
    status, text, _ = await get("/orgs/4")
    assert status == 200
    assert "61 pets listed" in text
    assert 'href="/orgs/4?after=159"' in text
    assert (4, -1) in found.arguments
    found.rows = {"org": [], "pets": rows[60:], "count": [{"pets": 61}]}
    _, text, _ = await get("/orgs/4?after=159")
    assert (4, 159) in found.arguments
    assert "after=" not in text
    found.rows = {"org": [], "pets": [], "count": [{"pets": 0}]}
    assert (await get("/orgs/4"))[0] == 404


async def test_pictures_come_from_the_store_and_from_nowhere_else(tmp_path: Path) -> None:
    store, other = tmp_path / "store", tmp_path / "secret.jpg"
    (store / KEY).parent.mkdir(parents=True)
    (store / f"{KEY}.320.jpg").write_bytes(b"a picture")
    other.write_bytes(b"a secret")
    known = Settings(pictures=store.as_uri())
    status, text, headers = await get(f"/pictures/{KEY}.320.jpg", known)
    assert (status, text, headers["Content-Type"]) == (200, "a picture", "image/jpeg")
    assert "immutable" in headers["Cache-Control"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    for path in (f"/pictures/{KEY}.png", "/pictures/../secret.jpg", "/pictures/%2e%2e/secret.jpg"):
        status, text, _ = await get(path, known)
        assert (status, "secret" in text.replace(path, "")) == (404, False)
    assert (await get(f"/pictures/{KEY}.320.jpg", Settings(pictures="off")))[0] == 404


async def test_a_life_is_what_explain_says(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [
        {
            "headers": {"ce_sequence": "0000012"},
            "offset": 3,
            "value": {"op": "updated", "x": HOSTILE},
        },
        {"headers": {"ce_sequence": "0000007"}, "offset": 4, "value": {"op": "late"}},
    ]
    said = json.dumps({"animalId": 7, "text": f"Pet 7 {HOSTILE}", "events": events})
    answers = [Answer(0, (said[:50], said[50:]), ""), Answer(None, (), "no answer within 60 s")]

    async def ask(_desk: Desk, _settings: Settings, *said: str, within_s: float) -> Answer:
        assert (*said, within_s) == ("explain", "7", "--json", 60.0)
        return answers.pop(0)

    monkeypatch.setattr(Desk, "ask", ask)
    status, text, _ = await get("/pets/7/life")
    assert status == 200
    assert "&#34;op&#34;: &#34;updated&#34;" in text
    assert "late" not in text
    assert "<script" not in text
    status, text, _ = await get("/pets/7/life")
    assert (status, "no answer within 60 s" in text) == (503, True)


def test_a_question_is_told_the_servers_and_no_other_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PETSTREAM_FTP_URL", "ftp://apikey-Canary7K:canary@nowhere/")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/nowhere")
    access = KafkaAccess(
        "a:1", security_protocol="SASL_PLAINTEXT", sasl_username="me", sasl_password="pass"
    )
    known = Settings(
        kafka=access, database_url="postgresql://h/d", topic_prefix="t.", data_dir=Path("here"),
        console_token="canary-of-the-console",
    )  # fmt: skip
    told = environment(known)
    assert not [text for text in told.values() if "anary" in text]
    assert "PROMETHEUS_MULTIPROC_DIR" not in told
    assert told[SETTLED] == "1"
    found = load(told)
    assert (found.kafka, found.database_url, found.topic_prefix, found.data_dir) == (
        access, "postgresql://h/d", "t.", Path("here"),
    )  # fmt: skip


async def test_a_question_that_takes_too_long_is_ended() -> None:
    answer = await Desk().ask(KNOWN, "--help", within_s=0.0)
    assert answer.status is None
    assert "no answer within 0 s" in answer.complaint


async def test_a_question_gives_what_was_printed_and_the_complaint() -> None:
    desk = Desk()
    answer = await desk.ask(KNOWN, "explain", "--help", within_s=60)
    assert answer.status == 0
    assert any("ANIMAL_ID" in line for line in answer.lines)
    answer = await desk.ask(KNOWN, "explain", "x", within_s=60)
    assert answer.status == 2
    assert "ANIMAL_ID" in answer.complaint


def test_the_timeline_tells_the_newest_first() -> None:
    pets_read = {"added": 1200, "updated": 2, "removed": 3}
    exports = [
        {"exportId": "b", "state": "failed", "endedAt": "2026-03-02T09:00:00Z", "reason": "torn"},
        {"exportId": "c", "state": "started", "startedAt": "2026-03-03T09:00:00Z"},
        {"exportId": "a", "state": "completed", "endedAt": "2026-03-01T09:00:00Z"},
    ]
    plan = {"removals": 7000, "entity": "pets", "heldAt": "2026-03-02T10:00:00Z", "decide": "…"}
    found = timeline({
        "exports": [one | {"counts": {"pets": pets_read}} for one in exports],
        "heldPlans": [plan], "expiredPlans": [plan | {"decide": None, "heldAt": "2026-02-01"}],
    })  # fmt: skip
    assert [(one.what, one.level) for one in found] == [
        ("export c begun", ""),
        ("7,000 removals of pets held: they wait for a person", "warn"),
        ("export b can't be read: torn", "bad"),
        ("export a completed: 1,200 added, 2 updated, 3 removed", "good"),
        ("7,000 removals of pets held, and expired undecided", "warn"),
    ]
