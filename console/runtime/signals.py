"""Signals: Ctrl-C and SIGTERM end a command well, SIGHUP has a daemon read its settings again.

Rule 1: the first signal asks: what is patient finishes its batch, what isn't is cancelled where it
        waits (what was published is whole; what wasn't is done by the next run).
Rule 2: the second signal cancels whatever goes on, and so does time.
Rule 3: whatever hangs even then ends with the process, 14 s after the first signal: service
        managers wait little longer.
Rule 4: the loop of what is patient is watched: one that is stuck ends the process.
Rule 5: SIGHUP means the end only if there was a terminal, and is none any more.
Rule 6: who was started to ignore a signal (nohup) ignores it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import nullcontext
from typing import Any, Final, NoReturn

from console.runtime import lifeline, streams, watchdog

# rows and events are trees, freed without the collector: to look at them costs 4 %
_COLLECT_RARELY: Final = (20_000, 20, 20)
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_WITHIN_S: Final = 14.0
_TO_TIDY_UP_S: Final = 4.0
_AT_ONCE_S: Final = 1.0


def run(
    command: Callable[[asyncio.Event], Coroutine[Any, Any, int]],
    *,
    stopped_status: int,
    patient: bool = False,
    within_s: float | None = _WITHIN_S,
) -> int:
    """Run a command and return its exit status, or `stopped_status` if a signal ended it.

    Args:
        command: is given the event that is set when it should end.
        stopped_status: 0 for daemons, 1 for what should have come to an end by itself.
        patient: the command looks at the event and ends by itself.
        within_s: rule 3; None for what must tidy up however long it takes.
    """
    gc.set_threshold(*_COLLECT_RARELY)
    deadline = _Deadline(1 if stopped_status else 0)
    try:
        return asyncio.run(_run(command, stopped_status, deadline, within_s, patient=patient))
    finally:
        deadline.lift()


async def _run(
    command: Callable[[asyncio.Event], Coroutine[Any, Any, int]],
    stopped_status: int,
    deadline: _Deadline,
    within_s: float | None,
    *,
    patient: bool,
) -> int:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    task = asyncio.create_task(command(stopping))

    def stop() -> None:
        again = stopping.is_set()
        stopping.set()
        streams.hurry()
        if again or not patient:
            task.cancel()
        if within_s is not None:
            deadline.set(_AT_ONCE_S if again else within_s)
            loop.call_later(within_s - _TO_TIDY_UP_S, task.cancel)

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        with watchdog.watched() if patient else nullcontext():
            lifeline.notify_ready()
            status = await task
    except asyncio.CancelledError:
        if not stopping.is_set():
            raise
        return stopped_status
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler or signal.SIG_DFL)
    return stopped_status if stopping.is_set() else status


class _Deadline:
    """When the process ends in any case; it needs no event loop for that."""

    def __init__(self, status: int) -> None:
        self._status = status
        self._timers: list[threading.Timer] = []

    def set(self, seconds: float) -> None:
        timer = threading.Timer(seconds, os._exit, (self._status,))
        timer.daemon = True
        timer.start()
        self._timers.append(timer)

    def lift(self) -> None:
        for timer in self._timers:
            timer.cancel()


class Interrupted(KeyboardInterrupt):
    """A signal came while no event loop ran.

    A class of its own: where a `KeyboardInterrupt` itself passes through an `exec` (as dataclasses
    and named tuples are made, while modules are imported), CPython ends the process by SIGINT in
    the end, also if it was caught.
    """


def interrupting() -> None:
    """Raise `Interrupted` on SIGTERM and SIGINT from now on, unless SIGINT is to be ignored."""
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupt)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    streams.hurry()
    raise Interrupted


async def hangups(stopping: asyncio.Event) -> AsyncGenerator[None]:
    """Yield whenever settings shall be read again; set `stopping` if the terminal has gone."""
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        return
    received = asyncio.Event()
    had_terminal = _has_terminal()

    def receive() -> None:
        if had_terminal and not _has_terminal():
            stopping.set()
        received.set()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, receive)
    try:
        while True:
            await received.wait()
            received.clear()
            if not stopping.is_set():
                yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
