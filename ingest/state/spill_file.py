"""Values kept in a file while a run needs them: those of 64,000 pets would fill the memory.

Rule 1: a file without a name holds nothing that isn't in the topics: it ends with the process.
Rule 2: one with a name belongs to a checkpoint of the ledgers (`ingest.state.checkpoint`), and is
        only ever added to; a value that isn't at its place as it was put there is damage.
Rule 3: nothing is compressed: most files end before the disk has seen them.
"""

from __future__ import annotations

import os
import tempfile
from io import FileIO
from pathlib import Path
from struct import Struct
from typing import Final

import xxhash

from petstream.errors import NoRoomError, PetstreamError, is_full
from petstream.settings import private_directory

_BLOCK_BYTES: Final = 1024 * 1024
_READ_BYTES: Final = 8 * 1024
_HEAD: Final = Struct("<IQ")  # length of the value, and its check sum, seeded with its position


class DamagedValuesError(PetstreamError):
    """A value isn't in its file as it was put there."""


class SpillFile:
    """A store of values in a file."""

    def __init__(
        self, directory: Path, file: FileIO | None = None, *, written: int = 0, count: int = 0
    ) -> None:
        """Use a file, or make one without a name.

        Args:
            directory: where it lies.
            file: opened for reading and writing; None: one without a name is made.
            written: its length in bytes: what was put into it before.
            count: how many values those are.

        Raises:
            NoRoomError: the disk is full.
            PetstreamError: it can't be written there.
        """
        self._directory = directory
        try:
            if file is None:
                private_directory(directory, ours=False)
                file = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115  as long as we live
            file.seek(written)
        except OSError as error:
            raise self._unwritable(error) from error
        self._file = file
        self._unwritten = bytearray()
        self._written = written
        self.count = count
        """How many values were put into it."""

    def put(self, value: bytes) -> int:
        """Keep a value, and return its position."""
        position = self._written + len(self._unwritten)
        self._unwritten += _HEAD.pack(len(value), xxhash.xxh3_64_intdigest(value, position))
        self._unwritten += value
        self.count += 1
        if len(self._unwritten) >= _BLOCK_BYTES:
            self._write()
        return position

    def get(self, position: int) -> bytes:
        """Return the value of a position.

        Raises:
            DamagedValuesError: it isn't there any more as it was put there.
        """
        if position >= self._written:
            self._write()
        block = os.pread(self._file.fileno(), _READ_BYTES, position)
        if len(block) >= _HEAD.size:
            length, check_sum = _HEAD.unpack_from(block)
            end = _HEAD.size + length
            if len(block) < end <= self._written - position:
                block += os.pread(self._file.fileno(), end - len(block), position + len(block))
            value = block[_HEAD.size : end]
            if len(value) == length and xxhash.xxh3_64_intdigest(value, position) == check_sum:
                return value
        raise DamagedValuesError(
            f"what is kept of the topics in {self._directory} is damaged: it is thrown away, and "
            "nothing is lost; run this again"
        )

    def flush(self) -> int:
        """Write all that was put; return the file's length in bytes."""
        self._write()
        return self._written

    def close(self) -> None:
        """Nothing can be read any more; without a name, its disk space is free."""
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
