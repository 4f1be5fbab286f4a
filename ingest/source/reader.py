"""One file of an export, from its bytes to framed rows, with the bytes kept in the archive.

Rule 1: no file is ever whole in memory: bytes, unzipped bytes and rows stream through.
Rule 2: the archive is a comfort, not a duty: a full disk ends it, and reading goes on.
Rule 3: a file that changed under us isn't mended here: the run begins again with a new listing.
Rule 4: an archived file is read back while the next one is read; `settled` waits for the last.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Final

from ingest.parse.rows import BadRow, Row, RowFramer
from ingest.source.archive import Archive, ArchiveError, ArchiveWriter
from ingest.source.download import stream
from ingest.source.listing import Part
from ingest.source.unzip import unzipped
from petstream.errors import BrokenFileError
from petstream.settings import FtpUrl

MOST_OUTPUT_BYTES: Final = 4 * 1024**3
"""A file of 10,000 rows is 80 MB; fifty times that is no export."""

MOST_RATIO: Final = 200
"""Real ones shrink 6 to 10 times."""


Rows = Sequence[Row | BadRow]

Source = Callable[[Part], AsyncGenerator[bytes, None]]
"""Gives the bytes of a part, unzipped."""

ReportBytes = Callable[[int, int], None]
"""Takes how many bytes of an export are read so far, and how many there are in all."""


class ByteMeter:
    """How far the files of an export are read, in bytes as they lie there."""

    def __init__(self, total_bytes: int, report: ReportBytes) -> None:
        """Begin before the first of so many bytes."""
        self._total_bytes, self._report = total_bytes, report
        self._read_bytes = 0

    async def counted(self, chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """Pass chunks on, and report how far all is by now."""
        async with aclosing(chunks):
            async for chunk in chunks:
                self._read_bytes += len(chunk)
                # a family that was read as well, or again, was counted in no total
                self._report(self._read_bytes, max(self._total_bytes, self._read_bytes))
                yield chunk


def from_ftp(ftp: FtpUrl, meter: ByteMeter | None = None) -> Source:
    """Return the source that the feed is; `meter` counts what comes from there."""

    async def read(part: Part) -> AsyncGenerator[bytes, None]:
        raw = stream(ftp, part.remote)
        raw = raw if meter is None else meter.counted(raw)
        limited = unzipped(raw, max_output_bytes=MOST_OUTPUT_BYTES, max_ratio=MOST_RATIO)
        async with aclosing(raw), aclosing(limited) as chunks:
            async for chunk in chunks:
                yield chunk

    return read


class Reader:
    """Reads the files of one export; keeps them in the archive as long as that has room.

    Close it (`aclosing`): else the last file may not be kept.
    """

    def __init__(
        self, source: Source, archive: Archive | None, export_id: str, warn: Callable[[str], None]
    ) -> None:
        """Read from `source`; keep in `archive` under `export_id`, if there is one."""
        self._source = source
        self._archive = archive
        self._export_id = export_id
        self._warn = warn
        self.odd: Counter[str] = Counter()
        """How many files began oddly, by what is odd."""
        self._finishing: asyncio.Task[None] | None = None

    async def rows(self, part: Part) -> AsyncGenerator[Rows, None]:
        """Return the rows of a part as they arrive.

        Raises:
            BrokenFileError: the file is cut, or its zip is broken.
            FileChangedError: it was written anew under us: the listing is out of date.
        """
        framer = RowFramer()
        async with aclosing(self._bytes(part)) as chunks:
            async for chunk in chunks:
                rows = framer.feed(chunk)
                if rows:
                    yield rows
        rows = framer.finish()
        self.odd.update(framer.odd)
        if framer.cut_last:
            raise BrokenFileError(
                f"{part.name} is cut: its last row (row {framer.rows}) isn't whole"
            )
        if framer.goes_on:
            raise BrokenFileError(
                f"{part.name} is broken: something stands behind the end of its array (which ends "
                f"with row {framer.rows}), so its brackets don't match"
            )
        if rows:
            yield rows

    async def whole(self, part: Part, *, most_bytes: int) -> bytes:
        """Return a small file (the petlist) whole."""
        kept = bytearray()
        async with aclosing(self._bytes(part)) as chunks:
            async for chunk in chunks:
                kept += chunk
                if len(kept) > most_bytes:
                    raise BrokenFileError(f"{part.name} is larger than {most_bytes:,} bytes")
        return bytes(kept)

    async def settled(self) -> None:
        """Return when every file that was read is in the archive, or was given up."""
        finishing, self._finishing = self._finishing, None
        if finishing is not None:
            await finishing

    async def aclose(self) -> None:
        """End what is still written to the archive: another reader may begin the same files."""
        await self.settled()

    async def _bytes(self, part: Part) -> AsyncGenerator[bytes, None]:
        writer = await self._writer(part)
        try:
            async with aclosing(self._source(part)) as chunks:
                async for chunk in chunks:
                    if writer is not None:
                        writer = await self._keep(writer, chunk)
                    yield chunk
        except BrokenFileError as error:
            raise BrokenFileError(f"{part.name} is broken: {error}") from error
        else:
            if writer is not None:
                await self.settled()
                kept, writer = writer, None
                self._finishing = asyncio.create_task(self._finish(kept))
        finally:
            if writer is not None:
                await writer.abort()

    async def _writer(self, part: Part) -> ArchiveWriter | None:
        if self._archive is None:
            return None
        try:
            return await self._archive.open(self._export_id, part.name)
        except ArchiveError as error:
            self._give_up(error)
            return None

    async def _keep(self, writer: ArchiveWriter, chunk: bytes) -> ArchiveWriter | None:
        try:
            await writer.write(chunk)
        except ArchiveError as error:
            await writer.abort()
            self._give_up(error)
            return None
        return writer

    async def _finish(self, writer: ArchiveWriter) -> None:
        try:
            await writer.commit()
        except ArchiveError as error:
            await writer.abort()
            self._give_up(error)

    def _give_up(self, error: ArchiveError) -> None:
        if self._archive is not None:  # of the next file it may have been said already
            self._archive = None
            self._warn(f"{error}; reading goes on without the archive")
