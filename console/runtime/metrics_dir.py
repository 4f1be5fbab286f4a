"""The directory in which the processes of `up` share their metrics (multiprocess mode).

Rule 1: a directory of its own for every run: metrics of a run before would be counted again.
Rule 2: the files are mapped into memory, so they get their room on the disk before they are used: a
        page that a full disk has no room for kills whoever writes to it (SIGBUS). A process that
        gets no room keeps its figures to itself.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from console.runtime.output import note
from petstream.errors import NoRoomError, UsageError, is_full
from petstream.settings import private_directory

_FILES: Final = ("counter", "gauge_mostrecent", "histogram")
"""What the client library calls its files, by the kinds of metrics that `petstream.metrics` has."""

_BYTES: Final = 256 * 1024
"""Some four times what a process needs; a larger one would grow without room of its own."""

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Where the client library looks for it, when it is imported."""


@contextmanager
def shared(data_dir: Path) -> Iterator[Path]:
    """Have a fresh directory, named in our environment; those of dead processes are removed."""
    home = data_dir.absolute() / "metrics"
    ours = home / str(os.getpid())
    try:
        private_directory(home)
        for left in home.iterdir():
            if left.name.isdecimal() and (left == ours or not _alive(int(left.name))):
                shutil.rmtree(left, ignore_errors=True)
        ours.mkdir()
    except OSError as error:
        if is_full(error):
            raise NoRoomError(
                f"PETSTREAM_DATA_DIR: there is no room left in {data_dir}: make some there"
            ) from error
        raise UsageError(
            f"nothing can be kept in {data_dir} ({error.strerror}): "
            "set PETSTREAM_DATA_DIR to a directory of yours, for example ./.petstream"
        ) from error
    os.environ[VARIABLE] = str(ours)
    join()
    try:
        yield ours
    finally:
        shutil.rmtree(ours, ignore_errors=True)


def join() -> None:
    """Take part in sharing, if anybody does: before the client library is imported (rule 2)."""
    directory = os.environ.get(VARIABLE)
    if directory is None:
        return
    files = [Path(directory) / f"{kind}_{os.getpid()}.db" for kind in _FILES]
    try:
        for path in files:
            with path.open("ab") as file:
                os.posix_fallocate(file.fileno(), 0, _BYTES)
    except OSError as error:
        for path in files:
            path.unlink(missing_ok=True)
        del os.environ[VARIABLE]
        note(
            f"petstream: no room for metrics in {directory} ({error.strerror}): this process's "
            "figures are missing from /metrics until it is started again"
        )


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
