"""The only door to aiohttp: a picture's bytes from its host, and nothing else from anywhere else.

Rule 1: every address is checked at the moment a socket is made for it, after all name resolution;
        only hosts that the settings trust go without.
Rule 2: redirects are followed by hand, three at most, and each is checked like a first URL.
Rule 3: no more bytes are read than the cap, in no more time than the deadline, never compressed.
Rule 4: a host is asked by a few at a time, and left alone for as long as it asks to be.
"""

from __future__ import annotations

import asyncio
import socket
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import aiohttp
from yarl import URL

from consumers.pictures.retry_policy import RefusedPictureError, retry_after_s
from consumers.pictures.url_policy import checked_url, is_public, is_trusted

MOST_BYTES: Final = 25 * 1024 * 1024
DEADLINE_S: Final = 60.0
_CONNECT_S: Final = 10.0
_SILENCE_S: Final = 20.0
_REDIRECTS: Final = 3
_AT_A_TIME: Final = 4
_CHUNK_BYTES: Final = 64 * 1024
_LONGEST_VALIDATOR: Final = 500
_REFUSED: Final = "address-refused"
_HEADERS: Final = {
    "Accept": "image/jpeg,image/png,image/webp,image/gif",
    "Accept-Encoding": "identity",
    "User-Agent": "petstream (mirror of adoptable pets' pictures)",
}
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_MISSING: Final = frozenset({404, 410})
_BUSY: Final = frozenset({408, 425, 429})
_OK: Final = 200
_NOT_MODIFIED: Final = 304
_SERVER_ERRORS: Final = 500


class Limits(NamedTuple):
    """What a fetch may cost, and whom it may ask."""

    most_bytes: int = MOST_BYTES
    deadline_s: float = DEADLINE_S
    allowed: frozenset[str] = frozenset()
    trusted: frozenset[str] = frozenset()


class Validators(NamedTuple):
    """What makes a request conditional."""

    etag: str | None = None
    last_modified: str | None = None


class Fetched(NamedTuple):
    """A body, and what to ask with the next time."""

    data: bytes
    validators: Validators


class PictureHosts:
    """The hosts of pictures; use `picture_hosts`."""

    def __init__(self, strict: Any, trusting: Any, limits: Limits) -> None:
        """Wrap two sessions: one for the internet, one for the hosts that the settings trust."""
        self._strict, self._trusting, self._limits = strict, trusting, limits
        self._slots: dict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(_AT_A_TIME)
        )
        self._left_alone: dict[str, float] = {}

    async def fetch(self, text: str, known: Validators = Validators()) -> Fetched | None:  # noqa: B008  immutable
        """Return a picture's bytes, or None if the host has nothing newer than what is known.

        Raises:
            RefusedPictureError: it can't be had.
        """
        try:
            return await self._followed(self._checked(text), known)
        except TimeoutError:
            raise RefusedPictureError("deadline", "trouble") from None
        except aiohttp.ClientError as error:
            raise _explained(error) from None
        except (OSError, ValueError):
            raise RefusedPictureError("connection", "trouble") from None

    def asked_to_wait_s(self, text: str) -> float:
        """Return for how long the host of a URL is to be left alone."""
        try:
            host = URL(text).host or ""
        except ValueError:
            return 0.0
        return max(0.0, self._left_alone.get(host, 0.0) - asyncio.get_running_loop().time())

    def _checked(self, text: str) -> URL:
        return checked_url(text, self._limits.allowed, self._limits.trusted)

    async def _followed(self, url: URL, known: Validators) -> Fetched | None:
        clock, left_s = asyncio.get_running_loop(), self._limits.deadline_s
        for _ in range(_REDIRECTS + 1):
            async with self._slots[
                url.host or ""
            ]:  # the time spent waiting for it isn't the host's
                began = clock.time()
                async with asyncio.timeout(left_s):
                    answer = await self._asked(url, known)
                left_s -= clock.time() - began
            if not isinstance(answer, URL):
                return answer
            url = answer
        raise RefusedPictureError("redirects", "content")

    async def _asked(self, url: URL, known: Validators) -> Fetched | URL | None:
        host = url.host or ""
        session = self._trusting if is_trusted(url, self._limits.trusted) else self._strict
        headers = {
            name: value
            for name, value in (
                ("If-None-Match", known.etag),
                ("If-Modified-Since", known.last_modified),
            )
            if value
        }
        async with session.get(url, headers=headers, allow_redirects=False) as response:
            if response.status in _MOVED and (location := response.headers.get("Location")):
                return self._checked(str(url.join(URL(location))))
            if response.status == _NOT_MODIFIED and headers:
                return None
            if response.status != _OK:
                raise self._refusal(host, response)
            return Fetched(await self._body(response), _validators(response))

    def _refusal(self, host: str, response: Any) -> RefusedPictureError:
        status = int(response.status)
        reason = f"http-{status}"
        if status in _MISSING:
            return RefusedPictureError(reason, "missing")
        if status >= _SERVER_ERRORS or status in _BUSY:
            wait_s = retry_after_s(response.headers.get("Retry-After", ""))
            if wait_s is not None:
                self._left_alone[host] = asyncio.get_running_loop().time() + min(wait_s, 3_600.0)
            return RefusedPictureError(reason, "trouble", wait_s)
        return RefusedPictureError(reason, "content")

    async def _body(self, response: Any) -> bytes:
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise RefusedPictureError("encoded", "content")
        if (response.content_length or 0) > self._limits.most_bytes:
            raise RefusedPictureError("too-large", "content")
        found = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            found += chunk
            if len(found) > self._limits.most_bytes:
                raise RefusedPictureError("too-large", "content")
        return bytes(found)


@asynccontextmanager
async def picture_hosts(limits: Limits) -> AsyncGenerator[PictureHosts, None]:
    """Be ready to fetch pictures."""
    async with _session(_public_socket) as strict, _session(None) as trusting:
        yield PictureHosts(strict, trusting, limits)


def _session(socket_factory: Any) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=64, socket_factory=socket_factory),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=_HEADERS,
        auto_decompress=False,
        trust_env=False,
        timeout=aiohttp.ClientTimeout(
            total=None, sock_connect=_CONNECT_S, sock_read=_SILENCE_S
        ),
    )  # fmt: skip


def _public_socket(address: tuple[Any, ...]) -> socket.socket:
    """Make the socket of one resolved address; none for an address that isn't public."""
    family, kind, protocol, _, place = address
    if not is_public(str(place[0])):
        raise OSError(_REFUSED)
    return socket.socket(family, kind, protocol)


def _explained(error: aiohttp.ClientError) -> RefusedPictureError:
    if isinstance(error, aiohttp.ClientConnectorError):
        if _REFUSED in str(error.os_error):
            return RefusedPictureError(_REFUSED)
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return RefusedPictureError("unknown-host", "trouble")
        return RefusedPictureError("connection", "trouble")
    if isinstance(error, aiohttp.ClientPayloadError):
        return RefusedPictureError("short", "trouble")
    if isinstance(error, aiohttp.InvalidURL):
        return RefusedPictureError("bad-url")
    return RefusedPictureError("protocol", "trouble")


def _validators(response: Any) -> Validators:
    def short(name: str) -> str | None:
        value = response.headers.get(name)
        return value if value and len(value) <= _LONGEST_VALIDATOR and value.isprintable() else None

    return Validators(short("ETag"), short("Last-Modified"))
