"""Signals to a command that runs."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from console.runtime import signals


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_what_doesnt_look_at_the_event(which: signal.Signals) -> None:
    async def work(_stopping: asyncio.Event) -> int:
        os.kill(os.getpid(), which)
        await asyncio.sleep(60)
        return 0

    assert signals.run(work, stopped_status=1) == 1


def test_a_patient_command_ends_by_itself_and_a_second_signal_cancels_it() -> None:
    seen = []

    async def gentle(stopping: asyncio.Event) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        await stopping.wait()
        seen.append("finished the batch")
        return 5

    async def stubborn(stopping: asyncio.Event) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        await stopping.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)
        return 5

    assert signals.run(gentle, stopped_status=0, patient=True) == 0
    assert seen == ["finished the batch"]
    assert signals.run(stubborn, stopped_status=0, patient=True) == 0
