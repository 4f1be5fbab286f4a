"""A server that takes its time to answer is waited for, as long as it is there."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from console.embedded.process import READY_S, becomes_ready, spawn


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.now_s = 0.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Let it pass."""
        self.now_s += seconds


@pytest.fixture
def server(tmp_path: Path) -> Iterator[int]:
    """A process that is recorded as Kafka."""
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    process = spawn(tmp_path, "kafka", command, port=1)
    yield process.pid
    end(process.pid)


def end(pid: int) -> None:
    """Kill it, if it is there, and wait until it isn't."""
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.mark.usefixtures("server")
def test_a_server_that_reads_its_log_for_minutes_is_waited_for_and_that_is_said_once(
    tmp_path: Path,
) -> None:
    clock, said = Clock(), list[str]()
    is_ready = becomes_ready(
        tmp_path, "kafka", lambda: clock.now_s > 300, say=said.append,
        monotonic=clock.monotonic, sleep=clock.sleep,
    )  # fmt: skip
    assert is_ready
    (line,) = said
    assert "takes long to answer" in line
    assert "up to 10 min" in line


@pytest.mark.usefixtures("server")
def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    clock = Clock()
    assert not becomes_ready(
        tmp_path, "kafka", lambda: False, say=lambda _line: None,
        monotonic=clock.monotonic, sleep=clock.sleep,
    )  # fmt: skip
    assert READY_S < clock.now_s < READY_S + 1


def test_a_server_that_has_ended_is_not_waited_for(tmp_path: Path, server: int) -> None:
    end(server)
    clock, said = Clock(), list[str]()
    assert not becomes_ready(
        tmp_path, "kafka", lambda: False, say=said.append,
        monotonic=clock.monotonic, sleep=clock.sleep,
    )  # fmt: skip
    assert clock.now_s == 0
    assert said == []


@pytest.mark.usefixtures("server")
def test_one_that_answers_at_once_is_not_said_to_be_slow(tmp_path: Path) -> None:
    said = list[str]()
    assert becomes_ready(tmp_path, "kafka", lambda: True, say=said.append)
    assert said == []
