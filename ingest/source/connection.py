"""One FTP connection as we use it: bounded replies, and data under TLS as servers expect it.

Rule 1: no reply is endless, and closing never waits for the server.
Rule 2: the data connection's TLS begins after the command was answered, and resumes the session of
        the control connection: servers shake hands only then, and some demand the same session.
Rule 3: the deadlines are ours: the client's own (`asyncio.wait_for`) lose a cancellation that comes
        in the same moment as bytes do, and a signal would end nothing.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

import aioftp
from aioftp.client import DataConnectionThrottleStreamIO
from aioftp.common import SSLSessionBoundContext

SOCKET_TIMEOUT_S: Final = 60.0
_MOST_REPLY_LINES: Final = 1_000
_LONGEST_LINE_BYTES: Final = 64 * 1024
_BUFFER_BYTES: Final = 256 * 1024  # asyncio's 64 KiB would make blocks of a hundred


class RestRefusedError(OSError):
    """A server that can't resume a transfer in the middle of a file."""


class Connection(aioftp.Client):
    """A connection, logged in, in the feed's directory; no reply is endless."""

    def __init__(self, *, connection_timeout: float, encoding: str) -> None:
        """Prepare; nothing is sent yet."""
        super().__init__(
            socket_timeout=None, connection_timeout=connection_timeout, encoding=encoding
        )

    _lines = 0
    _buffer_bytes = _LONGEST_LINE_BYTES

    async def command(self, *args: Any, **options: Any) -> Any:
        """Send a command and read its reply, in bounded time."""
        async with asyncio.timeout(SOCKET_TIMEOUT_S):
            return await super().command(*args, **options)

    async def parse_response(self) -> tuple[aioftp.Code, list[str]]:
        """Read a reply in bounded space."""
        self._lines = 0
        return await super().parse_response()

    async def parse_line(self) -> tuple[aioftp.Code, str]:
        """Read a line of a reply; one that doesn't end is a connection error."""
        self._lines += 1
        if self._lines > _MOST_REPLY_LINES:
            raise ConnectionResetError("a reply of too many lines")
        try:
            return await super().parse_line()
        except ValueError as error:
            raise ConnectionResetError("a line that doesn't end") from error

    async def get_passive_connection(
        self, conn_type: aioftp.client.ConnType = "I", commands: Sequence[str] | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a data connection; ask with PASV where EPSV is refused, in whatever words."""
        try:
            return await super().get_passive_connection(conn_type, commands)
        except aioftp.StatusCodeError as error:
            if commands or str(error.received_codes[-1]) == "421":
                raise
            return await super().get_passive_connection(conn_type, ("pasv",))

    async def data_of(self, command: str, offset: int = 0) -> DataConnectionThrottleStreamIO:
        """Send a command that is answered with data; return those, from an offset on (REST)."""
        self._buffer_bytes = _BUFFER_BYTES
        reader, writer = await self.get_passive_connection("I")
        try:
            if offset:
                await self._rest(offset)
            await self.command(command, "1xx")
            tls = self.stream.writer.transport.get_extra_info("ssl_object")
            if tls is not None:
                await writer.start_tls(
                    SSLSessionBoundContext(
                        ssl.PROTOCOL_TLS_CLIENT, context=tls.context, session=tls.session
                    ),
                    server_hostname=self.server_host,
                    ssl_handshake_timeout=SOCKET_TIMEOUT_S,
                )
        except BaseException:
            writer.transport.abort()
            raise
        return DataConnectionThrottleStreamIO(
            self, reader, writer, throttles={"_": self.throttle}, timeout=None
        )

    async def chunks(
        self, data: DataConnectionThrottleStreamIO, most_bytes: int
    ) -> AsyncGenerator[bytes, None]:
        """Return what a data connection gives, each chunk in bounded time."""
        while True:
            async with asyncio.timeout(SOCKET_TIMEOUT_S):
                chunk = await data.read(most_bytes)
            if not chunk:
                return
            yield chunk

    async def _rest(self, offset: int) -> None:
        try:
            await self.command(f"REST {offset}", "350")
        except aioftp.StatusCodeError as error:
            if str(error.received_codes[-1]).startswith("5"):
                raise RestRefusedError("REST is refused") from error
            raise

    async def _open_connection(
        self, host: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(self.connection_timeout):
            return await asyncio.open_connection(host, port, limit=self._buffer_bytes)
