"""The URL policy: where a picture may be fetched from, by its URL and by the address connected to.

Rule 1: http and https on their usual ports only, without a user; `trusted` hosts on any port.
Rule 2: only an address of the public internet is connected to, whatever spelling led to it.
Rule 3: nobody relies on the name: what is checked is the address that the socket connects to.
"""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from yarl import URL

from consumers.pictures.retry_policy import RefusedPictureError

_USUAL_PORTS: Final = {"http": 80, "https": 443}
_MAX_URL_CHARS: Final = 4_000
_SPECIAL: Final = tuple(
    ipaddress.ip_network(network)
    for network in ("100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15")
)  # some versions of Python hold a few of these for public
_EMBEDDING: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "64:ff9b::/96",  # NAT64: an IPv4 address inside
        "64:ff9b:1::/48",  # the same, local
        "2002::/16",  # 6to4
        "2001::/32",  # Teredo
        "::/96",  # IPv4-compatible
        "fec0::/10",  # site-local
    )
)


def checked_url(text: str, allowed: frozenset[str], trusted: frozenset[str]) -> URL:
    """Return the URL if it may be asked for.

    Args:
        text: as the feed or a redirect gives it.
        allowed: the hosts there may be; empty = any.
        trusted: `host:port` of hosts that may be at private addresses and unusual ports.

    Raises:
        RefusedPictureError: `bad-url`, `scheme`, `user-in-url`, `port` or `host-not-allowed`.
    """
    if len(text) > _MAX_URL_CHARS or any(char <= " " or char in "\\\x7f" for char in text.strip()):
        raise RefusedPictureError("bad-url")
    try:
        url = URL(text.strip())
        host, port = url.host, url.port
        has_user = "@" in urlsplit(text).netloc
    except ValueError:
        raise RefusedPictureError("bad-url") from None
    if url.scheme not in _USUAL_PORTS:
        raise RefusedPictureError("scheme")
    if not host or port is None:
        raise RefusedPictureError("bad-url")
    if has_user or url.raw_user is not None or url.raw_password is not None:
        raise RefusedPictureError("user-in-url")
    if is_trusted(url, trusted):
        return url.with_fragment(None)
    if port != _USUAL_PORTS[url.scheme]:
        raise RefusedPictureError("port")
    if allowed and host.lower().rstrip(".") not in allowed:
        raise RefusedPictureError("host-not-allowed")
    return url.with_fragment(None)


def is_trusted(url: URL, trusted: frozenset[str]) -> bool:
    """Return whether the settings name this host and port."""
    return f"{(url.host or '').lower()}:{url.port}" in trusted


def is_public(address: str) -> bool:
    """Return whether an address, as a socket is given it, belongs to the public internet.

    >>> is_public("93.184.216.34"), is_public("127.0.0.1"), is_public("::ffff:10.0.0.1")
    (True, False, False)
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None or any(ip in network for network in _EMBEDDING):
            return False  # no host of the public internet is written so
    elif any(ip in network for network in _SPECIAL):
        return False
    return ip.is_global and not (
        ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback
    )
