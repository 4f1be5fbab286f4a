"""What stands before every page: the Host header is checked, and strict headers are set.

Rule 1: bound to loopback, only loopback's names are answered: no foreign name can be rebound to it.
Rule 2: every answer has the headers, also those that say what is wrong.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def guard(bound_host: str) -> Middleware:
    """Return the middleware for a server that listens at this host."""

    @web.middleware
    async def before(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if bound_host in _LOOPBACK and _name(request.headers.get("Host", "")) not in _LOOPBACK:
            return _with_headers(
                web.Response(status=421, text="this name isn't answered here: use localhost\n")
            )
        try:
            response = await handler(request)
        except web.HTTPException as error:
            for name, value in _HEADERS.items():
                error.headers.setdefault(name, value)
            raise
        return _with_headers(response)

    return before


def _with_headers(response: web.StreamResponse) -> web.StreamResponse:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
