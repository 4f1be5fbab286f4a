"""Dead letters in the browser: their bytes escaped, sent back by whoever has the token."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from console.page.command_runner import CommandResult, CommandRunner
from console.page.database import Database
from console.page.operations.dead_letters import LetterBytes
from console.page.site import mount
from petstream.settings import KafkaAccess, Settings

TOKEN = "canary-of-the-console"
SETTINGS = Settings(kafka=KafkaAccess("localhost:1"), console_token=TOKEN)
LETTER = {
    "id": 7, "class": "row", "reason": "json", "origin": "E/pets_1.json/3", "message": "<b>",
    "publishedAt": "2026-03-02T08:00:00Z", "details": {"file": "pets_1.json"},
    "valueBase64": b64encode(b'{"name":"<script>\x1b[31m"}').decode(),
}  # fmt: skip


@pytest.fixture
def replayed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Play the commands; what was sent back."""
    sent: list[tuple[str, ...]] = []

    async def run(
        _commands: CommandRunner, _settings: Settings, *arguments: str, within_s: float
    ) -> CommandResult:
        assert within_s > 0
        if arguments[1] == "show":
            return CommandResult(0, LETTER, "")
        sent.append(arguments)
        return CommandResult(0, None, "", "7: sent back to pets.v1/0")

    monkeypatch.setattr(CommandRunner, "run", run)
    return sent


def _client() -> TestClient[web.Request, web.Application]:
    app = web.Application()
    mount(app, lambda: SETTINGS, bound_host="127.0.0.1")
    return TestClient(TestServer(app))


async def test_the_bytes_are_shown_and_nothing_of_them_is_obeyed(
    replayed: list[tuple[str, ...]],
) -> None:
    async with _client() as client:
        text = await (await client.get("/dead-letters/7")).text()
    assert "{&#34;name&#34;:&#34;&lt;script&gt;\\x1b[31m&#34;}" in text
    assert "<script>" not in text
    assert replayed == []


async def test_only_the_token_sends_one_back(
    replayed: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.page.operations.token._AFTER_WRONG_S", 0.0)
    async with _client() as client:
        wrong = await client.post("/dead-letters/7", data={"token": "wrong"})
        assert wrong.status == 403
        assert replayed == []
        right = await client.post("/dead-letters/7", data={"token": TOKEN})
        assert right.status == 200
        assert "7: sent back to pets.v1/0" in await right.text()
    assert replayed == [("dead-letters", "replay", "7")]


async def test_a_page_of_them_is_filtered_and_leads_to_the_older_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[Any, ...]] = []

    async def rows(_database: Database, **queries: tuple[str, tuple[Any, ...]]) -> Any:
        asked.append(queries["letters"][1])
        letter = {"at": "2026-03-02T08:00:00Z", "reason": "json & co", "origin": "E/f/1",
                  "error": "<b>"}  # fmt: skip
        return {
            "reasons": [{"class": "row", "reason": "json & co", "letters": 60, "newest": None}],
            "letters": [letter | {"id": 100 - number} for number in range(51)],
        }

    monkeypatch.setattr(Database, "rows", rows)
    async with _client() as client:
        path = "/dead-letters?class=row&reason=json+%26+co&before=101"
        text = await (await client.get(path)).text()
    assert asked == [("row", "json & co", 101)]
    assert "/dead-letters/51" in text
    assert "/dead-letters/50" not in text
    assert "class=row&amp;reason=json+%26+co&amp;before=51" in text
    assert "&lt;b&gt;" in text


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of the letters that the table holds, of any filter."""
    ids = [3, 4, 9]

    async def rows(_database: Database, **queries: tuple[str, tuple[Any, ...]]) -> Any:
        kind, reason, below = queries["letters"][1]
        assert (kind, reason) == ("row", "json & co")
        chosen = [letter_id for letter_id in ids if letter_id < below]
        newest = max(chosen, default=None)
        return {"letters": [{"letters": len(chosen), "newest": newest, "ids": chosen or None}]}

    monkeypatch.setattr(Database, "rows", rows)
    return ids


ALL_OF_IT = {"class": "row", "reason": "json & co", "newest": "9", "letters": "3"}


async def test_all_of_a_filter_are_sent_back_only_after_their_number_was_shown_and_with_the_token(
    replayed: list[tuple[str, ...]], kept: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.page.operations.token._AFTER_WRONG_S", 0.0)
    async with _client() as client:
        asked = await (await client.get("/dead-letters/replay?class=row&reason=json+%26+co")).text()
        assert "Send 3 dead letters back?" in asked
        for name, text in ALL_OF_IT.items():
            assert f'name="{name}" value="{text.replace("&", "&amp;")}"' in asked
        kept.append(10)  # set aside meanwhile: nobody was asked about it
        wrong = await client.post("/dead-letters/replay", data=ALL_OF_IT | {"token": "wrong"})
        assert (wrong.status, replayed) == (403, [])
        right = await client.post("/dead-letters/replay", data=ALL_OF_IT | {"token": TOKEN})
        assert right.status == 200
        assert "7: sent back to pets.v1/0" in await right.text()
    assert replayed == [("dead-letters", "replay", "3", "4", "9")]


async def test_none_is_sent_back_if_they_are_others_than_were_shown(
    replayed: list[tuple[str, ...]], kept: list[int]
) -> None:
    kept.remove(4)
    async with _client() as client:
        answer = await client.post("/dead-letters/replay", data=ALL_OF_IT | {"token": TOKEN})
        assert answer.status == 409
        assert "look again" in await answer.text()
        kept.clear()
        path = "/dead-letters/replay?class=row&reason=json+%26+co"
        assert "nothing to send back" in await (await client.get(path)).text()
    assert replayed == []


def test_an_original_without_a_value_is_not_an_empty_one() -> None:
    assert LetterBytes(None).is_none
    assert not LetterBytes(b"").is_none
    long = LetterBytes(b"x" * 20_000)
    assert (long.is_whole, len(long.shown), long.size_bytes) == (False, 16_384, 20_000)
