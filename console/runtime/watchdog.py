"""An event loop that doesn't turn: first its stacks are written, then the process ends.

Rule 1: a thread counts how long the loop stood still; time in which the thread itself didn't run
        (a stopped process, a machine asleep) doesn't count.
Rule 2: where the thread can't run, since C code keeps the interpreter to itself (a regular
        expression gone wild), timers of processor time stand in for it: the same stacks, and the
        end by a signal.
Rule 3: the stacks name files and lines, never values.

Why not `faulthandler.dump_traceback_later` alone: docs/decisions/0010-the-process-tree.md.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

STACKS_AFTER_S: Final = 30.0
END_AFTER_S: Final = 120.0
_TICK_S: Final = 1.0
_STDERR: Final = 2


class WatchdogLimits(NamedTuple):
    """How long a loop may stand still."""

    stacks_after_s: float = STACKS_AFTER_S
    end_after_s: float = END_AFTER_S
    tick_s: float = _TICK_S


@contextmanager
def watched(limits: WatchdogLimits = WatchdogLimits()) -> Iterator[None]:  # noqa: B008  frozen
    """Watch the running loop while the block runs."""
    watchdog = _Watchdog(asyncio.get_running_loop(), limits)
    watchdog.start()
    try:
        yield
    finally:
        watchdog.stop()


class _Watchdog:
    def __init__(self, loop: asyncio.AbstractEventLoop, limits: WatchdogLimits) -> None:
        self._loop, self._limits = loop, limits
        self._turns = 0
        self._next: asyncio.TimerHandle | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        faulthandler.register(signal.SIGPROF, file=_STDERR, all_threads=True, chain=False)
        self._turn()
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        if self._next is not None:
            self._next.cancel()
        _set_timers(0, 0)
        faulthandler.unregister(signal.SIGPROF)

    def _turn(self) -> None:
        self._turns += 1
        self._next = self._loop.call_later(self._limits.tick_s, self._turn)

    def _watch(self) -> None:
        limits = self._limits
        turns, still_s, reported = 0, 0.0, False
        before = time.monotonic()
        while not self._stopped.wait(limits.tick_s):
            _set_timers(limits.stacks_after_s, limits.end_after_s)
            now = time.monotonic()
            passed_s, before = now - before, now
            if self._turns != turns:
                if reported:
                    _write("the event loop turns again")
                turns, still_s, reported = self._turns, 0.0, False
                continue
            still_s += min(passed_s, 2 * limits.tick_s)  # more: this thread stood still as well
            if still_s >= limits.stacks_after_s and not reported:
                reported = True
                _write(f"the event loop hasn't turned for {still_s:.0f} s; where each thread is:")
                faulthandler.dump_traceback(file=_STDERR, all_threads=True)
            if still_s >= limits.end_after_s:
                _write(f"the event loop hasn't turned for {still_s:.0f} s: this process ends")
                os._exit(1)


def _set_timers(stacks_after_s: float, end_after_s: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, stacks_after_s)
    signal.setitimer(signal.ITIMER_VIRTUAL, end_after_s)


def _write(line: str) -> None:
    with suppress(OSError):  # nobody reads stderr: it ends all the same
        os.write(_STDERR, f"petstream: {line}\n".encode())
