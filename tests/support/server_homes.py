"""Where a test's embedded servers keep their data: stopped and put away at the end.

Rule 1: a run that is killed can't do that: the next one does. A file says where the servers were;
        whoever started them holds its lock, and the system lets go of it when they are gone.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from petstream.settings import private_directory


@contextmanager
def put_away(directory: Path) -> Iterator[Path]:
    """Stop the servers of a data directory in the end, and remove what lies outside of it."""
    from console.embedded import servers  # noqa: PLC0415  every run of the tests imports this module

    private_directory(_notes())
    note = _notes() / secrets.token_hex(8)
    with note.open("w", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write(str(directory.resolve()))
        held.flush()
        try:
            yield directory
        finally:
            servers.put_away(directory)
            note.unlink(missing_ok=True)


def put_away_abandoned() -> list[Path]:
    """Do so for the servers of whoever was killed; return their data directories."""
    notes, homes = _notes(), list[Path]()
    if not notes.is_dir() or notes.is_symlink() or notes.stat().st_uid != os.getuid():
        return []  # nobody else may say whom we stop
    from console.embedded import servers  # noqa: PLC0415  as above

    for note in sorted(notes.iterdir()):
        with suppress(FileNotFoundError, BlockingIOError), note.open(encoding="utf-8") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if directory := held.read():  # else it is being written just now
                servers.put_away(Path(directory))
                homes.append(Path(directory))
                note.unlink()
    return homes


def _notes() -> Path:
    return Path(tempfile.gettempdir()) / f"petstream-tests-{os.getuid()}"
