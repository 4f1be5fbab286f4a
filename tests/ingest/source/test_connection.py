"""The contract with aioftp's private parts: the installed version calls what is overridden."""

from __future__ import annotations

import asyncio
import inspect
import socket
import ssl
from typing import Any, cast

import aioftp
import pytest
from aioftp.common import SSLSessionBoundContext

from ingest.source import connection
from ingest.source.connection import Connection
from ingest.source.data_connection import DataConnection

OVERRIDDEN = {
    "_open_connection", "command", "parse_line", "parse_response",
}  # fmt: skip


class Transport:
    """A transport without TLS."""

    def get_extra_info(self, name: str) -> None:
        """Know nothing of the connection."""


class Writer:
    """Keeps what is sent."""

    def __init__(self) -> None:
        """Begin with nothing sent."""
        self.transport, self.sent = Transport(), b""

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.sent += data

    async def drain(self) -> None:
        """Return at once."""

    def close(self) -> None:
        """Be closed."""

    def get_extra_info(self, name: str) -> None:
        """Have no socket."""


class Server:
    """Stands behind `asyncio.open_connection`: each connection gives some bytes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *incoming: bytes) -> None:
        """Give these bytes, one after the other."""
        self.opened: list[tuple[str, int]] = []
        self.writers: list[Writer] = []
        self._incoming = list(incoming)
        monkeypatch.setattr(asyncio, "open_connection", self.open)

    async def open(
        self, host: str, port: int, *, limit: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Stand in for `asyncio.open_connection`."""
        self.opened.append((host, port))
        reader, writer = asyncio.StreamReader(limit=limit), Writer()
        reader.feed_data(self._incoming.pop(0))
        self.writers.append(writer)
        return reader, cast("asyncio.StreamWriter", writer)


async def connected(server: Server) -> Connection:
    client = Connection(connection_timeout=1, encoding="latin-1")
    await client.connect("ftp.example", 2121)
    assert server.opened == [("ftp.example", 2121)], "aioftp opens with `_open_connection`"
    return client


def test_what_is_overridden_is_there_and_takes_the_same_parameters() -> None:
    overridden = {name for name in vars(Connection) if hasattr(aioftp.Client, name)}
    assert overridden >= OVERRIDDEN, "the installed aioftp lacks a method that is overridden"
    for name in OVERRIDDEN - {"command"}:  # which passes on whatever it is given
        ours, theirs = (
            [*inspect.signature(getattr(of, name)).parameters] for of in (Connection, aioftp.Client)
        )
        assert ours == theirs, f"the installed aioftp calls {name} otherwise"


async def test_replies_are_read_line_by_line_through_parse_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server(monkeypatch, b"220-on\r\n" * 1_001)
    with pytest.raises(ConnectionResetError, match="too many lines"):
        await connected(server)


async def test_the_only_deadline_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    client = await connected(Server(monkeypatch, b"220 in\r\n"))
    assert client.stream.read_timeout is None, "aioftp's own is `asyncio.wait_for`"
    monkeypatch.setattr(connection, "SOCKET_TIMEOUT_S", 0.01)
    with pytest.raises(TimeoutError):
        await client.command("NOOP", "2xx")


async def test_a_data_connection_is_opened_at_the_servers_host_and_read_and_finished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replies = b"220 in\r\n200 ok\r\n229 passive (|||5000|)\r\n350 go on\r\n150 here\r\n226 done\r\n"
    server = Server(monkeypatch, replies)
    opened: list[tuple[str, int]] = []

    async def open_data(host: str, port: int, buffer_bytes: int) -> DataConnection:
        opened.append((host, port))
        return DataConnection(buffer_bytes)

    monkeypatch.setattr(connection, "open_data", open_data)
    client = await connected(server)
    await client.data_of("RETR pets_1.json", 7)
    assert opened == [("ftp.example", 5000)]
    await client.finished()
    assert b"REST 7\r\nRETR pets_1.json\r\n" in server.writers[0].sent


def test_a_tls_session_is_taken_up_by_a_context_that_holds_it() -> None:
    context = ssl.create_default_context()
    no_session: Any = None  # there was no handshake yet
    bound = SSLSessionBoundContext(ssl.PROTOCOL_TLS_CLIENT, context=context, session=no_session)
    tls = bound.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="ftp.example")
    assert tls.context is context, "it is the control connection's context that wraps"


async def test_o10_the_connection_of_commands_is_kept_alive_while_data_are_read() -> None:
    """O10: a firewall forgets it in five minutes, and the end of a long file is never heard of."""

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        client = Connection(connection_timeout=5, encoding="latin-1")
        await client.connect(*server.sockets[0].getsockname())
        link = client.stream.writer.transport.get_extra_info("socket")
        assert link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) < 120
        client.close()
