"""Values kept in a file while a run needs them: those of 64,000 pets would fill the memory.

Rule 1: the file has no name and holds nothing that isn't in the topics: it ends with the process.
Rule 2: nothing is compressed: most files end before the disk has seen them.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from petstream.errors import NoRoomError, PetstreamError, is_full
from petstream.settings import private_directory

_BLOCK_BYTES: Final = 1024 * 1024
_LENGTH_BYTES: Final = 4
_READ_BYTES: Final = 8 * 1024


class SpillFile:
    """A store of values in a file without a name."""

    def __init__(self, directory: Path) -> None:
        """Make the file in a directory.

        Raises:
            NoRoomError: the disk is full.
            PetstreamError: it can't be written there.
        """
        self._directory = directory
        try:
            private_directory(directory, ours=False)
            self._file = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115  as long as we live
        except OSError as error:
            raise self._unwritable(error) from error
        self._unwritten = bytearray()
        self._written = 0

    def put(self, value: bytes) -> int:
        """Keep a value, and return its position."""
        position = self._written + len(self._unwritten)
        self._unwritten += len(value).to_bytes(_LENGTH_BYTES, "little")
        self._unwritten += value
        if len(self._unwritten) >= _BLOCK_BYTES:
            self._write()
        return position

    def get(self, position: int) -> bytes:
        """Return the value of a position."""
        if position >= self._written:
            self._write()
        block = os.pread(self._file.fileno(), _READ_BYTES, position)
        end = _LENGTH_BYTES + int.from_bytes(block[:_LENGTH_BYTES], "little")
        if len(block) < end:
            block += os.pread(self._file.fileno(), end - len(block), position + len(block))
        return block[_LENGTH_BYTES:end]

    def close(self) -> None:
        """Free the disk space; nothing can be read any more."""
        self._file.close()

    def _write(self) -> None:
        try:
            while self._unwritten:
                size = self._file.write(self._unwritten) or 0
                self._written += size
                del self._unwritten[:size]
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> PetstreamError:
        kind = NoRoomError if is_full(error) else PetstreamError
        return kind(
            f"PETSTREAM_DATA_DIR: {self._directory} can't be written ({error.strerror}): make room "
            "there (some 8 KB a pet while an export is read), or name another directory"
        )
