"""Delays grow, stay bounded, and end where a loop is to give up; work ends when it is to stop."""

from __future__ import annotations

import asyncio

import pytest

from petstream.waiting import Backoff, Delays, pause, unless_stopped

STEADY = Delays(1.0, factor=1.0)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        """Begin at some moment."""
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_delays_double_up_to_the_longest_however_many_failures() -> None:
    delays = Delays(0.2, longest_s=15.0)
    assert [delays.after(failures) for failures in range(1, 9)] == [
        0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 15.0,
    ]  # fmt: skip
    assert delays.after(10**9) == 15.0
    assert STEADY.after(10**9) == 1.0


@pytest.mark.parametrize(("chance", "delay_s"), [(0.0, 5.0), (0.5, 7.5), (1.0, 10.0)])
def test_jitter_only_shortens(chance: float, delay_s: float) -> None:
    assert Delays(10.0, jitter=0.5).after(1, lambda: chance) == delay_s


def test_a_loop_without_a_limit_never_gives_up() -> None:
    clock = Clock()
    backoff = Backoff(STEADY, clock=clock)
    assert backoff.failed() == 1.0
    clock.now += 10**6
    assert backoff.failed() == 1.0


def test_a_loop_gives_up_once_its_time_is_over() -> None:
    clock = Clock()
    backoff = Backoff(STEADY, give_up_after_s=60.0, clock=clock)
    clock.now += 59.0
    assert backoff.failed() == 1.0
    clock.now += 1.0
    assert backoff.failed() is None


def test_a_loop_without_patience_gives_up_at_once() -> None:
    assert Backoff(STEADY, give_up_after_s=0.0).failed() is None


def test_progress_begins_delays_and_time_anew_with_the_next_failure() -> None:
    clock = Clock()
    backoff = Backoff(Delays(1.0), give_up_after_s=60.0, clock=clock)
    assert [backoff.failed(), backoff.failed()] == [1.0, 2.0]
    backoff.reset()
    clock.now += 3_600.0
    assert [backoff.failed(), backoff.failed()] == [1.0, 2.0]
    clock.now += 60.0
    assert backoff.failed() is None


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
