"""All feeds on one page: what other consoles answer, and what is shown of those that don't."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from console.page.operations import feeds, front
from console.page.site import mount
from petstream.errors import UnreachableError
from petstream.settings import KafkaAccess, Settings

SETTINGS = Settings(kafka=KafkaAccess("localhost:1"), topic_prefix="first.")
HOSTILE = "<script>alert(1)</script>\x1b[2J"
GOOD: dict[str, Any] = {
    "level": "warn",
    "text": "A held plan waits",
    "detail": "It is of today.",
    "problems": [{"alert": "PetstreamHeld"}, {}],
    "standing": {"feed": {"newestExportId": "2026-03-02T08:00:00Z"}, "heldPlans": [{}]},
    "more": "a later version says more",
}

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def saying(content: object, status: int = 200, **headers: str) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=json.dumps(content), status=status, headers=headers)

    return answer


@asynccontextmanager
async def console(
    monkeypatch: pytest.MonkeyPatch, others: Mapping[str, Answer]
) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """Give a client of a console whose own Kafka is away, and that knows these others."""

    async def away(*_: object, **__: object) -> Any:
        raise UnreachableError("Kafka is away: start it")

    monkeypatch.setattr(front, "gather", away)
    servers = {}
    for name, answer in others.items():
        other = web.Application()
        other.router.add_get("/api/overview", answer)
        servers[name] = TestServer(other)
        await servers[name].start_server()
    urls = {name: str(server.make_url("")).rstrip("/") for name, server in servers.items()}
    settings = replace(SETTINGS, feeds=urls | {"gone": "http://127.0.0.1:9"})
    app = web.Application()
    mount(app, lambda: settings, bound_host="127.0.0.1")
    try:
        async with TestClient(TestServer(app)) as client:
            yield client
    finally:
        for server in servers.values():
            await server.close()


async def listed(client: TestClient[web.Request, web.Application]) -> dict[str, dict[str, Any]]:
    answer = await (await client.get("/api/feeds")).json()
    return {feed["name"]: feed for feed in answer["feeds"]}


async def test_each_feed_is_shown_as_its_own_console_says_and_ours_is_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with console(monkeypatch, {"second": saying(GOOD)}) as client:
        known = await listed(client)
        text = await (await client.get("/feeds")).text()
    assert [*known] == ["first", "second", "gone"]
    assert known["first"]["url"] is None
    assert known["first"]["text"] == "Nothing is known yet"
    second = known["second"]
    assert (second["level"], second["text"], second["detail"]) == (
        "warn", "A held plan waits", "It is of today.",
    )  # fmt: skip
    assert (second["problems"], second["heldPlans"]) == (2, 1)
    assert second["newestExportId"] == "2026-03-02T08:00:00Z"
    assert f'<a href="{second["url"]}/">second</a>' in text
    assert "A held plan waits" in text
    assert "newest export 2026-03-02T08:00:00Z" in text
    assert text.index("first") < text.index("A held plan waits")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (saying({}, 403), "answers with status 403: it may lack"),
        (saying({}, 503), "answers with status 503"),
        (saying({}, 302, Location="/api/overview"), "answers with status 302"),
        (saying({"level": "good"}), "doesn't answer as a console of petstream does"),
        (saying([]), "doesn't answer as a console of petstream does"),
        (saying("x" * 5_000_000), "answers without end"),
    ],
)
async def test_a_console_that_gives_no_answer_is_a_line_and_the_others_are_shown(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, said: str
) -> None:
    async with console(monkeypatch, {"odd": answer, "second": saying(GOOD)}) as client:
        known = await listed(client)
    assert said in known["odd"]["detail"]
    assert (known["odd"]["level"], known["odd"]["problems"]) == ("bad", None)
    assert "can't be asked" in known["gone"]["detail"]
    assert known["second"]["level"] == "warn"


async def test_a_console_that_hangs_keeps_nobody_waiting_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def hang(_request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(feeds, "_ANSWERS_WITHIN_S", 0.2)
    async with asyncio.timeout(30):
        async with console(monkeypatch, {"slow": hang, "second": saying(GOOD)}) as client:
            known = await listed(client)
    assert "can't be asked (TimeoutError)" in known["slow"]["detail"]
    assert known["second"]["level"] == "warn"


async def test_what_another_console_says_is_words(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = GOOD | {"level": '"><b>', "text": HOSTILE, "detail": HOSTILE * 1_000}
    async with console(monkeypatch, {"second": saying(hostile)}) as client:
        text = await (await client.get("/feeds")).text()
        known = await listed(client)
    assert "<script>alert" not in text
    assert "\x1b" not in text
    assert "<b>" not in text
    assert known["second"]["level"] == "bad"
    assert len(text) < 20_000


async def test_however_many_look_the_others_are_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    async def count(request: web.Request) -> web.StreamResponse:
        asked.append(request)
        return await saying(GOOD)(request)

    async with console(monkeypatch, {"second": count}) as client:
        await asyncio.gather(*(client.get("/feeds") for _ in range(20)))
        assert len(asked) == 1
        monkeypatch.setattr(feeds, "_ASKED_EVERY_S", 0.0)
        await client.get("/feeds")
    assert len(asked) == 2


async def test_without_others_the_page_says_how_to_name_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(*_: object, **__: object) -> Any:
        raise UnreachableError("Kafka is away: start it")

    monkeypatch.setattr(front, "gather", away)
    app = web.Application()
    mount(app, lambda: SETTINGS, bound_host="127.0.0.1")
    async with TestClient(TestServer(app)) as client:
        text = await (await client.get("/feeds")).text()
    assert "PETSTREAM_FEEDS" in text
