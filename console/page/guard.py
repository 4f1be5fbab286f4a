"""Guards every page: checks the Host header, and sets strict headers.

Rule 1: bound to loopback, only loopback's names are answered: no foreign name can be rebound to it.
Rule 2: another site's page may link to us, and no more: it embeds, fetches and sends nothing, so
        that it can't keep us busy either.
Rule 3: every answer has the headers, also those that say what is wrong, and failed ones.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

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


def guard(app: web.Application, bound_host: str) -> None:
    """Guard a server that listens at this host."""
    app.on_response_prepare.append(_with_headers)
    if bound_host in _LOOPBACK:
        app.middlewares.append(_only_loopback)
    app.middlewares.append(_refuse_cross_site)


def is_cross_site(headers: Mapping[str, str]) -> bool:
    """Tell whether a browser sends this for another site's page.

    What the browser says itself counts, where it does; a proxy may have changed the Host.
    """
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is not None:
        return site not in {"same-origin", "none"}
    return origin is not None and urlsplit(origin).netloc != headers.get("Host")


@web.middleware
async def _refuse_cross_site(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    headers = request.headers
    is_link = request.method in {"GET", "HEAD"} and headers.get("Sec-Fetch-Mode") == "navigate"
    is_embedded = headers.get("Sec-Fetch-Dest", "document") != "document"
    if is_cross_site(headers) and (is_embedded or not is_link):
        return web.Response(status=403, text="this request comes from another site\n")
    return await handler(request)


@web.middleware
async def _only_loopback(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    if _host_name(request.headers.get("Host", "")) not in _LOOPBACK:
        return web.Response(status=421, text="this name isn't answered here: use localhost\n")
    return await handler(request)


async def _with_headers(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()
