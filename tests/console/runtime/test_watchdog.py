"""A loop that doesn't turn, in processes of its own (T51)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = """
import asyncio, itertools, re, sys, time, types
from console.runtime import watchdog

async def main():
    limits = watchdog.WatchdogLimits(stacks_after_s=%(stacks)s, end_after_s=%(end)s, tick_s=0.1)
    with watchdog.watched(limits):
        print("begun", flush=True)
        await asyncio.sleep(0.3)
        await culprit()

async def culprit():
    %(culprit)s

asyncio.run(main())
"""
WILD = "re.match(r'(a|aa)+$', 'a' * 60 + 'b')"
"""An expression that would take years, and never lets another thread run."""


def run(culprit: str, *, stacks: float = 0.5, end: float = 600.0) -> tuple[int, str]:
    """Return how a process ended, and what it wrote to stderr."""
    program = PROGRAM % {"culprit": culprit, "stacks": stacks, "end": end}
    done = subprocess.run(  # noqa: S603  ours
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_t51_a_stuck_loop_writes_its_stacks_once_an_incident_and_goes_on_if_it_can() -> None:
    """T51: stacks written."""
    culprit = "[(time.sleep(1.2), await asyncio.sleep(0.4)) for _ in range(2)]"
    status, written = run(culprit)
    assert status == 0
    assert written.count("where each thread is:") == 2
    assert written.count("the event loop turns again") == 2
    assert "in culprit" in written


def test_t51_a_loop_that_stays_stuck_ends_the_process_with_status_1() -> None:
    """T51: no zombie."""
    status, written = run("time.sleep(600)", end=1.5)
    assert status == 1
    assert "in culprit" in written
    assert written.rstrip().endswith("this process ends")


def test_t51_code_that_keeps_the_interpreter_to_itself_is_found_out_too() -> None:
    """T51: a regular expression gone wild lets no other thread run."""
    status, written = run(WILD, end=1.5)
    assert status == -signal.SIGVTALRM
    assert "in culprit" in written


def test_a_process_that_was_stopped_itself_isnt_stuck() -> None:
    program = PROGRAM % {"culprit": "await asyncio.sleep(2)", "stacks": 1, "end": 1.2}
    process = subprocess.Popen(  # noqa: S603  ours
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "begun\n"
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(1.5)
    os.kill(process.pid, signal.SIGCONT)
    _, written = process.communicate(timeout=60)
    assert (process.returncode, written) == (0, "")


def test_time_in_which_the_watching_thread_stood_still_doesnt_count() -> None:
    asleep = "watchdog.time = types.SimpleNamespace(monotonic=itertools.count(0, 100).__next__)"
    culprit = f"{asleep}; time.sleep(0.5); await asyncio.sleep(0.3)"
    assert run(culprit, stacks=2.0, end=3.0) == (0, "")


def test_a_loop_that_turns_is_left_alone() -> None:
    busy = "[await asyncio.sleep(0) for _ in range(50_000)]"
    assert run(busy, stacks=5.0) == (0, "")
