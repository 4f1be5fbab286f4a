"""Values put away in a file for as long as a run needs them: 64,000 pets would fill the memory.

Rule 1: the file has no name and holds nothing that isn't in the topics: it ends with the process.
Rule 2: nothing is compressed: most files end before the disk has seen them.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from petstream.errors import PetstreamError

_WRITTEN_AT_ONCE_BYTES: Final = 1024 * 1024
_LENGTH_BYTES: Final = 4
_READ_BYTES: Final = 8 * 1024


class FileShelf:
    """A shelf in a file without a name."""

    def __init__(self, directory: Path) -> None:
        """Make the file in a directory.

        Raises:
            PetstreamError: it can't be written there.
        """
        self._directory = directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115  as long as we live
        except OSError as error:
            raise self._unwritable(error) from error
        self._fresh = bytearray()
        self._written = 0

    def put(self, value: bytes) -> int:
        """Put a value away, and return its place."""
        place = self._written + len(self._fresh)
        self._fresh += len(value).to_bytes(_LENGTH_BYTES, "little")
        self._fresh += value
        if len(self._fresh) >= _WRITTEN_AT_ONCE_BYTES:
            self._write()
        return place

    def get(self, place: int) -> bytes:
        """Return the value of a place."""
        if place >= self._written:
            self._write()
        found = os.pread(self._file.fileno(), _READ_BYTES, place)
        end = _LENGTH_BYTES + int.from_bytes(found[:_LENGTH_BYTES], "little")
        if len(found) < end:
            found += os.pread(self._file.fileno(), end - len(found), place + len(found))
        return found[_LENGTH_BYTES:end]

    def close(self) -> None:
        """Give the room back: nothing is read from here any more."""
        self._file.close()

    def _write(self) -> None:
        try:
            while self._fresh:
                done = self._file.write(self._fresh) or 0
                self._written += done
                del self._fresh[:done]
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> PetstreamError:
        return PetstreamError(
            f"PETSTREAM_DATA_DIR: {self._directory} can't be written ({error.strerror}): make room "
            "there (some 8 KB a pet while an export is read), or name another directory"
        )
