"""The children of a process, and theirs, as the operating system lists them (Linux)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def children(pid: int) -> Iterator[int]:
    """Return the pids of a process's living children."""
    try:
        tasks = [*Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return  # it has just ended
    for task in tasks:
        try:
            pids = (task / "children").read_text("ascii").split()
        except OSError:
            continue  # that thread has just ended
        yield from map(int, pids)


def descendants(pid: int) -> Iterator[int]:
    """Return the pids of its living children, and of theirs."""
    for child in children(pid):
        yield child
        yield from descendants(child)
