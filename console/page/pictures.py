"""Serves the pictures of the store to the pages.

Rule 1: only keys of the store are looked for: they are made of digits of a SHA-256.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from console.page import CurrentSettings
from consumers.pictures.store.factory import open_store
from consumers.pictures.store.interface import KEY_PATTERN, content_type

_AT_ONCE: Final = 4
_KEY: Final = "/pictures/{key:" + KEY_PATTERN + "}"
_HEADERS: Final = {"Cache-Control": "private, max-age=86400, immutable"}


def routes(current_settings: CurrentSettings) -> list[web.RouteDef]:
    """Return the route of pictures."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def picture(request: web.Request) -> web.Response:
        settings, key = current_settings(), request.match_info["key"]
        if settings is None or settings.pictures in {None, "off"}:
            return web.Response(status=404, text="there is no picture store\n")
        try:
            async with turns:
                data = await open_store(settings.pictures or "").get(key)
        except FileNotFoundError:
            return web.Response(status=404, text="the picture store has no such picture\n")
        except OSError:
            return web.Response(status=503, text="the picture store can't be read\n")
        return web.Response(body=data, content_type=content_type(key), headers=_HEADERS)

    return [web.get(_KEY, picture)]
