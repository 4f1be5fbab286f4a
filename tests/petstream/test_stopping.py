"""Work and pauses end early once it's time to stop."""

from __future__ import annotations

import asyncio

from petstream.stopping import pause, unless_stopped


async def test_a_pause_ends_by_itself_or_at_once_when_stopping() -> None:
    stopping = asyncio.Event()
    await pause(stopping, 0.001)
    stopping.set()
    async with asyncio.timeout(10):
        await pause(stopping, 3_600)


async def test_work_that_ends_gives_its_result() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    assert await unless_stopped(work(), asyncio.Event()) == 7


async def test_work_is_cancelled_once_it_is_time_to_stop() -> None:
    stopping, cleaned_up = asyncio.Event(), asyncio.Event()

    async def work() -> int:
        try:
            await asyncio.sleep(3_600)
        finally:
            cleaned_up.set()
        return 7

    asyncio.get_running_loop().call_soon(stopping.set)
    assert await unless_stopped(work(), stopping) is None
    assert cleaned_up.is_set()
