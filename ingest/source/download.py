"""The bytes of one remote file, whole: resumed wherever the connection was cut.

Rule 1: what was received counts, not what the server says: a 226 after half a file proves nothing,
        and a missing one after the whole file costs nothing.
Rule 2: a resumed transfer repeats the last 4 KiB, so that a server which ignores REST is caught;
        then, and where REST is refused, the file is read again from its start, and what was
        handed out already is compared by its digest and skipped.
Rule 3: only the time that the network takes counts: whoever reads may be slow.
Rule 4: size and time are the listed ones before and after, asked on another connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import xxhash

from ingest.source.ftp import (
    CONNECTION_ERRORS,
    Connection,
    FileChangedError,
    RestRefusedError,
    blocks,
    cause,
    connect,
    verify_unchanged,
)
from ingest.source.listing import RemoteFile
from petstream.errors import UnreachableError
from petstream.settings import FtpUrl
from petstream.waiting import Delays

LEAST_BYTES_PER_S: Final = 1_000
"""A transfer slower than this over a minute is cut, and resumed."""

DEADLINE_S: Final = 4 * 3_600.0
"""A file that kept us waiting for longer, all in all, is given up."""

_RATE_WINDOW_S: Final = 60.0
_TRIES_WITHOUT_PROGRESS: Final = 5
_DELAYS: Final = Delays(0.1)  # the first of them after a try that brought something
_OVERLAP_BYTES: Final = 4_096


async def stream(ftp: FtpUrl, file: RemoteFile) -> AsyncGenerator[bytes, None]:
    """Return the bytes of a file, resuming it where the connection was cut.

    Raises:
        FileChangedError: size or time differ from `file`, or it begins otherwise than before.
        UnreachableError: five tries in a row brought nothing, or it took too long.
    """
    received, network, failures = _Received(), _NetworkTime(), 0
    while received.bytes < file.size_bytes:
        before = received.bytes
        try:
            async with (
                connect(ftp) as client,
                aclosing(_fresh(client, file, received, network)) as rest,
            ):
                async for fresh in rest:
                    received.take(fresh)
                    yield fresh
            error: Exception = EOFError("the file ended early")
        except CONNECTION_ERRORS as caught:
            error = caught
            received.resumable = received.resumable and not isinstance(caught, RestRefusedError)
        failures = 0 if received.bytes > before else failures + 1
        if received.bytes < file.size_bytes:
            if failures >= _TRIES_WITHOUT_PROGRESS or network.waited_s > DEADLINE_S:
                raise UnreachableError(
                    f"the FTP server {ftp.host} breaks off transfers ({cause(error)}): "
                    "try again later"
                ) from error
            await asyncio.sleep(_DELAYS.after(failures + 1))
    try:
        async with connect(ftp) as client:
            await verify_unchanged(client, file)
    except CONNECTION_ERRORS as error:
        raise UnreachableError(
            f"the FTP server {ftp.host} went away ({cause(error)}): try again later"
        ) from error


class _Received:
    """What was handed out: how much, its digest, its end."""

    def __init__(self) -> None:
        self.bytes, self.tail, self.resumable = 0, b"", True
        self.digest = xxhash.xxh3_128()

    def take(self, fresh: bytes) -> None:
        """Remember what is handed out."""
        self.bytes += len(fresh)
        self.digest.update(fresh)
        if len(fresh) < _OVERLAP_BYTES:  # else all of it would be copied once more
            fresh = self.tail + fresh
        self.tail = fresh[-_OVERLAP_BYTES:]


class _NetworkTime:
    """How long the network keeps us waiting."""

    def __init__(self) -> None:
        self.waited_s = 0.0
        self._window_s, self._window_bytes = 0.0, 0

    def took(self, waited_s: float, size_bytes: int) -> None:
        """Count a block; raises `TimeoutError` where the network is too slow."""
        self.waited_s += waited_s
        self._window_s += waited_s
        self._window_bytes += size_bytes
        if self.waited_s > DEADLINE_S:
            raise TimeoutError("a file that takes too long")
        if self._window_s > _RATE_WINDOW_S:
            slow = self._window_bytes < LEAST_BYTES_PER_S * _RATE_WINDOW_S
            self._window_s, self._window_bytes = 0.0, 0
            if slow:
                raise TimeoutError("slower than a thousand bytes a second")


async def _fresh(
    client: Connection, file: RemoteFile, received: _Received, network: _NetworkTime
) -> AsyncGenerator[bytes, None]:
    """Return what comes after `received`, seeing that it fits what came before."""
    await verify_unchanged(client, file)
    loop = asyncio.get_running_loop()
    known = received.tail if received.resumable else b""
    skipping = 0 if received.resumable else received.bytes
    skipped, total_bytes = xxhash.xxh3_128(), received.bytes
    offset = total_bytes - len(known) if received.resumable else 0
    async with aclosing(blocks(client, file, offset)) as incoming:
        began = loop.time()
        async for arrived in incoming:
            network.took(loop.time() - began, len(arrived))
            block = arrived[skipping:]
            if skipping:
                passed = arrived[:skipping]
                skipped.update(passed)
                skipping -= len(passed)
                if not skipping and skipped.digest() != received.digest.digest():
                    raise FileChangedError("a file begins otherwise than when it was first read")
            repeated, fresh = block[: len(known)], block[len(known) :]
            if not known.startswith(repeated):
                received.resumable = False
                raise EOFError("a resumed transfer doesn't fit what came before")
            known = known[len(repeated) :]
            total_bytes += len(fresh)
            if total_bytes > file.size_bytes:
                raise FileChangedError("a file is longer than it was listed")
            if fresh:
                yield fresh
            began = loop.time()
