"""The directory in which the processes of `up` share their metrics (multiprocess mode).

Rule 1: a directory of its own for every run: metrics of a run before would be counted again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from petstream.errors import UsageError

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Where the client library looks for it, when it is imported."""


@contextmanager
def shared(data_dir: Path) -> Iterator[Path]:
    """Have a fresh directory, named in our environment; those of dead processes are removed."""
    home = data_dir.absolute() / "metrics"
    ours = home / str(os.getpid())
    try:
        home.mkdir(parents=True, exist_ok=True)
        for left in home.iterdir():
            if left.name.isdecimal() and (left == ours or not _alive(int(left.name))):
                shutil.rmtree(left, ignore_errors=True)
        ours.mkdir()
    except OSError as error:
        raise UsageError(
            f"nothing can be kept in {data_dir} ({error.strerror}): "
            "set PETSTREAM_DATA_DIR to a directory of yours, for example ./.petstream"
        ) from error
    os.environ[VARIABLE] = str(ours)
    try:
        yield ours
    finally:
        shutil.rmtree(ours, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
