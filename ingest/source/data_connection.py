"""A data connection, from its socket into one buffer of ours.

Rule 1: asyncio's streams copy each byte twice more, and make an object of each read of the socket:
        that was half of what a byte from FTP costs.
Rule 2: while the buffer is full nothing is read: a reader that is slow stops the server.
Rule 3: what has arrived is given out before the error that came behind it.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import cast


class DataConnection(asyncio.BufferedProtocol):
    """Bytes of a server, as they arrive; it only reads."""

    def __init__(self, buffer_bytes: int) -> None:
        """Prepare; the event loop opens it (`open_data`)."""
        self._buffer = memoryview(bytearray(buffer_bytes))
        self._held_bytes = 0
        self._ended = False
        self._error: Exception | None = None
        self._arrival: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    async def read(self) -> bytes:
        """Return what has arrived since, or wait for something; nothing: it has ended.

        Raises:
            OSError: the connection broke.
        """
        if not self._held_bytes and not self._ended:
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        if self._held_bytes:
            block = bytes(self._buffer[: self._held_bytes])
            self._held_bytes = 0
            if len(block) == len(self._buffer) and not self._ended:
                self._open_transport().resume_reading()
            return block
        if self._error is not None:
            raise self._error
        return b""

    async def start_tls(self, context: ssl.SSLContext, host: str, timeout_s: float) -> None:
        """Go on under TLS, as a client of a host; its handshake is bounded."""
        transport = await asyncio.get_running_loop().start_tls(
            self._open_transport(),
            self,
            context,
            server_hostname=host,
            ssl_handshake_timeout=timeout_s,
        )
        if transport is None:
            raise ConnectionResetError("closed while TLS began")
        self._transport = transport

    def close(self) -> None:
        """Close it."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close it at once, in whatever state it is."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin (called by the event loop, as all below)."""
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  a server sends what it likes
        """Return where the next bytes go."""
        return self._buffer[self._held_bytes :]

    def buffer_updated(self, nbytes: int) -> None:
        """Hold what has arrived, and read no more where nothing more fits (rule 2)."""
        self._held_bytes += nbytes
        if self._held_bytes == len(self._buffer):
            self._open_transport().pause_reading()
        self._tell()

    def eof_received(self) -> bool:
        """Know that the server has sent everything; the transport may close itself."""
        self._ended = True
        self._tell()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Know that nothing more comes, and why."""
        self._ended, self._error = True, exc
        self._tell()

    def _tell(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    def _open_transport(self) -> asyncio.Transport:
        assert self._transport is not None  # noqa: S101  the event loop has opened it
        return self._transport


async def open_data(host: str, port: int, buffer_bytes: int) -> DataConnection:
    """Open a data connection with room for so many bytes."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: DataConnection(buffer_bytes), host, port)
    return connection
