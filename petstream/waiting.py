"""Waiting: how long before the next try, when to give up, and until it's time to stop.

Rule 1: a backoff decides, and never waits or catches by itself: each loop knows what is worth a
        retry.
Rule 2: jitter only shortens a delay, so the longest one is never exceeded.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

_MOST_DOUBLINGS = 100  # a float has no room for many more


@dataclass(frozen=True)
class Delays:
    """How delays grow from one failure in a row to the next.

    Attributes:
        first_s: the delay after the first failure.
        longest_s: what no delay exceeds.
        factor: by how much each delay is longer than the one before.
        jitter: which share of a delay chance may take off, so that many don't come back at once.
    """

    first_s: float
    longest_s: float = math.inf
    factor: float = 2.0
    jitter: float = 0.0

    def after(self, failures: int, chance: Callable[[], float] = random.random) -> float:
        """Return the seconds to wait after so many failures in a row.

        >>> [Delays(1.0, longest_s=60.0).after(failures) for failures in (1, 2, 3, 9)]
        [1.0, 2.0, 4.0, 60.0]
        """
        growth = self.factor ** min(failures - 1, _MOST_DOUBLINGS)
        delay_s = min(self.longest_s, self.first_s * growth)
        return delay_s * (1 - self.jitter + self.jitter * chance())


class Backoff:
    """The failures in a row of one loop, which begins now."""

    def __init__(
        self,
        delays: Delays,
        *,
        give_up_after_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin without a failure; `give_up_after_s` None: never give up."""
        self._delays, self._give_up_after_s, self._clock = delays, give_up_after_s, clock
        self._failures = 0
        self._began: float | None = clock()

    def reset(self) -> None:
        """Note progress: delays begin anew, and so does the time with the next failure."""
        self._failures, self._began = 0, None

    def failed(self) -> float | None:
        """Note a failure; return how long to wait, in seconds, or None: it's time to give up."""
        now = self._clock()
        self._began = now if self._began is None else self._began
        if self._give_up_after_s is not None and now - self._began >= self._give_up_after_s:
            return None
        self._failures += 1
        return self._delays.after(self._failures)


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until `stopping`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()


async def unless_stopped(work: Coroutine[Any, Any, T], stopping: asyncio.Event) -> T | None:
    """Return what `work` returns, or cancel it and return None once `stopping` is set."""
    task = asyncio.create_task(work)
    asked = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    return None if task.cancelled() else task.result()
