"""Running a command so that Ctrl-C and SIGTERM end it well.

Rule 1: the first signal asks: what is patient finishes its batch, what isn't is cancelled where it
        waits (what was published is whole; what wasn't is done by the next run).
Rule 2: the second signal cancels whatever goes on.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

# rows and events are trees, freed without the collector: to look at them costs 4 %
_COLLECT_RARELY: Final = (20_000, 20, 20)
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def run(
    command: Callable[[asyncio.Event], Coroutine[Any, Any, int]],
    *,
    stopped_status: int,
    patient: bool = False,
) -> int:
    """Run a command and return its exit status, or `stopped_status` if a signal ended it.

    Args:
        command: is given the event that is set when it should end.
        stopped_status: 0 for daemons, 1 for what should have come to an end by itself.
        patient: the command looks at the event and ends by itself.
    """
    gc.set_threshold(*_COLLECT_RARELY)
    return asyncio.run(_run(command, stopped_status, patient=patient))


async def _run(
    command: Callable[[asyncio.Event], Coroutine[Any, Any, int]],
    stopped_status: int,
    *,
    patient: bool,
) -> int:
    stopping = asyncio.Event()
    task = asyncio.create_task(command(stopping))

    def stop() -> None:
        if stopping.is_set() or not patient:
            task.cancel()
        stopping.set()

    loop = asyncio.get_running_loop()
    for one in _SIGNALS:
        loop.add_signal_handler(one, stop)
    try:
        status = await task
    except asyncio.CancelledError:
        if not stopping.is_set():
            raise
        return stopped_status
    finally:
        for one in _SIGNALS:
            loop.remove_signal_handler(one)
    return stopped_status if stopping.is_set() else status


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


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until `stopping`."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return
