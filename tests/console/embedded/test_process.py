"""A server that takes its time is waited for; and none is begun where others may write."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from console.embedded.process import READY_S, becomes_ready, locked, spawn
from petstream.errors import UsageError


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


@pytest.mark.parametrize(
    ("mode", "owner"),
    [(0o777, None), (0o1777, None), (0o703, None), (0o700, 65_534), (0o755, 65_534)],
    ids=["all write", "a shared /tmp", "others write", "a stranger's", "a stranger's, open"],
)
def test_s9_no_server_is_begun_where_others_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, owner: int | None
) -> None:
    """S9: a planted record of a process says whom to kill; a planted link, what to overwrite."""
    data, ours = tmp_path / "data", tmp_path / "ours"
    data.mkdir()
    ours.write_text("precious")
    (data / "kafka.lock").symlink_to(ours)
    data.chmod(mode)
    if owner is not None:
        if os.geteuid() == 0:
            os.chown(data, owner, owner)
        monkeypatch.setattr(os, "geteuid", lambda: 1_234)
    with (
        pytest.raises(UsageError, match="other users may put their files") as caught,
        locked(data, "kafka"),
    ):
        pytest.fail("it went on")
    assert ours.read_text() == "precious"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o770, 0o2770])
def test_a_directory_of_ours_may_be_read_or_shared_with_a_group(tmp_path: Path, mode: int) -> None:
    """Of a group whoever made it decides; doctor says it."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(mode)
    with locked(tmp_path / "data", "kafka"):
        pass
    assert (tmp_path / "data" / "kafka.lock").exists()
