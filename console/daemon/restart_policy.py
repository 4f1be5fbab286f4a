"""When a dead part begins again, and when no more.

Rule 1: each death in a row doubles the wait, with jitter; a long healthy life forgets them.
Rule 2: too many deaths in a short time are a crash loop, and so is one of wrong settings: to go on
        would hide what is wrong.
"""

from __future__ import annotations

import random
import signal
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

WRONG_SETTINGS: Final = 2


class Limits(NamedTuple):
    """How patient a supervisor is."""

    first_s: float = 1.0
    longest_s: float = 60.0
    healthy_s: float = 600.0
    deaths: int = 5
    within_s: float = 300.0


class Restarts:
    """The deaths of one part."""

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008  frozen
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Begin without a death; `chance` gives numbers from 0 to 1."""
        self._limits, self._chance = limits, chance
        self._times: deque[float] = deque(maxlen=limits.deaths)
        self._in_a_row = 0

    def wait_s(self, status: int, *, lived_s: float, now: float) -> float | None:
        """Return how long to wait after a death, or None: it shall not begin again."""
        self._times.append(now)
        if lived_s >= self._limits.healthy_s:
            self._in_a_row = 0
        many = len(self._times) == self._limits.deaths
        if status == WRONG_SETTINGS or (many and now - self._times[0] <= self._limits.within_s):
            return None
        doubled = min(self._limits.longest_s, self._limits.first_s * 2.0**self._in_a_row)
        self._in_a_row = min(self._in_a_row + 1, 20)
        return doubled * (0.5 + 0.5 * self._chance())


def died(status: int) -> str:
    """Return in words how a process ended."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
