"""Time that only passes where everybody waits: hours of a schedule take no time at all.

Rule 1: all that tells the time tells this one: the event loop, `time`, `datetime.now`, backoffs.
Rule 2: whoever waits for what never comes ends the schedule, at once and with a line.
"""

from __future__ import annotations

import asyncio
import importlib
import random
import selectors
import time
from collections.abc import Coroutine
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import pytest

from petstream.waiting import Backoff

_BEGIN: Final = datetime(2026, 11, 2, 0, 0, tzinfo=UTC).timestamp()
_MOST_TURNS: Final = 20_000
_TELL_THE_TIME: Final = (
    "ingest.removals.decide",
    "ingest.removals.held_plans",
    "ingest.failed_attempt",
    "ingest.publish.lifecycle",
    "ingest.export",
    "ingest.state.log_check",
    "consumers.engine.runner",
    "consumers.audit.questions",
)
"""The modules that call `datetime.now`."""


class Clock:
    """What time it is; `passed_s` since the schedule began."""

    def __init__(self) -> None:
        """Begin."""
        self.passed_s = 0.0

    def time(self) -> float:
        """Return the seconds since 1970."""
        return _BEGIN + self.passed_s

    def ms(self) -> int:
        """Return the milliseconds since 1970."""
        return int(self.time() * 1000)

    def monotonic(self) -> float:
        """Return the seconds since some moment."""
        return self.passed_s

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.fromtimestamp(self.time(), UTC)

    async def until(self, moment: datetime) -> None:
        """Wait until then; what is over isn't waited for."""
        await asyncio.sleep(max(0.0, moment.timestamp() - self.time()))


class NobodyComesError(AssertionError):
    """Everybody waits for ever."""


class _Patience(selectors.SelectSelector):
    """Nothing ever comes from outside: whoever waits is there already."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._turns = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise NobodyComesError("everybody waits for what never comes")
        self._turns = self._turns + 1 if timeout <= 0 else 0
        if self._turns > _MOST_TURNS:
            raise NobodyComesError("something turns round and round, and no time passes")
        self._clock.passed_s += max(0.0, timeout)
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, clock: Clock) -> None:
        super().__init__(_Patience(clock))
        self._model_clock = clock

    def time(self) -> float:
        return self._model_clock.monotonic()


def run(clock: Clock, work: Coroutine[Any, Any, None], seed: int) -> None:
    """Let it run in the clock's time; chance, where the product asks for it, is seeded as well."""
    random.seed(seed)
    with asyncio.Runner(loop_factory=lambda: _Loop(clock)) as runner:
        runner.run(work)


def install(clock: Clock, patch: pytest.MonkeyPatch) -> None:
    """Let everybody tell this time."""
    patch.setattr(time, "time", clock.time)
    patch.setattr(time, "monotonic", clock.monotonic)
    patch.setattr(time, "time_ns", lambda: int(clock.time() * 1e9))
    defaults = Backoff.__init__.__kwdefaults__
    assert defaults is not None
    patch.setitem(defaults, "clock", clock.monotonic)

    class Now(datetime):
        """`datetime` as the product's modules see it."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # a plain one
            """Return the time."""
            return datetime.fromtimestamp(clock.time(), tz)

        @classmethod
        def fromisoformat(cls, text: str) -> datetime:  # type: ignore[override]  # a plain one
            """Return a plain one."""
            return datetime.fromisoformat(text)

    for name in _TELL_THE_TIME:
        patch.setattr(importlib.import_module(name), "datetime", Now)
