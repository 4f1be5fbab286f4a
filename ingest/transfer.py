"""The bytes of one remote file, whole: taken up again wherever the wire was cut.

Rule 1: what was received counts, not what the wire says: a 226 after half a file proves nothing,
        and a missing one after the whole file costs nothing.
Rule 2: a resumed transfer repeats the last 4 KiB, so that a server which ignores REST is caught.
Rule 3: size and time are the listed ones before and after, asked on another connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from contracts.errors import UnreachableError
from contracts.settings import FtpUrl
from ingest.feed import RemoteFile
from ingest.ftp import WIRE_TROUBLE, Connection, FileChangedError, blocks, connect, same, told

LEAST_BYTES_PER_S: Final = 1_000
"""A transfer slower than this over a minute is cut, and taken up again."""

_RATE_WINDOW_S: Final = 60.0
_TRIES_WITHOUT_PROGRESS: Final = 5
_OVERLAP_BYTES: Final = 4_096


async def stream(ftp: FtpUrl, file: RemoteFile) -> AsyncGenerator[bytes, None]:
    """Return the bytes of a file, taking it up again where the wire was cut.

    Raises:
        FileChangedError: size or time differ from `file`, or a resumed transfer doesn't fit.
        UnreachableError: five tries in a row brought nothing.
    """
    received, tail, failures = 0, b"", 0
    while received < file.size_bytes:
        before = received
        try:
            async with (
                connect(ftp) as client,
                aclosing(_fresh(client, file, received, tail)) as rest,
            ):
                async for fresh in rest:
                    received += len(fresh)
                    tail = (tail + fresh)[-_OVERLAP_BYTES:]
                    yield fresh
            error: Exception = EOFError("the file ended early")
        except WIRE_TROUBLE as caught:
            error = caught
        failures = 0 if received > before else failures + 1
        if received < file.size_bytes:
            if failures >= _TRIES_WITHOUT_PROGRESS:
                raise UnreachableError(
                    f"the FTP server {ftp.host} breaks off transfers ({told(error)}): "
                    "try again later"
                ) from error
            await asyncio.sleep(0.1 * 2**failures)
    try:
        async with connect(ftp) as client:
            await same(client, file)
    except WIRE_TROUBLE as error:
        raise UnreachableError(
            f"the FTP server {ftp.host} went away ({told(error)}): try again later"
        ) from error


async def _fresh(
    client: Connection, file: RemoteFile, received: int, tail: bytes
) -> AsyncGenerator[bytes, None]:
    """Return what comes after `received` bytes, seeing that a resumed transfer fits the tail."""
    await same(client, file)
    overlap = tail
    loop = asyncio.get_running_loop()
    window_began, window_bytes = loop.time(), 0
    async with aclosing(blocks(client, file, received - len(tail))) as incoming:
        async for block in incoming:
            window_bytes += len(block)
            if loop.time() - window_began > _RATE_WINDOW_S:
                if window_bytes < LEAST_BYTES_PER_S * _RATE_WINDOW_S:
                    raise TimeoutError("slower than a thousand bytes a second")
                window_began, window_bytes = loop.time(), 0
            known, fresh = block[: len(overlap)], block[len(overlap) :]
            if not overlap.startswith(known):
                raise FileChangedError("a resumed transfer doesn't fit what came before")
            overlap = overlap[len(known) :]
            received += len(fresh)
            if received > file.size_bytes:
                raise FileChangedError("a file is longer than it was listed")
            if fresh:
                yield fresh
