"""The pictures of the store, for the pages.

Rule 1: only keys of the store are looked for: they are made of digits of a SHA-256.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from console.page import Known

_AT_ONCE: Final = 4
_TYPES: Final = {
    "jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp",
}  # fmt: skip
_KEY: Final = (
    r"/pictures/{key:[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{64}(\.[0-9]{1,4})?\.(jpg|png|gif|webp)}"
)
_HEADERS: Final = {"Cache-Control": "private, max-age=86400, immutable"}


def routes(known: Known) -> list[web.RouteDef]:
    """Return the route of pictures."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def picture(request: web.Request) -> web.Response:
        from consumers.picture_store import store_of  # noqa: PLC0415  only where there's a store

        settings, key = known(), request.match_info["key"]
        if settings is None or settings.pictures in {None, "off"}:
            return web.Response(status=404, text="there is no picture store\n")
        try:
            async with turns:
                data = await store_of(settings.pictures or "").get(key)
        except FileNotFoundError:
            return web.Response(status=404, text="the picture store has no such picture\n")
        except OSError:
            return web.Response(status=503, text="the picture store can't be read\n")
        kind = _TYPES[key.rpartition(".")[2]]
        return web.Response(body=data, content_type=kind, headers=_HEADERS)

    return [web.get(_KEY, picture)]
