"""A small disk for the data directory, that can be filled up: a file system in memory.

Rule 1: only root may mount one; where that can't be, a full disk isn't tried, and that is said.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

SIZE_MIB: Final = 1_500
_PIECE_BYTES: Final = 64 * 1024


@contextmanager
def small_disk(where: Path, size_mib: int = SIZE_MIB) -> Iterator[bool]:
    """Have a small disk at a directory meanwhile; gives whether there is one."""
    mounted = os.geteuid() == 0 and not _run(
        "mount", "-t", "tmpfs", "-o", f"size={size_mib}m,mode=0755", "tmpfs", str(where)
    )
    try:
        yield mounted
    finally:
        if mounted:
            _run("umount", "--lazy", str(where))


def fill(disk: Path) -> None:
    """Take what room there is on a disk, to the last byte or so."""
    for piece_bytes in (_PIECE_BYTES, 512):
        with suppress(OSError), _filler(disk).open("ab", buffering=0) as file:
            while file.write(bytes(piece_bytes)):
                pass


def make_room(disk: Path) -> None:
    """Give back what `fill` took."""
    _filler(disk).unlink(missing_ok=True)


def _filler(disk: Path) -> Path:
    return disk / "filler"


def _run(*command: str) -> int:
    return subprocess.run(command, check=False, capture_output=True).returncode  # noqa: S603  ours
