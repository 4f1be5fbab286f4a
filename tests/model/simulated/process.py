"""A process that can be killed, or stopped for a while, at any call of a client.

Rule 1: every call of a client passes `Process.step`. There it may be killed: nothing that it does
        afterwards, cleaning up included, reaches any server.
Rule 2: the process of a task is in its context: clients ask for it when they are made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from random import Random
from typing import Any, Final

from simulated.clock import NobodyComesError

_LATENCY_S: Final = 0.02
_MOST_TURNS: Final = 20_000

current: Final[ContextVar[Process]] = ContextVar("process")


class Process:
    """One process: its name, whether it lives, and what is to happen to it at which step."""

    def __init__(self, name: str, random: Random) -> None:
        """Begin."""
        self.name, self.alive = name, True
        self.steps = 0
        self._turns = 0
        self.kill_at: int | None = None
        self.stop_at: int | None = None
        self.stopped_for_s = 0.0
        self.on_kill: list[Callable[[], None]] = []
        self.on_stop: list[Callable[[], None]] = []
        self.on_go_on: list[Callable[[], None]] = []
        self._random = random
        self._running = asyncio.Event()
        self._running.set()
        self._main: asyncio.Task[Any] | None = None

    @property
    def is_stopped(self) -> bool:
        """Whether it was stopped (SIGSTOP)."""
        return not self._running.is_set()

    def begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run this as the process."""

        async def main() -> Any:
            current.set(self)
            return await work

        self._main = asyncio.create_task(main(), name=self.name)
        return self._main

    async def step(self) -> None:
        """Pass a call of a client: it takes a moment, and may be the last."""
        self.steps += 1
        if self.alive and self.steps == self.kill_at:
            self.kill()
        if self.alive and self.steps == self.stop_at:
            self.stop(self.stopped_for_s)
        if self.alive:
            await asyncio.sleep(self._random.random() * _LATENCY_S)
        await self.awake()

    def check_ends(self) -> None:
        """Raise where it goes on and on, though in time that passes."""
        if self._turns > _MOST_TURNS:
            raise NobodyComesError(f"{self.name} comes to no end")

    async def awake(self) -> None:
        """Wait while it is stopped; raises once it was killed."""
        self._turns += 1
        self.check_ends()
        await self._running.wait()
        if not self.alive:
            raise asyncio.CancelledError  # so that all of it ends, whatever it catches

    def kill(self) -> None:
        """Kill it (SIGKILL)."""
        if not self.alive:
            return
        self.alive = False
        for react in self.on_kill:
            react()
        self._running.set()
        if self._main is not None:
            self._main.cancel()

    def stop(self, seconds: float) -> None:
        """Stop it (SIGSTOP), and let it go on after so long."""
        self._running.clear()
        for react in self.on_stop:
            react()
        asyncio.get_running_loop().call_later(seconds, self.go_on)

    def go_on(self) -> None:
        """Let it go on (SIGCONT)."""
        if self.alive and self.is_stopped:
            self._running.set()
            for react in self.on_go_on:
                react()
