"""Several programs kept running as child processes, ended together, restarted one after another.

Rule 1: a child that dies is started again. Each death in a row doubles the wait, with jitter; a
        long healthy life forgets them.
Rule 2: too many deaths in a short time are a crash loop, and so is one of wrong settings: to go on
        would hide what is wrong. It ends them all, loudly.
Rule 3: to end, all children are stopped at once, and have `GRACE_S` to finish what they hold; then
        they are killed, and that is said. Cancelled, they are killed at once.
Rule 4: a child that is started again has the settings that were good last, whatever .env says by
        then.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from console.runtime.child import Child, LineSink, Program, spawn
from petstream.errors import PetstreamError
from petstream.waiting import Delays

GRACE_S: Final = 12.0
WRONG_SETTINGS: Final = 2
_READY_WITHIN_S: Final = 60.0
_NOT_STARTED: Final = 126

Say = Callable[[str], None]


class OnExit(Protocol):
    """Takes the name and id of a child that has ended, and whether it did so by itself."""

    def __call__(self, name: str, pid: int, *, by_itself: bool) -> None:
        """Take note."""


class RestartLimits(NamedTuple):
    """How often, and after what wait, a dead child is started again."""

    first_s: float = 1.0
    longest_s: float = 60.0
    healthy_s: float = 600.0
    deaths: int = 5
    within_s: float = 300.0


class Supervisor:
    """The programs, and how the child that runs each of them is."""

    def __init__(  # noqa: PLR0913  what a supervisor depends on, each by name
        self,
        programs: Sequence[Program],
        environment: Mapping[str, str],
        *,
        stopping: asyncio.Event,
        say: Say,
        sink_of: Callable[[str], LineSink],
        on_ready: Callable[[], None] = lambda: None,
        on_exit: OnExit | None = None,
        limits: RestartLimits = RestartLimits(),  # noqa: B008  frozen
    ) -> None:
        """Prepare; `run` starts the children.

        Args:
            programs: what the children run.
            environment: of every child.
            stopping: set it to end them all.
            say: takes a line for the person who looks.
            sink_of: gives a program's name what takes its lines.
            on_ready: is called whenever all of them run, also after a restart.
            on_exit: is called for every child that has ended.
            limits: when to start a dead child again.
        """
        self._environment = environment
        self._stopping, self._say, self._sink_of = stopping, say, sink_of
        self._on_ready, self._on_exit, self._limits = on_ready, on_exit, limits
        self._kept = [_Kept(program) for program in programs]
        self._failure: PetstreamError | None = None

    async def run(self) -> None:
        """Keep all programs running until `stopping`.

        Raises:
            PetstreamError: a child is in a crash loop; all have been ended.
        """
        async with asyncio.TaskGroup() as group:
            for kept in self._kept:
                group.create_task(self._keep(kept), name=kept.program.name)
        if self._failure is not None:
            raise self._failure

    def not_running(self) -> list[str]:
        """Return the names of the programs that don't run now."""
        return [kept.program.name for kept in self._kept if not kept.ready.is_set()]

    async def restart(self, environment: Mapping[str, str]) -> None:
        """Give the children another environment: end and start one after another."""
        self._environment = environment
        for kept in self._kept:
            if self._stopping.is_set():
                return
            kept.ready.clear()
            kept.restarting.set()
            try:
                async with asyncio.timeout(GRACE_S + _READY_WITHIN_S):
                    await kept.ready.wait()
            except TimeoutError:
                self._say(f"{kept.program.name} takes long to begin again; going on")

    async def _keep(self, kept: _Kept) -> None:
        policy = RestartPolicy(self._limits)
        clock = asyncio.get_running_loop().time
        while not self._stopping.is_set():
            kept.restarting.clear()
            started = clock()
            end = await self._run_once(kept)
            if self._stopping.is_set():
                return
            if kept.restarting.is_set():
                continue
            wait_s = policy.wait_s(end.status, lived_s=clock() - started, now=clock())
            if wait_s is None:
                often = "" if end.status == WRONG_SETTINGS else " again and again"
                self._failure = PetstreamError(
                    f"{kept.program.name} {end.how}{often}, and everything was stopped; "
                    f"its last line: {end.last_line or 'none'}"
                )
                self._stopping.set()
                return
            self._say(f"{kept.program.name} {end.how}; it begins again in {wait_s:.1f} s")
            await _first_of(self._stopping, kept.restarting, limit_s=wait_s)

    async def _run_once(self, kept: _Kept) -> _End:
        """Run a program in one child until that ends."""
        name = kept.program.name
        try:
            child = spawn(kept.program, self._environment, self._sink_of(name))
        except OSError as error:  # too many processes, no memory: that may pass
            return _End(_NOT_STARTED, f"can't be started ({error.strerror})", "")
        status = await self._wait_for(child, kept)
        if self._on_exit is not None:
            asked = self._stopping.is_set() or kept.restarting.is_set()
            self._on_exit(name, child.pid, by_itself=not asked)
        return _End(status, exit_in_words(status), child.last_line)

    async def _wait_for(self, child: Child, kept: _Kept) -> int:
        ended = asyncio.create_task(child.wait())
        asked = asyncio.create_task(_first_of(self._stopping, kept.restarting))
        ready = asyncio.create_task(self._note_ready(child, kept))
        try:
            await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                child.terminate()
                await asyncio.wait({ended}, timeout=GRACE_S)
            if not ended.done():
                self._say(f"{kept.program.name} doesn't end: it is killed; nothing is lost")
                child.kill()
            return await ended
        finally:
            kept.ready.clear()
            for task in (ended, asked, ready):
                task.cancel()
            await asyncio.wait({ended, asked, ready})

    async def _note_ready(self, child: Child, kept: _Kept) -> None:
        await child.ready.wait()
        kept.ready.set()
        if not self.not_running():
            self._on_ready()


class RestartPolicy:
    """Decides whether and when one child is started again, by its deaths so far."""

    def __init__(
        self,
        limits: RestartLimits = RestartLimits(),  # noqa: B008  frozen
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Start without a death; `chance` gives numbers from 0 to 1."""
        self._limits, self._chance = limits, chance
        self._times: deque[float] = deque(maxlen=limits.deaths)
        self._in_a_row = 0

    def wait_s(self, status: int, *, lived_s: float, now: float) -> float | None:
        """Return how long to wait after a death, or None: it shall not be started again."""
        self._times.append(now)
        if lived_s >= self._limits.healthy_s:
            self._in_a_row = 0
        many = len(self._times) == self._limits.deaths
        if status == WRONG_SETTINGS or (many and now - self._times[0] <= self._limits.within_s):
            return None
        self._in_a_row += 1
        delays = Delays(self._limits.first_s, self._limits.longest_s, jitter=0.5)
        return delays.after(self._in_a_row, self._chance)


def exit_in_words(status: int) -> str:
    """Return in words how a process ended."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


@dataclass(frozen=True)
class _Kept:
    """A program that is kept running: whether its child is ready, or is to be restarted."""

    program: Program
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    restarting: asyncio.Event = field(default_factory=asyncio.Event)


class _End(NamedTuple):
    """How a child ended: its status, the same in words, the last line it wrote."""

    status: int
    how: str
    last_line: str


async def _first_of(*events: asyncio.Event, limit_s: float | None = None) -> None:
    """Wait for the first of some events, or so long."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
