"""The server of PETSTREAM_CONSOLE, on real sockets."""

from __future__ import annotations

import socket
import zlib

import aiohttp
import pytest

from console.daemon.health import Health
from console.daemon.http import served
from console.page.command_runner import CommandResult, CommandRunner
from petstream.settings import KafkaAccess, Settings

TOKEN = "canary-of-the-console"
SETTINGS = Settings(kafka=KafkaAccess("localhost:1"), console_token=TOKEN)


@pytest.mark.parametrize("is_taken", [False, True], ids=["wanted port", "next port"])
async def test_s12_at_a_port_that_was_not_asked_for_nothing_is_decided(
    monkeypatch: pytest.MonkeyPatch, *, is_taken: bool
) -> None:
    """S12: whoever holds the port that was meant gets tokens; so none is ever typed elsewhere."""
    decided, said = [], list[str]()

    async def run(
        _runner: CommandRunner, _settings: Settings, *words: str, within_s: float
    ) -> object:
        decided.append(words)
        return CommandResult(0 if within_s else None, None, "")

    monkeypatch.setattr(CommandRunner, "run", run)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        if not is_taken:
            other.close()
        async with (
            served(("127.0.0.1", port), Health([]), lambda: SETTINGS, say=said.append) as url,
            aiohttp.ClientSession() as browser,
        ):
            form = {"token": TOKEN, "action": "approve"}
            answer = await browser.post(f"{url}plans/x.pets", data=form, allow_redirects=False)
            status = answer.status
    assert (url == f"http://127.0.0.1:{port}/") is not is_taken
    assert (status, len(decided)) == ((403, 0) if is_taken else (303, 1))
    assert ("is taken" in said[0]) is is_taken


async def test_s10_a_form_of_more_than_a_decision_has_is_refused_unread() -> None:
    """S10: what anybody may send without the token isn't held in memory, packed or not."""
    packed = zlib.compress(b"token=" + b"a" * 5_000_000)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    async with (
        served(("127.0.0.1", 0), Health([]), lambda: SETTINGS, say=lambda _line: None) as url,
        aiohttp.ClientSession() as browser,
    ):
        for body, more in (
            (b"token=" + b"a" * 70_000, {}),
            (packed, {"Content-Encoding": "deflate"}),
        ):
            answer = await browser.post(f"{url}plans/x.pets", data=body, headers=kind | more)
            assert answer.status == 413
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
