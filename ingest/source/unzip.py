"""Zip or plain, decided by content: the bytes of the one file in a zip, as they stream through.

Rule 1: a name inside a zip is recognised or not, and never becomes a path; a folder before it is
        passed over, unless it climbs or begins at the root: no writer of an export does that.
Rule 2: what comes out is bounded, absolutely and as a ratio: a bomb is a broken file.
Rule 3: the check sum comes last: whoever reads must not call the file whole before the end.
Rule 4: a zip is read to its last byte, which must close it: one cut in its directory is cut.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable
from typing import Final

from ingest.source.listing import base_name, is_logical
from petstream.errors import BrokenFileError

_MAGIC: Final = b"PK\x03\x04"
_EMPTY_MAGIC: Final = b"PK\x05\x06"
_RATIO_COUNTS_FROM_BYTES: Final = 1024 * 1024
_CHUNK_BYTES: Final = 1024 * 1024
_END_BYTES: Final = 22
"""The end of a zip: in the last two of them stands the length of the comment that follows."""

_TAIL_BYTES: Final = _END_BYTES + 65_535
"""The end of a zip, with the longest comment there can be."""


async def unzipped(
    chunks: AsyncGenerator[bytes, None], *, max_output_bytes: int, max_ratio: int
) -> AsyncGenerator[bytes, None]:
    """Return the bytes of a file, unzipped if it is a zip.

    Raises:
        BrokenFileError: a zip that is cut, damaged, encrypted, a bomb, or holds no or several
            files of an export.
    """
    head = b""
    async for chunk in chunks:
        head += chunk
        if len(head) >= len(_MAGIC):
            break
    if head.startswith(_EMPTY_MAGIC):
        raise BrokenFileError("the zip is empty")
    whole = _CountedBytes(head, chunks)
    inner = _members(whole) if head.startswith(_MAGIC) else whole.chunks()
    out_bytes = 0
    async for chunk in inner:
        out_bytes += len(chunk)
        if out_bytes > max_output_bytes:
            raise BrokenFileError(f"it is larger than {max_output_bytes:,} bytes unzipped")
        if out_bytes > max(_RATIO_COUNTS_FROM_BYTES, max_ratio * whole.bytes):
            raise BrokenFileError(f"it shrinks more than {max_ratio} times: a zip bomb")
        yield chunk
    async for _ in whole.remaining():
        pass  # to the transfer's end: what comes behind a zip is part of it
    if head.startswith(_MAGIC) and not _holds_end(whole.tail):
        raise BrokenFileError("the zip is cut: its end isn't there")


class _CountedBytes:
    """The bytes as they arrive, and how many there were."""

    def __init__(self, head: bytes, rest: AsyncIterable[bytes]) -> None:
        self.bytes = 0
        self.tail = b""
        self._head = head
        self._rest = rest

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Return the head that was recognised, then the rest."""
        if self._head:
            self._count(self._head)
            yield self._head
        async for chunk in self.remaining():
            yield chunk

    async def remaining(self) -> AsyncGenerator[bytes, None]:
        """Return what nobody has read yet."""
        async for chunk in self._rest:
            self._count(chunk)
            yield chunk

    def _count(self, chunk: bytes) -> None:
        self.bytes += len(chunk)
        if len(chunk) < _TAIL_BYTES:  # else all of it would be copied once more
            chunk = self.tail + chunk
        self.tail = chunk[-_TAIL_BYTES:]


async def _members(whole: _CountedBytes) -> AsyncGenerator[bytes, None]:
    import stream_unzip  # noqa: PLC0415  with a cryptography of its own: 40 ms, for zips only

    # the latter are what the reader of Deflate64 raises where its bytes make no sense
    its_own = (stream_unzip.UnzipError, stream_unzip.InvalidOperationError)
    unreadable = (*its_own, ValueError, LookupError, TypeError)
    files = 0
    members = stream_unzip.async_stream_unzip(
        whole.chunks(),
        chunk_size=_CHUNK_BYTES,
        allowed_encryption_mechanisms=(stream_unzip.NO_ENCRYPTION,),
    )
    try:
        async for name, _, chunks in members:
            logical = _is_logical(name.decode("latin-1"))
            files += logical
            if files > 1:
                raise BrokenFileError("the zip holds several files of an export")
            async for chunk in chunks:  # also of other members: they must be read to their end
                if logical:
                    yield chunk
    except unreadable as error:
        raise BrokenFileError(f"the zip can't be read ({type(error).__name__})") from error
    if not files:
        raise BrokenFileError("the zip holds no file of an export")


def _holds_end(tail: bytes) -> bool:
    """Tell whether the end of a zip stands there whole, with its comment."""
    at = tail.rfind(_EMPTY_MAGIC)
    while at >= 0:
        end = at + _END_BYTES
        if end + int.from_bytes(tail[end - 2 : end], "little") <= len(tail):
            return True
        at = tail.rfind(_EMPTY_MAGIC, 0, at)
    return False


def _is_logical(name: str) -> bool:
    folders = name.replace("\\", "/").split("/")[:-1]
    strange = any(folder in {"", ".."} or ":" in folder for folder in folders)
    return not strange and is_logical(base_name(name))
