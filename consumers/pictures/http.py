"""The only door to aiohttp: a picture's bytes from its host, and nothing else from anywhere else.

Rule 1: every address is checked at the moment a socket is made for it, after all name resolution;
        only hosts that the settings trust go without.
Rule 2: redirects are followed by hand, three at most, and each is checked like a first URL.
Rule 3: no more bytes are read than the cap, in no more time than the deadline, never compressed.
Rule 4: a host is sent a few requests at a time, and none for as long as it asks to be left alone.
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
from consumers.pictures.url_policy import checked_url, is_public, is_trusted, moved_url

MAX_BYTES: Final = 25 * 1024 * 1024
DEADLINE_S: Final = 60.0
_CONNECT_S: Final = 10.0
_READ_S: Final = 20.0
_MAX_REDIRECTS: Final = 3
_MAX_REQUESTS_A_HOST: Final = 4
_CHUNK_BYTES: Final = 64 * 1024
_MAX_VALIDATOR_CHARS: Final = 500
_REFUSED: Final = "address-refused"
_HEADERS: Final = {
    "Accept": "image/jpeg,image/png,image/webp,image/gif",
    "Accept-Encoding": "identity",
    "User-Agent": "petstream (mirror of adoptable pets' pictures)",
}
_REAL_CODINGS: Final = frozenset(
    {"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "dcb", "dcz", "exi",
     "pack200-gzip"}
)  # fmt: skip
"""What IANA lists, and the older names; hosts also write "", "none", "utf-8", "aws-chunked"."""
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_MISSING: Final = frozenset({404, 410})
_BUSY: Final = frozenset({408, 425, 429})
_OK: Final = 200
_NOT_MODIFIED: Final = 304
_SERVER_ERRORS: Final = 500


class DownloadLimits(NamedTuple):
    """What a download may cost, and from which hosts it may come."""

    max_bytes: int = MAX_BYTES
    deadline_s: float = DEADLINE_S
    allowed: frozenset[str] = frozenset()
    trusted: frozenset[str] = frozenset()


class Validators(NamedTuple):
    """What makes a request conditional."""

    etag: str | None = None
    last_modified: str | None = None


class Download(NamedTuple):
    """A body, and what makes the next request for it conditional."""

    data: bytes
    validators: Validators


class PictureClient:
    """Downloads pictures; use `picture_client`."""

    def __init__(self, public: Any, trusted: Any, limits: DownloadLimits) -> None:
        """Wrap two sessions: one for the internet, one for the hosts that the settings trust."""
        self._public, self._trusted, self._limits = public, trusted, limits
        self._slots: dict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(_MAX_REQUESTS_A_HOST)
        )
        self._not_before: dict[str, float] = {}

    async def fetch(self, url: str, known: Validators = Validators()) -> Download | None:  # noqa: B008  immutable
        """Return a picture's bytes, or None if the host has nothing newer than what is known.

        Raises:
            RefusedPictureError: it can't be had.
        """
        try:
            return await self._follow(self._checked(url), known)
        except TimeoutError:
            raise RefusedPictureError("deadline", "trouble") from None
        except aiohttp.ClientError as error:
            raise _error_refusal(error) from None
        except (OSError, ValueError):
            raise RefusedPictureError("connection", "trouble") from None

    def host_wait_s(self, url: str) -> float:
        """Return for how long the host of a URL is still to be left alone."""
        try:
            host = URL(url).host or ""
        except ValueError:
            return 0.0
        return max(0.0, self._not_before.get(host, 0.0) - asyncio.get_running_loop().time())

    def _checked(self, url: str) -> URL:
        return checked_url(url, self._limits.allowed, self._limits.trusted)

    async def _follow(self, url: URL, known: Validators) -> Download | None:
        clock, left_s = asyncio.get_running_loop(), self._limits.deadline_s
        for _ in range(_MAX_REDIRECTS + 1):
            # the clock starts with the slot: the time spent waiting for it isn't the host's
            async with self._slots[url.host or ""]:
                began = clock.time()
                async with asyncio.timeout(left_s):
                    result = await self._request(url, known)
                left_s -= clock.time() - began
            if not isinstance(result, URL):
                return result
            url = result
        raise RefusedPictureError("redirects", "content")

    async def _request(self, url: URL, known: Validators) -> Download | URL | None:
        """Return the body, where it moved to, or None if there is nothing newer."""
        session = self._trusted if is_trusted(url, self._limits.trusted) else self._public
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
                return self._checked(moved_url(url, location))
            if response.status == _NOT_MODIFIED and headers:
                return None
            if response.status != _OK:
                raise self._status_refusal(url.host or "", response)
            return Download(await self._body(response), _validators(response))

    def _status_refusal(self, host: str, response: Any) -> RefusedPictureError:
        status = int(response.status)
        reason = f"http-{status}"
        if status in _MISSING:
            return RefusedPictureError(reason, "missing")
        if status >= _SERVER_ERRORS or status in _BUSY:
            wait_s = retry_after_s(response.headers.get("Retry-After", ""))
            if wait_s is not None:
                self._not_before[host] = asyncio.get_running_loop().time() + min(wait_s, 3_600.0)
            return RefusedPictureError(reason, "trouble", wait_s)
        return RefusedPictureError(reason, "content")

    async def _body(self, response: Any) -> bytes:
        if _codings(response) & _REAL_CODINGS:
            raise RefusedPictureError("encoded", "content")
        if (response.content_length or 0) > self._limits.max_bytes:
            raise RefusedPictureError("too-large", "content")
        body = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            body += chunk
            if len(body) > self._limits.max_bytes:
                raise RefusedPictureError("too-large", "content")
        return bytes(body)


@asynccontextmanager
async def picture_client(limits: DownloadLimits) -> AsyncGenerator[PictureClient, None]:
    """Be ready to download pictures."""
    async with _session(_public_socket) as public, _session(None) as trusted:
        yield PictureClient(public, trusted, limits)


def _session(socket_factory: Any) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=64, socket_factory=socket_factory),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=_HEADERS,
        auto_decompress=False,
        trust_env=False,
        timeout=aiohttp.ClientTimeout(
            total=None, sock_connect=_CONNECT_S, sock_read=_READ_S
        ),
    )  # fmt: skip


def _public_socket(address: tuple[Any, ...]) -> socket.socket:
    """Make the socket of a resolved address; none for an address that isn't public."""
    family, kind, protocol, _, (host, *_) = address
    if not is_public(str(host)):
        raise OSError(_REFUSED)
    return socket.socket(family, kind, protocol)


def _error_refusal(error: aiohttp.ClientError) -> RefusedPictureError:
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


def _codings(response: Any) -> set[str]:
    """Return the codings that a host says its answer has, by the words it has for them."""
    said = ",".join(response.headers.getall("Content-Encoding", ()))
    return {word.strip().lower() for word in said.split(",")}


def _validators(response: Any) -> Validators:
    def header(name: str) -> str | None:
        value: str | None = response.headers.get(name)
        if value and len(value) <= _MAX_VALIDATOR_CHARS and value.isprintable():
            return value
        return None

    return Validators(header("ETag"), header("Last-Modified"))
