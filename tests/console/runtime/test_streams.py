"""Output whose reader pauses, in processes of their own with real pipes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PIPE_BYTES = 64 * 1024
LIMIT_S = 0.5
"""After how long the watchdog ends a stuck loop here (120 s else)."""

PROGRAM = """
import asyncio, json, sys
from console.runtime import signals, streams, watchdog
from console.runtime.exit import ended_well

async def work(stopping):
    limits = watchdog.WatchdogLimits(stacks_after_s=%(limit)s, end_after_s=%(limit)s, tick_s=0.05)
    with watchdog.watched(limits):
        number = 0
        while not stopping.is_set() and number < %(lines)s:
            for _ in range(50):
                number += 1
                print(json.dumps({"number": number, "rest": "x" * (number * 977 %% 9000)}))
            await streams.drained()
    return 0

streams.wrap()
def command():
    return signals.run(work, stopped_status=%(stopped)s, patient=%(patient)s)
status = ended_well(command, daemon=%(patient)s)
sys.exit(status)
"""


def begun(*, lines: int, patient: bool = True) -> subprocess.Popen[bytes]:
    program = PROGRAM % {
        "limit": LIMIT_S, "lines": lines, "patient": patient, "stopped": 0 if patient else 1,
    }  # fmt: skip
    return subprocess.Popen(  # noqa: S603  ours
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        bufsize=0,  # `read(1)` takes no more than that out of the pipe
    )  # fmt: skip


def numbers(written: bytes) -> list[int]:
    """Return the number of each line; every line must be whole."""
    assert written.endswith(b"\n")
    return [json.loads(line)["number"] for line in written.splitlines()]


def test_o8_a_reader_may_pause_for_longer_than_the_watchdog_waits_and_gets_every_line() -> None:
    """O8: after 120 s there were stacks on stderr, status 1, and a cut line."""
    with begun(lines=400) as process:
        assert process.stdout
        first = process.stdout.read(1)
        time.sleep(6 * LIMIT_S)  # a person in a pager
        out, wrong = process.communicate(timeout=30)
    assert (process.returncode, wrong) == (0, b"")
    assert numbers(first + out) == [*range(1, 401)]


@pytest.mark.parametrize(("patient", "status"), [(True, 0), (False, 1)])
def test_o8_a_signal_ends_it_soon_while_its_reader_pauses_and_leaves_whole_lines(
    *, patient: bool, status: int
) -> None:
    """O8: SIGTERM was held for 103 s."""
    with begun(lines=10**6, patient=patient) as process:
        assert process.stdout
        first = process.stdout.read(1)
        time.sleep(2 * LIMIT_S)
        asked_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == status
        assert time.monotonic() - asked_s < 5
        out, _ = process.communicate(timeout=10)
    seen = numbers(first + out)
    assert seen == [*range(1, len(seen) + 1)]
    assert len(first + out) <= PIPE_BYTES


def test_o8_a_signal_ends_it_soon_while_its_reader_is_slow_and_leaves_whole_lines() -> None:
    """O8: the thread that writes is never without something to write."""
    with begun(lines=10**6) as process:
        assert process.stdout
        seen = process.stdout.read(1)
        process.send_signal(signal.SIGTERM)
        asked_s = time.monotonic()
        while process.poll() is None:
            seen += process.stdout.read(200)
            time.sleep(0.02)
        assert time.monotonic() - asked_s < 5
        out, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert numbers(seen + out)


def test_a_reader_that_has_seen_enough_ends_it_with_status_0() -> None:
    with begun(lines=10**6) as process:
        assert process.stdout
        process.stdout.read(PIPE_BYTES)
        process.stdout.close()
        assert process.wait(10) == 0
        assert process.stderr
        assert process.stderr.read() == b""


def test_what_is_printed_last_is_waited_for_and_a_signal_ends_that_as_well() -> None:
    program = """if True:
        import sys
        from console.runtime import streams
        from console.runtime.exit import ended_well
        streams.wrap()
        sys.exit(ended_well(lambda: print(300 * ("y" * 999 + "\\n")) or 0, daemon=False))
    """
    for end in ("read", "signal"):
        with subprocess.Popen(  # noqa: S603  ours
            [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, bufsize=0
        ) as process:
            assert process.stdout
            first = process.stdout.read(1)
            time.sleep(LIMIT_S)
            assert process.poll() is None
            if end == "signal":
                process.send_signal(signal.SIGTERM)
                assert process.wait(10) == 1
            rest, _ = process.communicate(timeout=10)
            out = first + rest
        assert out.endswith(b"\n")
        assert (len(out) > 200_000) == (end == "read")
        assert process.returncode == (0 if end == "read" else 1)


def test_a_note_that_nobody_reads_holds_up_nothing() -> None:
    program = """if True:
        import os, sys, time
        from console.runtime import streams
        streams.wrap()
        for _ in range(300):
            print("n" * 999, file=sys.stderr)
        print("done")
        time.sleep(0.5)
        os._exit(0)
    """
    reading, writing = os.pipe()
    done = subprocess.run(  # noqa: S603  ours
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=writing,
        timeout=20, check=True,
    )  # fmt: skip
    os.close(writing)
    os.close(reading)
    assert done.stdout == b"done\n"
