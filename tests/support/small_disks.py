"""A disk that is soon full: mounted for a test, where that may be done."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(where: Path, size_kib: int, *options: str) -> Iterator[Path]:
    """Have a file system of this size in memory at a directory; skip the test where none may be."""
    where.mkdir()
    chosen = ",".join([f"size={size_kib}k", *options])
    mount = ["mount", "-t", "tmpfs", "-o", chosen, "tmpfs", str(where)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False).returncode != 0:  # noqa: S603  ours
        pytest.skip("only root may mount a small disk")
    try:
        yield where
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True)  # noqa: S603, S607  ours
