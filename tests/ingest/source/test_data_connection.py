"""What a server sends comes out whole, at the pace of who reads it."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from ingest.source.data_connection import DataConnection, open_data

DATA = random.Random(1).randbytes(3_000_017)  # noqa: S311  no secret
ROOM_BYTES = 50_000

Serve = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def opened(serve: Serve) -> AsyncIterator[DataConnection]:
    """Open a data connection to a server that does this, and then closes."""

    async def served(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(writer)
        writer.close()

    async with await asyncio.start_server(served, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        data = await open_data(host, port, ROOM_BYTES)
        try:
            yield data
        finally:
            data.close()


async def rest_of(data: DataConnection) -> bytes:
    """Read to the end."""
    whole = bytearray()
    while block := await data.read():
        assert len(block) <= ROOM_BYTES
        whole += block
    return bytes(whole)


@pytest.mark.parametrize("step_bytes", [700, ROOM_BYTES - 1, ROOM_BYTES, 2 * ROOM_BYTES + 1])
async def test_bytes_come_out_as_they_were_sent_however_they_are_cut(step_bytes: int) -> None:
    async def serve(writer: asyncio.StreamWriter) -> None:
        for begin in range(0, len(DATA), step_bytes):
            writer.write(DATA[begin : begin + step_bytes])
            await writer.drain()

    async with opened(serve) as data:
        assert await rest_of(data) == DATA
        assert await data.read() == b"", "it has ended for good"


async def test_a_server_waits_for_who_does_not_read() -> None:
    large = 64 * len(DATA)  # more than the system holds between two sockets
    sent: list[int] = []

    async def serve(writer: asyncio.StreamWriter) -> None:
        for _ in range(64):
            writer.write(DATA)
            await writer.drain()
            sent.append(len(DATA))

    async with opened(serve) as data:
        whole_bytes = len(await data.read())
        while sum(sent) < large and await _went_on(sent):
            pass
        assert sum(sent) < large / 2, "it has sent on though nobody reads"
        while block := await data.read():
            whole_bytes += len(block)
        assert whole_bytes == large


async def _went_on(sent: list[int]) -> bool:
    """Tell whether more is sent within many turns of the event loop."""
    before = len(sent)
    for _ in range(2_000):
        await asyncio.sleep(0)
    return len(sent) > before


async def test_what_had_arrived_comes_out_before_the_error_behind_it() -> None:
    has_read = asyncio.Event()

    async def serve(writer: asyncio.StreamWriter) -> None:
        writer.write(b"half a file")
        await writer.drain()
        await has_read.wait()
        link = writer.get_extra_info("socket")
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with opened(serve) as data:
        assert await data.read() == b"half a file"
        has_read.set()
        with pytest.raises(ConnectionResetError):
            await data.read()

    data = DataConnection(ROOM_BYTES)
    data.get_buffer(-1)[:4] = b"half"
    data.buffer_updated(4)
    data.connection_lost(ConnectionResetError())
    assert await data.read() == b"half"
    with pytest.raises(ConnectionResetError):
        await data.read()


async def test_who_waits_for_bytes_can_be_stopped_and_read_on() -> None:
    goes_on = asyncio.Event()

    async def serve(writer: asyncio.StreamWriter) -> None:
        await goes_on.wait()
        writer.write(b"late")

    async with opened(serve) as data:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await data.read()
        goes_on.set()
        assert await rest_of(data) == b"late"
