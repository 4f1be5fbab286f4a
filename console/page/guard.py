"""Guards every page: checks the Host header and what embeds it, and sets strict headers.

Rule 1: only names that are ours are answered, so that no other can be rebound to this server:
        loopback's, those of PETSTREAM_CONSOLE_HOSTS and, bound elsewhere, addresses, which are no
        names, and the name that it is bound to.
Rule 2: another site's page may link to us, and no more: it embeds, fetches and sends nothing, so
        that it can't keep us busy either.
Rule 3: nothing but pictures, styles and our one script is embedded, by our own pages neither: a
        description of a pet may name any address as that of a picture.
Rule 4: every answer has the headers, also those that say what is wrong, and failed ones.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_HOST: Final = re.compile(r"(?:\[(?P<address>[^][]+)\]|(?P<name>[^][:@]+))(?::[0-9]*)?")
_EMBEDDABLE: Final = {
    "style": ("/static/",),
    "script": ("/static/console.js",),
    "image": ("/pictures/", "/favicon.ico"),
}
"""What our pages embed, by what a browser calls it, and how its path begins."""

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def guard(app: web.Application, bound_host: str, hosts: Collection[str] = ()) -> None:
    """Guard a server that listens at this host, and answers to these names besides."""
    app.on_response_prepare.append(_with_headers)
    app.middlewares.append(_only_ours(bound_host, frozenset(hosts)))
    app.middlewares.append(_refuse_cross_site)
    app.middlewares.append(_refuse_embedded)


def headers_of_answers() -> Mapping[str, str]:
    """Return what every answer has (rule 4)."""
    return _HEADERS


def is_cross_site(headers: Mapping[str, str]) -> bool:
    """Tell whether a browser sends this for another site's page.

    What the browser says itself counts, where it does; a proxy may have changed the Host.
    """
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is not None:
        return site not in {"same-origin", "none"}
    return origin is not None and urlsplit(origin).netloc != headers.get("Host")


@web.middleware
async def _refuse_cross_site(request: web.Request, handler: _Handler) -> web.StreamResponse:
    headers = request.headers
    is_link = request.method in {"GET", "HEAD"} and headers.get("Sec-Fetch-Mode") == "navigate"
    if is_cross_site(headers) and not is_link:
        return web.Response(status=403, text="this request comes from another site\n")
    return await handler(request)


@web.middleware
async def _refuse_embedded(request: web.Request, handler: _Handler) -> web.StreamResponse:
    kind = _embedded_as(request.headers)
    if kind is not None and not request.path.startswith(_EMBEDDABLE.get(kind, ())):
        return web.Response(status=403, text="this isn't embedded anywhere\n")
    return await handler(request)


def _embedded_as(headers: Mapping[str, str]) -> str | None:
    """Return as what a browser embeds the answer; None: it shows it, or it is no browser.

    Over plain HTTP from elsewhere browsers don't say so: then what they accept tells pictures.
    """
    kind = headers.get("Sec-Fetch-Dest")
    if kind is not None:
        return None if kind in {"document", "empty"} else kind
    accepted = headers.get("Accept", "")
    return "image" if "image/" in accepted and "text/html" not in accepted else None


def _only_ours(bound_host: str, hosts: frozenset[str]) -> Callable[..., Awaitable[Any]]:
    """Return what answers to our names only (rule 1)."""
    names = _LOOPBACK | hosts
    is_elsewhere = bound_host not in _LOOPBACK

    @web.middleware
    async def middleware(request: web.Request, handler: _Handler) -> web.StreamResponse:
        name = _host_name(request.headers.get("Host", ""))
        if name in names or (is_elsewhere and (name == bound_host.lower() or _is_address(name))):
            return await handler(request)
        mend = "set PETSTREAM_CONSOLE_HOSTS" if is_elsewhere else "use localhost"
        return web.Response(status=421, text=f"this name isn't answered here: {mend}\n")

    return middleware


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


async def _with_headers(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)


def _host_name(host: str) -> str:
    """Return the name or address in a Host header; empty if it isn't written as one."""
    match = _HOST.fullmatch(host)
    return (match["address"] or match["name"]).lower() if match else ""
