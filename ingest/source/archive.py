"""The raw files of the last days, unzipped, compressed with zstd, and named without the API key.

Rule 1: a file appears under its name only when it is whole and on the disk (part, fsync, rename).
Rule 2: the check sum stands beside it, and is verified when it is read again (``xxhsum -H2``,
        of the unzipped bytes: against damage, not against forgers).
Rule 3: a full disk says so once; the reading goes on without an archive.
Rule 4: what was written is read back from the file, and compared, before it appears: a file that
        stands there can be read.
Rule 5: packing and writing go on in another thread while the next bytes are read: one piece at a
        time, so that a slow disk stops the reading.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import aiofiles
import xxhash
import zstandard

from petstream import failpoints
from petstream.errors import BrokenFileError, PetstreamError
from petstream.settings import private_directory

SPARE_BYTES: Final = 256 * 1024 * 1024
"""Free space that is left to the others on the disk."""

_LEVEL: Final = 1
_READ_BYTES: Final = 1024 * 1024
_WRITTEN_AFTER_BYTES: Final = 1024 * 1024  # every write goes through another thread
_EXPORT_DIRECTORY: Final = re.compile(r"\d{4}-\d\d-\d\dT[0-9-]+Z(\.\d+)?", re.ASCII)
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO}


class ArchiveError(PetstreamError):
    """The archive can't keep a file."""


class ArchiveFullError(ArchiveError):
    """There is no room for the archive."""


class ArchiveDamagedError(ArchiveError):
    """What was written isn't what is read back."""


class Archive:
    """A directory of exports."""

    def __init__(self, directory: Path) -> None:
        """Keep exports in a directory, which is made when the first file comes."""
        self._directory = directory

    async def open(self, export_id: str, name: str) -> ArchiveWriter:
        """Begin a file of an export under its logical name.

        Raises:
            ArchiveFullError: the disk has less than 256 MiB free, or can't be written.
        """
        path = self._path(export_id, name)
        try:
            await asyncio.to_thread(private_directory, self._directory)
            await asyncio.to_thread(path.parent.mkdir, exist_ok=True)
            if (await asyncio.to_thread(shutil.disk_usage, path.parent)).free < SPARE_BYTES:
                raise _full(self._directory)
            part = path.with_name(f"{path.name}.part")
            return ArchiveWriter(path, part, await asyncio.to_thread(part.open, "wb"))
        except OSError as error:
            raise _full(self._directory) from error

    async def read(self, export_id: str, name: str) -> AsyncGenerator[bytes, None]:
        """Return the bytes of a file as they were read from the feed.

        Raises:
            BrokenFileError: the file isn't there, or isn't what was written.
        """
        path = self._path(export_id, name)
        digest = xxhash.xxh3_128()
        try:
            async with aiofiles.open(f"{path}.xxh128") as file:
                wanted = (await file.read()).strip()
            with await asyncio.to_thread(path.open, "rb") as packed:
                inflate = _inflating(packed)
                while data := await asyncio.to_thread(inflate.read, _READ_BYTES):
                    digest.update(data)
                    yield data
        except (OSError, UnicodeDecodeError, zstandard.ZstdError) as error:
            raise BrokenFileError(
                f"{name} of {export_id} can't be read from the archive"
            ) from error
        if digest.hexdigest() != wanted:
            raise BrokenFileError(f"{name} of {export_id} is damaged in the archive")

    async def exports(self) -> list[str]:
        """Return the exports that are kept, oldest first."""

        def names() -> list[str]:
            if not self._directory.is_dir():
                return []
            kept = (path.name for path in self._directory.iterdir() if path.is_dir())
            return sorted(name for name in kept if _EXPORT_DIRECTORY.fullmatch(name))

        return [_export_id(name) for name in await asyncio.to_thread(names)]

    async def prune(self, keep_days: int, now: datetime) -> list[str]:
        """Delete exports that started more than `keep_days` days ago; return their ids."""
        oldest = (now - timedelta(days=keep_days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        gone = [export_id for export_id in await self.exports() if export_id < oldest]
        for export_id in gone:
            await asyncio.to_thread(shutil.rmtree, self._directory / _directory_name(export_id))
        return gone

    def _path(self, export_id: str, name: str) -> Path:
        if "/" in name or "/" in export_id or name.startswith("."):
            raise ValueError("not a logical name")
        return self._directory / _directory_name(export_id) / f"{name}.zst"


class ArchiveWriter:
    """One file being written; ends with `commit` or `abort`."""

    def __init__(self, path: Path, part: Path, file: BinaryIO) -> None:
        """Write to `part`; `commit` makes it `path`."""
        self._path, self._part, self._file = path, part, file
        self._deflate = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
        self._digest = xxhash.xxh3_128()
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._work: asyncio.Future[None] | None = None

    async def write(self, data: bytes) -> None:
        """Take some bytes; raises `ArchiveFullError` where the disk is full, maybe a piece late."""
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= _WRITTEN_AFTER_BYTES:
            await self._then(partial(self._pack, self._taken()))

    async def commit(self) -> None:
        """Make the file appear, whole, once it was read back.

        Raises:
            ArchiveFullError: the disk is full.
            ArchiveDamagedError: what is read back isn't what was written.
        """
        await self._then(partial(self._finish, self._taken()))
        await self._done()

    async def abort(self) -> None:
        """Forget the file."""
        with suppress(ArchiveError):
            await self._done()
        await asyncio.to_thread(self._discard)

    async def _then(self, work: Callable[[], None]) -> None:
        """Begin some work in another thread, as soon as that before it is done (rule 5)."""
        await self._done()
        self._work = asyncio.get_running_loop().run_in_executor(None, work)

    async def _done(self) -> None:
        """Wait for the work that was begun, and raise what came of it.

        (A cancellation ends the waiting only: a thread can't be stopped.)
        """
        if self._work is None:
            return
        await asyncio.wait([self._work])
        work, self._work = self._work, None
        try:
            work.result()
        except OSError as error:
            raise _full(self._path.parent.parent) from error

    def _taken(self) -> list[bytes]:
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        return waiting

    def _pack(self, chunks: list[bytes]) -> None:
        """Write what the compressor gives back: it does so when it has enough for a block."""
        for chunk in chunks:
            self._digest.update(chunk)
            self._file.write(self._deflate.compress(chunk))

    def _finish(self, chunks: list[bytes]) -> None:
        self._pack(chunks)
        self._file.write(self._deflate.flush())
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if not _holds(self._part, self._digest.digest()):
            raise ArchiveDamagedError(
                f"the archive in {self._path.parent.parent} doesn't give back what was "
                "written there: check its disk, or set PETSTREAM_ARCHIVE_DAYS=0"
            )
        self._rename()

    def _discard(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            if error.errno not in _FULL:
                raise
        self._part.unlink(missing_ok=True)

    def _rename(self) -> None:
        check_sum = Path(f"{self._path}.xxh128")
        with check_sum.open("w", encoding="ascii") as file:
            file.write(self._digest.hexdigest() + "\n")
            file.flush()
            os.fsync(file.fileno())
        failpoints.point("ingest.archive.rename.before")
        self._part.replace(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        failpoints.point("ingest.archive.rename.after")


def _inflating(packed: BinaryIO) -> zstandard.ZstdDecompressionReader:
    """Return what a file of any zstd frames holds, to be read in pieces of any size."""
    return zstandard.ZstdDecompressor().stream_reader(
        packed, read_size=_READ_BYTES, read_across_frames=True, closefd=False
    )


def _holds(path: Path, digest: bytes) -> bool:
    """Tell whether a packed file gives back the bytes of a digest."""
    read_back = xxhash.xxh3_128()
    with path.open("rb") as packed:
        try:
            for data in iter(partial(_inflating(packed).read, _READ_BYTES), b""):
                read_back.update(data)
        except zstandard.ZstdError:
            return False
    return read_back.digest() == digest


def _full(directory: Path) -> ArchiveFullError:
    return ArchiveFullError(
        f"the archive in {directory} can't be written: make room there, or set "
        "PETSTREAM_ARCHIVE_DAYS=0"
    )


def _directory_name(export_id: str) -> str:
    return export_id.replace(":", "-")


def _export_id(name: str) -> str:
    day, _, time = name.partition("T")
    return f"{day}T{time.replace('-', ':')}"
