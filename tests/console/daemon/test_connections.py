"""Connections to the console that send nothing, half of something, or nonsense; on real sockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web

from console.daemon import connections
from console.daemon.connections import Listener

Asked = tuple[asyncio.StreamReader, asyncio.StreamWriter]
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
async def site() -> AsyncIterator[Callable[[], int]]:
    """Return the port of a page, of which only /slow takes a while."""
    ended = asyncio.Event()

    async def slow(_request: web.Request) -> web.Response:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="ended" if ended.is_set() else "page")

    app = web.Application()
    app.router.add_routes([web.get("/", page), web.get("/slow", slow)])
    listener = Listener(app, 1.0)
    await listener.set_up()
    port = await listener.listen("127.0.0.1", 0)
    yield lambda: port
    await listener.close()


async def ask(port: int, data: bytes = GET) -> bytes:
    """Return all that one connection is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        async with asyncio.timeout(10):
            return await reader.read(65_536)
    finally:
        writer.close()


async def is_ended(reader: asyncio.StreamReader) -> bool:
    """Return whether a connection is ended by the other side, soon."""
    async with asyncio.timeout(10):
        try:
            return await reader.read(1) == b""
        except ConnectionError:
            return True


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHost: loc", GET, b"POST / HTTP/1.1\r\nContent-Le"]
)
async def test_s6_a_connection_that_asks_nothing_more_is_ended(
    site: Callable[[], int], monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """S6: nothing at all, half a request, or one that was answered."""
    monkeypatch.setattr(connections, "_SILENT_S", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", site())
    writer.write(sent)
    if sent == GET:
        assert b"200 OK" in await reader.readuntil(b"page")
    assert await is_ended(reader)
    writer.close()


async def test_s6_a_request_that_trickles_in_is_ended(
    site: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S6: a byte now and then is no request."""
    monkeypatch.setattr(connections, "_SILENT_S", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", site())
    writer.write(GET[:-4] + b"\r\nX: ")
    ended = asyncio.create_task(is_ended(reader))
    while not ended.done():
        writer.write(b"a")
        await asyncio.sleep(0.05)
    assert await ended
    writer.close()


async def test_s6_a_request_that_finds_no_answer_is_ended_too_but_later(
    site: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S6: a reader that stopped reading, or a handler that waits for ever."""
    monkeypatch.setattr(connections, "_SILENT_S", 0.1)
    monkeypatch.setattr(connections, "_LONGEST_S", 1.0)
    began = asyncio.get_running_loop().time()
    reader, writer = await asyncio.open_connection("127.0.0.1", site())
    writer.write(GET.replace(b"/ ", b"/slow ", 1))
    assert await is_ended(reader)
    assert asyncio.get_running_loop().time() - began >= 1.0, "it was given its time"
    writer.close()


async def test_s6_silent_connections_make_room_for_whoever_asks(
    site: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S6: 3,000 of them were kept, and no descriptor was left."""
    monkeypatch.setattr(connections, "_MOST", 20)
    silent = [await asyncio.open_connection("127.0.0.1", site()) for _ in range(60)]
    assert b"200 OK" in await ask(site())
    assert all([await is_ended(reader) for reader, _ in silent[:40]])
    for _, writer in silent:
        writer.close()


async def test_s8_whoever_hangs_up_ends_the_work_on_the_request(site: Callable[[], int]) -> None:
    """S8: handlers went on for those who had gone."""
    _, writer = await asyncio.open_connection("127.0.0.1", site())
    writer.write(GET.replace(b"/ ", b"/slow ", 1))
    await writer.drain()
    writer.close()
    async with asyncio.timeout(10):
        while b"ended" not in await ask(site()):
            pass


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET\r\n\r\n",
     b"GET / HTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nno header\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
     b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n"],
)  # fmt: skip
async def test_s10_what_is_no_request_is_a_line_with_every_header_and_not_logged(
    site: Callable[[], int], sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """S10."""
    with caplog.at_level(logging.DEBUG):
        answer = await ask(site(), sent)
    assert b" 400 Bad Request\r\n" in answer[:40]
    assert answer.endswith(b"\r\n\r\nthis request can't be read\n")
    assert b"default-src 'none'" in answer
    assert [record for record in caplog.records if record.name.startswith("aiohttp")] == []
