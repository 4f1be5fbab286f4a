"""How a command ends: its exit status, and what is printed."""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable
from typing import NoReturn

import pytest

from console.runtime.exit import ended_well
from petstream.errors import (
    NotReadyError,
    PetstreamError,
    UnreachableError,
    UsageError,
)


def failing(error: BaseException) -> Callable[[], NoReturn]:
    def command() -> NoReturn:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PetstreamError("it failed"), 1),
        (UsageError("it failed"), 2),
        (NotReadyError("it failed"), 3),
        (UnreachableError("it failed"), 1),
        (ExceptionGroup("parts", [ExceptionGroup("inner", [NotReadyError("it failed")])]), 3),
    ],
)
def test_an_error_is_one_line_and_its_exit_status(
    error: BaseException, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended_well(failing(error), daemon=False) == status
    assert capsys.readouterr().err == "petstream: it failed\n"


def test_an_interrupted_daemon_ends_with_0_and_any_other_command_with_1() -> None:
    assert ended_well(failing(KeyboardInterrupt()), daemon=True) == 0
    assert ended_well(failing(KeyboardInterrupt()), daemon=False) == 1


@pytest.mark.parametrize("which", ["one test", "the next test"])
def test_ctrl_c_of_the_tests_isnt_taken_by_a_command_that_ran_in_one(which: str) -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, which
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert ended_well(lambda: 0, daemon=False) == 0


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_no_bug(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    error = OSError(number, "no room", "/data/kafka/server.properties")
    assert ended_well(failing(error), daemon=True) == 1
    assert capsys.readouterr().err == (
        "petstream: a disk is full (/data/kafka/server.properties): make room there; nothing was "
        "lost, and running it again is harmless\n"
    )
    assert ended_well(failing(OSError(errno.EIO, "broken")), daemon=True) == 1
    assert "bug" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_o9_a_directory_that_cannot_be_written_is_named_and_no_bug(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """O9: as a container's root file system is."""
    error = OSError(number, "no way", "/somewhere/archive")
    assert ended_well(failing(error), daemon=True) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "/somewhere/archive can't be used (no way)" in line
    assert "PETSTREAM_DATA_DIR" in line


def test_o9_no_place_for_temporary_files_is_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    """O9: `tempfile` says so where nothing of what it tries can be written."""
    error = FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")
    assert ended_well(failing(error), daemon=False) == 2
    assert "set TMPDIR" in capsys.readouterr().err


def test_a_bug_is_told_without_a_traceback_and_without_its_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended_well(failing(ValueError("ftp://apikey-x:secret@host")), daemon=False) == 1
    printed = capsys.readouterr().err
    assert "ValueError at test_exit.py" in printed
    assert "secret" not in printed
    assert "Traceback" not in printed
