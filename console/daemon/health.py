"""Whether this process can do its work: what /readyz says, found by probes in the background.

Rule 1: a probe asks over a new connection, with a deadline: a server that takes connections and
        says nothing is found out like one that is away.
Rule 2: nobody who asks /readyz waits for a server, or makes it work: the last probes are told.
Rule 3: a probe that doesn't come back is itself a problem.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from petstream.errors import PetstreamError
from petstream.metrics import READY, SERVER_UP

EVERY_S: Final = 10.0
DEADLINE_S: Final = 10.0


class Probe(NamedTuple):
    """A question to a server; the answer is a problem in words, or None."""

    server: str
    ask: Callable[[], Awaitable[str | None]]


class Found(NamedTuple):
    """What a probe found, and when by the loop's clock."""

    problem: str | None
    at: float


class Health:
    """The last answers of some probes; run `watch` beside the work."""

    def __init__(
        self, probes: Sequence[Probe], *, every_s: float = EVERY_S, deadline_s: float = DEADLINE_S
    ) -> None:
        """Prepare; nothing is asked yet."""
        self._probes = tuple(probes)
        self._every_s, self._deadline_s = every_s, deadline_s
        self._found: dict[str, Found] = {}

    async def watch(self) -> None:
        """Ask again and again, until cancelled."""
        while True:
            await asyncio.gather(*map(self._ask, self._probes))
            await asyncio.sleep(self._every_s)

    def problems(self) -> list[str]:
        """Return what keeps this process from its work, a line each; none = ready.

        The metrics say the same from then on.
        """
        now = asyncio.get_running_loop().time()
        found = {server: self._problem(server, now) for server, _ in self._probes}
        for server, problem in found.items():
            SERVER_UP.labels(server).set(0 if problem else 1)
        READY.set(0 if any(found.values()) else 1)
        return [f"{server}: {problem}" for server, problem in found.items() if problem]

    def _problem(self, server: str, now: float) -> str | None:
        found = self._found.get(server)
        if found is None:
            return "not asked yet"
        if now - found.at > self._every_s + 2 * self._deadline_s:
            return f"no answer for {now - found.at:.0f} s"
        return found.problem

    async def _ask(self, probe: Probe) -> None:
        try:
            async with asyncio.timeout(self._deadline_s):
                problem = await probe.ask()
        except TimeoutError:
            problem = f"it is silent: no answer within {self._deadline_s:g} s"
        except PetstreamError as error:
            problem = str(error)
        self._found[probe.server] = Found(problem, asyncio.get_running_loop().time())
