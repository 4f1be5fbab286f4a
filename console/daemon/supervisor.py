"""Several parts kept alive as child processes, ended together, renewed one after another.

Rule 1: a part that dies begins again (`console.daemon.restart_policy`); a crash loop ends them
        all, loudly.
Rule 2: told to end, all parts are told at once, and have `GRACE_S` to finish what they hold; then
        they are killed, and that is said. Cancelled, they are killed at once.
Rule 3: a part that begins again has the settings that were good last, whatever .env says by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from console.daemon.restart_policy import WRONG_SETTINGS, Limits, Restarts, died
from console.runtime.child import Part, PassOn, Program, begin
from petstream.errors import PetstreamError

GRACE_S: Final = 12.0
_UP_WITHIN_S: Final = 60.0
_NOT_STARTED: Final = 126

Say = Callable[[str], None]


class Ended(Protocol):
    """Takes a part's name, the id of its process that ended, and whether it did so by itself."""

    def __call__(self, part: str, pid: int, *, by_itself: bool) -> None:
        """Be told."""


class Supervision:
    """The parts, and how each of them is."""

    def __init__(  # noqa: PLR0913  what a supervisor depends on, each by name
        self,
        programs: Sequence[Program],
        environment: Mapping[str, str],
        *,
        ending: asyncio.Event,
        say: Say,
        pass_on: Callable[[str], PassOn],
        all_up: Callable[[], None] = lambda: None,
        ended: Ended | None = None,
        limits: Limits = Limits(),  # noqa: B008  frozen
    ) -> None:
        """Prepare; `run` starts the parts.

        Args:
            programs: what the parts run.
            environment: of every part.
            ending: set it to end them all.
            say: takes a line for the person who looks.
            pass_on: gives a part's name what takes its lines.
            all_up: is called whenever all of them run, also after a restart.
            ended: is told of every process of a part that has ended.
            limits: how patient to be with parts that die.
        """
        self._environment = environment
        self._ending, self._say, self._pass_on = ending, say, pass_on
        self._all_up, self._ended, self._limits = all_up, ended, limits
        self._kept = [_Kept(program) for program in programs]
        self._failure: PetstreamError | None = None

    async def run(self) -> None:
        """Keep all parts going until told to end.

        Raises:
            PetstreamError: a part is in a crash loop; all have been ended.
        """
        async with asyncio.TaskGroup() as group:
            for kept in self._kept:
                group.create_task(self._keep(kept), name=kept.program.name)
        if self._failure is not None:
            raise self._failure

    def missing(self) -> list[str]:
        """Return the names of the parts that don't run now."""
        return [kept.program.name for kept in self._kept if not kept.up.is_set()]

    async def renew(self, environment: Mapping[str, str]) -> None:
        """Give the parts another environment: end and begin one after another."""
        self._environment = environment
        for kept in self._kept:
            if self._ending.is_set():
                return
            kept.up.clear()
            kept.renewed.set()
            try:
                async with asyncio.timeout(GRACE_S + _UP_WITHIN_S):
                    await kept.up.wait()
            except TimeoutError:
                self._say(f"{kept.program.name} takes long to begin again; going on")

    async def _keep(self, kept: _Kept) -> None:
        restarts = Restarts(self._limits)
        clock = asyncio.get_running_loop().time
        while not self._ending.is_set():
            kept.renewed.clear()
            began = clock()
            status, how, said = await self._life(kept)
            if self._ending.is_set():
                return
            if kept.renewed.is_set():
                continue
            wait_s = restarts.wait_s(status, lived_s=clock() - began, now=clock())
            if wait_s is None:
                often = "" if status == WRONG_SETTINGS else " again and again"
                self._failure = PetstreamError(
                    f"{kept.program.name} {how}{often}, and everything was stopped; "
                    f"its last line: {said or 'none'}"
                )
                self._ending.set()
                return
            self._say(f"{kept.program.name} {how}; it begins again in {wait_s:.1f} s")
            await _any(wait_s, self._ending, kept.renewed)

    async def _life(self, kept: _Kept) -> tuple[int, str, str]:
        """Live through one process of a part; return its status, how it ended, its last line."""
        name = kept.program.name
        try:
            part = begin(kept.program, self._environment, self._pass_on(name))
        except OSError as error:  # too many processes, no memory: that may pass
            return _NOT_STARTED, f"can't be started ({error.strerror})", ""
        status = await self._end_of(part, kept)
        if self._ended is not None:
            asked = self._ending.is_set() or kept.renewed.is_set()
            self._ended(name, part.pid, by_itself=not asked)
        return status, died(status), part.last_line

    async def _end_of(self, part: Part, kept: _Kept) -> int:
        ended = asyncio.create_task(part.ended())
        told = asyncio.create_task(_any(None, self._ending, kept.renewed))
        rising = asyncio.create_task(self._rise(part, kept))
        try:
            await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                part.terminate()
                await asyncio.wait({ended}, timeout=GRACE_S)
            if not ended.done():
                self._say(f"{kept.program.name} doesn't end: it is killed; nothing is lost")
                part.kill()
            return await ended
        finally:
            kept.up.clear()
            for task in (ended, told, rising):
                task.cancel()
            await asyncio.wait({ended, told, rising})

    async def _rise(self, part: Part, kept: _Kept) -> None:
        await part.up.wait()
        kept.up.set()
        if not self.missing():
            self._all_up()


@dataclass(frozen=True)
class _Kept:
    """What is kept going: a program, whether it runs, and whether it shall begin again."""

    program: Program
    up: asyncio.Event = field(default_factory=asyncio.Event)
    renewed: asyncio.Event = field(default_factory=asyncio.Event)


async def _any(limit_s: float | None, *events: asyncio.Event) -> None:
    """Wait for the first of some events, or so long."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
