"""Who may wait for a command of a page."""

from __future__ import annotations

import asyncio

import pytest

from console.page import command_runner
from console.page.command_runner import CommandResult, CommandRunner
from petstream.settings import Settings

SETTINGS = Settings()


class SlowChild:
    """A command that is at work until it is let go."""

    def __init__(self) -> None:
        """Begin."""
        self.begun, self.let_go = 0, asyncio.Event()

    async def wait(self) -> int:
        """End when let go."""
        self.begun += 1
        await self.let_go.wait()
        return 0


async def test_s8_so_many_wait_for_a_command_and_further_ones_are_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S8: one process at a time, a bounded queue, and room again when somebody has gone."""
    child = SlowChild()
    monkeypatch.setattr(command_runner, "spawn", lambda *_: child)
    monkeypatch.setattr(command_runner, "_MOST_WAITING", 3)
    commands = CommandRunner()

    def ask() -> asyncio.Task[CommandResult]:
        return asyncio.create_task(commands.run(SETTINGS, "status", within_s=60.0))

    waiting = [ask() for _ in range(3)]
    async with asyncio.timeout(10):
        refused = await ask()
        assert (refused.status, "try again" in refused.error) == (None, True)
        assert child.begun == 1
        waiting[1].cancel()  # as whoever hangs up
        await asyncio.wait({waiting[1]})
        waiting.append(ask())
        child.let_go.set()
        ended = [await task for task in (waiting[0], *waiting[2:])]
    assert [result.status for result in ended] == [0, 0, 0]
