"""Held removals in the browser: shown to all, decided by whoever has the token."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from console.page.command_runner import CommandResult, CommandRunner
from console.page.operations import token as token_gate
from console.page.site import mount
from petstream.settings import KafkaAccess, Settings

TOKEN = "canary-of-the-console"
PLAN = "2026-03-02T08:00:00Z-pets"
RIGHT = {"token": TOKEN, "action": "approve", "by": "Ada", "reason": "they\nleft"}


class Console:
    """The site, with a command runner that remembers decisions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, token: str | None = TOKEN) -> None:
        """Hold one plan."""
        self.decided: list[tuple[str, ...]] = []
        self.state = "held"
        self.result = CommandResult(0, None, "")
        self.settings = Settings(kafka=KafkaAccess("localhost:1"), console_token=token)
        console = self

        async def run(
            _commands: CommandRunner, _settings: Settings, *arguments: str, within_s: float
        ) -> CommandResult:
            assert within_s > 0
            if arguments[1] == "show":
                assert arguments[2:] == ("--json", PLAN)
                removals = [{"key": 7, "name": "<b>7</b>", "orgId": 701}]
                shown = {"planId": PLAN, "state": console.state, "entity": "pets",
                         "exportId": "x", "reason": "<i>the list is empty</i>",
                         "heldAt": "2026-03-02T08:00:00Z", "removals": removals}  # fmt: skip
                return CommandResult(0, shown, "")
            console.decided.append(arguments)
            return console.result

        monkeypatch.setattr(CommandRunner, "run", run)

    async def post(self, *forms: dict[str, str], **headers: str) -> tuple[int, str]:
        """Send forms; return the last response."""
        status, text = 0, ""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client() as client:
            for form in forms:
                response = await client.post(
                    f"/plans/{PLAN}", data=form, headers=named, allow_redirects=False
                )
                status, text = response.status, await response.text()
        return status, text

    def client(self) -> TestClient[web.Request, web.Application]:
        """Return who asks this site for several things."""
        return TestClient(TestServer(self._app()))

    async def get(self, query: str = "") -> str:
        """Return the page of the plan."""
        async with self.client() as client:
            return await (await client.get(f"/plans/{PLAN}{query}")).text()

    def _app(self) -> web.Application:
        app = web.Application()
        mount(app, lambda: self.settings, bound_host="127.0.0.1")
        return app


async def test_with_the_token_the_command_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(monkeypatch)
    status, _ = await console.post(RIGHT)
    assert status == 303
    assert console.decided == [("removals", "approve", "--by=Ada", "--reason=they left", PLAN)]
    await console.post({"token": TOKEN, "action": "reject"})
    assert console.decided[-1] == ("removals", "reject", "--by=console", PLAN)


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x", TOKEN.upper(), "ä" * 20])
async def test_without_the_token_nothing_is_decided(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    console = Console(monkeypatch)
    status, text = await console.post(RIGHT | {"token": token})
    assert status == 403
    assert "The token is wrong" in text
    assert console.decided == []


async def test_s11_wrong_tokens_keep_their_senders_waiting_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S11: any number of them; no process is begun for one."""
    monkeypatch.setattr(token_gate, "_AFTER_WRONG_S", 3_600.0)
    monkeypatch.setattr(token_gate, "_KEPT_WAITING", 5)
    console = Console(monkeypatch)
    async with console.client() as client:

        async def post(token: str) -> int:
            form = RIGHT | {"token": token}
            return (await client.post(f"/plans/{PLAN}", data=form, allow_redirects=False)).status

        wrong = [asyncio.create_task(post("wrong")) for _ in range(8)]
        async with asyncio.timeout(30):
            answered, kept_waiting = await asyncio.wait(wrong, return_when="FIRST_COMPLETED")
            assert {task.result() for task in answered} == {403}
            assert await post(TOKEN) == 303
        assert len(kept_waiting) >= 5
        for task in kept_waiting:
            task.cancel()
        await asyncio.wait(kept_waiting)
    assert len(console.decided) == 1


@pytest.mark.parametrize(
    "kind",
    [
        "application/x-www-form-urlencoded; charset=no-such",
        "application/x-www-form-urlencoded; charset=punycode",  # minutes for a megabyte
        "application/x-www-form-urlencoded; charset=unicode_escape",  # makes half characters
        "application/x-www-form-urlencoded; charset=utf-16",
        "multipart/form-data; boundary=x",  # each file of it would lie on our disk
        "multipart/form-data",
        "text/plain",
    ],
)
async def test_s10_a_form_is_written_as_browsers_write_ours_or_refused_unread(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """S10: whoever reaches the port may send one, without the token."""
    console = Console(monkeypatch)
    read: list[str] = []
    post = web.Request.post

    async def noted(request: web.Request) -> Any:
        read.append(kind)
        return await post(request)

    monkeypatch.setattr(web.Request, "post", noted)
    named: Any = {"Content_Type": kind}
    assert (await console.post(RIGHT, **named))[0] == 400
    assert console.decided == []
    assert read == []


@pytest.mark.parametrize("charset", ["", "; charset=utf-8", '; charset="UTF-8"'])
async def test_a_form_in_utf_8_is_read_however_that_is_said(
    monkeypatch: pytest.MonkeyPatch, charset: str
) -> None:
    console = Console(monkeypatch)
    named: Any = {"Content_Type": f"application/x-www-form-urlencoded{charset}"}
    assert (await console.post(RIGHT | {"by": "Zoë"}, **named))[0] == 303
    assert console.decided[0][2] == "--by=Zoë"


async def test_s10_bytes_that_are_no_text_are_a_wrong_token_and_no_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S10: also those of half a character, in the token or in a name."""
    monkeypatch.setattr(token_gate, "_AFTER_WRONG_S", 0.0)
    console = Console(monkeypatch)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    async with console.client() as client:
        for body in (b"action=approve&token=%ed%a0%80%ff", b"action=approve&token=\xed\xa0\x80"):
            answer = await client.post(f"/plans/{PLAN}", data=body, headers=kind)
            assert answer.status in {400, 403}
    assert console.decided == []


async def test_where_no_token_is_set_nobody_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(monkeypatch, token=None)
    for token in ("", "None", TOKEN):
        assert (await console.post(RIGHT | {"token": token}))[0] == 403
    assert console.decided == []
    text = await console.get()
    assert "<form method" not in text
    assert f"petstream removals approve|reject {PLAN}" in text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"},
    ],
)
async def test_another_sites_page_decides_nothing_even_with_the_token(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    console = Console(monkeypatch)
    assert (await console.post(RIGHT, **headers))[0] == 403
    assert console.decided == []


async def test_our_own_page_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(monkeypatch)
    same: Any = {"Origin": "http://localhost:8642", "Host": "localhost:8642"}
    assert (await console.post(RIGHT, **same))[0] == 303
    behind_a_proxy: Any = {"Origin": "https://pets.example", "Host": "localhost"}
    assert (await console.post(RIGHT, Sec_Fetch_Site="same-origin", **behind_a_proxy))[0] == 303
    assert (await console.post(RIGHT, **behind_a_proxy))[0] == 403


async def test_what_the_command_complains_of_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(monkeypatch)
    console.result = CommandResult(2, None, f"{PLAN} was approved already: nothing was done <i>")
    status, text = await console.post(RIGHT)
    assert status == 409
    assert "was approved already: nothing was done &lt;i&gt;" in text
    assert TOKEN not in text
    assert (await console.post(RIGHT | {"action": "show"}))[0] == 400


async def test_the_page_shows_the_plan_and_asks_only_while_it_is_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    console = Console(monkeypatch)
    text = await console.get()
    assert "&lt;b&gt;7&lt;/b&gt;" in text
    assert "&lt;i&gt;the list is empty&lt;/i&gt;" in text
    assert 'href="?decide=approve#decide"' in text
    assert "Reject: what is wrong with the export itself" in text
    assert "<form method" not in text
    console.state = "approved"
    text = await console.get("?decide=approve")
    assert "<form method" not in text
    assert "?decide=" not in text


@pytest.mark.parametrize(
    ("action", "asks", "button"),
    [
        ("approve", "Remove 1 pet?", "Remove these 1"),
        ("reject", "Keep 1 pet listed?", "Keep these 1"),
    ],
)
async def test_a_decision_is_asked_for_again_with_its_numbers(
    monkeypatch: pytest.MonkeyPatch, action: str, asks: str, button: str
) -> None:
    text = await Console(monkeypatch).get(f"?decide={action}")
    assert f'<form method="post" action="/plans/{PLAN}"' in text
    assert f'name="action" value="{action}"' in text
    assert asks in text
    assert button in text
    assert TOKEN not in text
