"""One FTP connection as we use it: bounded replies, and data under TLS as servers expect it.

Rule 1: no reply is endless, and closing never waits for the server.
Rule 2: the data connection's TLS begins after the command was answered, and resumes the session of
        the control connection: servers shake hands only then, and some demand the same session.
Rule 3: the deadlines are ours: the client's own (`asyncio.wait_for`) lose a cancellation that comes
        in the same moment as bytes do, and a signal would end nothing.
Rule 4: whatever a server says is read here or is an `OSError` of this connection: nothing that it
        says is ever an error of ours.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any, Final

import aioftp
from aioftp.common import SSLSessionBoundContext

from ingest.source import replies
from ingest.source.data_connection import DataConnection, open_data

SOCKET_TIMEOUT_S: Final = 60.0
_KEEPALIVE_S: Final = 30
_NEXT_REPLY_S: Final = 5.0
_MOST_REPLY_LINES: Final = 1_000
_LONGEST_LINE_BYTES: Final = 64 * 1024
_BUFFER_BYTES: Final = 512 * 1024  # a block of them is some hundred rows
_CODE_DIGITS: Final = 3


class RestRefusedError(OSError):
    """A server that can't resume a transfer in the middle of a file."""


class UnreadableReplyError(OSError):
    """An answer that can't be read; it names the command, never what was said."""


class Connection(aioftp.Client):
    """A connection, logged in, in the feed's directory; no reply is endless."""

    def __init__(self, *, connection_timeout: float, encoding: str) -> None:
        """Prepare; nothing is sent yet."""
        super().__init__(
            socket_timeout=None, connection_timeout=connection_timeout, encoding=encoding
        )

    is_answered = False
    """The last data command was answered at once by what usually follows the data."""
    _lines = 0
    _is_binary = False

    async def command(self, *args: Any, **options: Any) -> Any:
        """Send a command and read its reply, in bounded time."""
        async with asyncio.timeout(SOCKET_TIMEOUT_S):
            return await super().command(*args, **options)

    async def parse_response(self) -> tuple[aioftp.Code, list[str]]:
        """Read a reply in bounded space: it ends with a line of the code that it began with.

        (Lines between may begin with any digits, and words may stand before the first code.)
        """
        self._lines = 0
        code, rest = await self.parse_line()
        while not _is_code(code):
            code, rest = await self.parse_line()
        lines = [rest]
        if rest.startswith("-"):
            ended = False
            while not ended:
                begins, rest = await self.parse_line()
                ended = begins == code and rest[:1] in {"", " "}
                lines.append(rest if begins == code else begins + rest)
        return code, lines

    async def parse_line(self) -> tuple[aioftp.Code, str]:
        """Read a line of a reply; one that doesn't end is a connection error."""
        self._lines += 1
        if self._lines > _MOST_REPLY_LINES:
            raise ConnectionResetError("a reply of too many lines")
        try:
            return await super().parse_line()
        except ValueError as error:
            raise ConnectionResetError("a line that doesn't end") from error

    async def login(
        self, user: str = aioftp.DEFAULT_USER, password: str = "", account: str = ""
    ) -> None:
        """Log in; a server may want no password, or call it superfluous."""
        code, _ = await self.command(f"USER {user}", ("2xx", "33x"))
        if code == "331":
            code, _ = await self.command(f"PASS {password}", ("2xx", "332"), censor_after=5)
        if code == "332":
            await self.command(f"ACCT {account}", "2xx")

    async def binary(self) -> None:
        """Ask for bytes as they are, once: servers refuse SIZE in ASCII mode."""
        if not self._is_binary:
            await self.command("TYPE I", "2xx")
            self._is_binary = True

    async def data_of(self, command: str, offset: int = 0) -> DataConnection:
        """Send a command that is answered with data; return those, from an offset on (REST)."""
        data = await self._data_connection()
        try:
            if offset:
                await self._rest(offset)
            code, _ = await self.command(command, ("1xx", "2xx"))
            self.is_answered = code.startswith("2")
            tls = self.stream.writer.transport.get_extra_info("ssl_object")
            if tls is not None:
                bound = SSLSessionBoundContext(
                    ssl.PROTOCOL_TLS_CLIENT, context=tls.context, session=tls.session
                )
                await data.start_tls(bound, self.server_host, SOCKET_TIMEOUT_S)
        except BaseException:
            data.abort()
            raise
        return data

    async def finished(self) -> None:
        """Read what a server says behind the data, once that connection is closed."""
        await self.command(None, "2xx", "1xx")

    async def chunks(self, data: DataConnection) -> AsyncGenerator[bytes, None]:
        """Return what a data connection gives, each chunk in bounded time."""
        while True:
            async with asyncio.timeout(SOCKET_TIMEOUT_S):
                chunk = await data.read()
            if not chunk:
                return
            yield chunk

    async def _data_connection(self) -> DataConnection:
        """Open a data connection, at the server's own host whatever address it tells.

        Where EPSV is refused, can't be read, or leads nowhere, PASV is asked.
        """
        await self.binary()
        refused: Exception = UnreadableReplyError("PASV")
        for command in ("EPSV", "PASV"):
            try:
                port = await self._passive_port(command)
            except (aioftp.StatusCodeError, UnreadableReplyError) as error:
                if isinstance(error, aioftp.StatusCodeError) and "421" in error.received_codes:
                    raise
                refused = error
                continue
            try:
                async with asyncio.timeout(self.connection_timeout):
                    return await open_data(self.server_host, port, _BUFFER_BYTES)
            except OSError as error:
                refused = error
        raise refused

    async def _passive_port(self, command: str) -> int:
        """Return the port where data wait; a reply that is left over from before is passed over."""
        code, lines = await self.command(command, "2xx")
        if code not in {"227", "229"}:
            try:
                async with asyncio.timeout(_NEXT_REPLY_S):
                    code, lines = await self.command(None, "2xx")
            except TimeoutError as error:
                raise UnreadableReplyError(command) from error
        port = replies.passive_port(lines)
        if port is None:
            raise UnreadableReplyError(command)
        return port

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
            reader, writer = await asyncio.open_connection(host, port, limit=_LONGEST_LINE_BYTES)
        _keep_alive(writer.get_extra_info("socket"))
        return reader, writer


def _keep_alive(link: socket.socket | None) -> None:
    """Let the system ask over an idle connection: that of commands is, while data are read."""
    if link is None:
        return
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    with suppress(AttributeError, OSError):  # not every system lets that be chosen
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_S)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_S)


def _is_code(text: str) -> bool:
    return len(text) == _CODE_DIGITS and text.isascii() and text.isdigit()
