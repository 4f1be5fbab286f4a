"""A picture host that does what tests ask of it: by path, and counted."""

from __future__ import annotations

import asyncio
import gzip
import io
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from PIL import Image

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def drawn(text: str = "") -> bytes:
    """Draw a JPEG; another text, another picture."""
    image = Image.new("RGB", (80, 60), "navy")
    file = io.BytesIO()
    image.save(file, "JPEG", comment=text.encode())
    return file.getvalue()


class HostilePictures:
    """The host; `answers` by path, `hits` by path."""

    def __init__(self) -> None:
        """Begin with what every test may want."""
        self.hits: Counter[str] = Counter()
        self.conditional: Counter[str] = Counter()
        self.answers: dict[str, Answer] = {}
        self.port = 0

    def url(self, path: str) -> str:
        """Return the URL of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer as told; else with a picture of that path."""
        self.hits[request.path] += 1
        name = request.path.strip("/").partition("/")[0]
        if request.path in self.answers:
            return await self.answers[request.path](request)
        if hasattr(self, f"_{name}"):
            made: web.StreamResponse = await getattr(self, f"_{name}")(request)
            return made
        etag = f'"{request.path}"'
        if "If-None-Match" in request.headers:
            self.conditional[request.path] += 1
            if request.headers["If-None-Match"] == etag:
                return web.Response(status=304)
        return web.Response(body=drawn(name), content_type="image/jpeg", headers={"ETag": etag})

    async def _html(self, _: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><p>Not here", content_type="image/jpeg")

    async def _svg(self, _: web.Request) -> web.Response:
        return web.Response(text="<svg onload='x()'/>", content_type="image/svg+xml")

    async def _cut(self, _: web.Request) -> web.Response:
        return web.Response(body=drawn()[:-40], content_type="image/jpeg")

    async def _missing(self, _: web.Request) -> web.Response:
        return web.Response(status=404)

    async def _busy(self, _: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "7200"})

    async def _broken(self, _: web.Request) -> web.Response:
        return web.Response(status=500)

    async def _squeezed(self, _: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(drawn()), headers={"Content-Encoding": "gzip"})

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(65_536))

    async def _dripping(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for byte in drawn() * 100:
            await response.write(bytes([byte]))
            await asyncio.sleep(0.05)
        return response

    async def _lying(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100000"})
        await response.prepare(request)
        await response.write(drawn())
        assert request.transport
        request.transport.close()
        return response

    async def _huge(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "99999999999"})
        await response.prepare(request)
        return response

    async def _hops(self, request: web.Request) -> web.Response:
        left = int(request.path.rpartition("/")[2])
        to = f"/hops/{left - 1}" if left else "/there.jpg"
        return web.Response(status=302, headers={"Location": to})

    async def _away(self, request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": request.query["to"]})


@asynccontextmanager
async def hostile_pictures() -> AsyncIterator[HostilePictures]:
    """Serve on loopback."""
    host = HostilePictures()
    app = web.Application()
    app.router.add_get("/{path:.*}", host.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host.port = runner.addresses[0][1]
        yield host
    finally:
        await runner.cleanup()
