"""The URL policy: where a picture may be fetched from, by its URL and by the address connected to.

Rule 1: http and https on their usual ports only, without a user; `trusted` hosts on any port.
Rule 2: only an address of the public internet is connected to, whatever spelling led to it.
Rule 3: nobody relies on the name: what is checked is the address that the socket connects to; of
        one that leads to an IPv4 address by itself (NAT64, 6to4, mapped), that one is judged.
Rule 4: path and query are asked for as given: a host may have signed them letter by letter. Only
        what can't stand in a request is escaped.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import quote_from_bytes, urljoin

from yarl import URL

from consumers.pictures.retry_policy import RefusedPictureError

_USUAL_PORTS: Final = {"http": 80, "https": 443}
_MAX_URL_CHARS: Final = 4_000
_PARTS: Final = re.compile(
    r"([a-z][a-z0-9+.-]*):(?://([^/?#]*)([^?#]*)(?:\?([^#]*))?)?", re.IGNORECASE
)
_AS_GIVEN: Final = "".join(set(map(chr, range(0x21, 0x7F))) - set('"<>\\`{}'))
_SPECIAL: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",
        "168.63.129.16/32",  # public by its number: within Azure it is the machine's keeper
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
    )
)  # some versions of Python hold a few of these for public
_LEADING: Final = tuple(
    (ipaddress.ip_network(network), bits)
    for network, bits in (
        ("::ffff:0:0/96", 0),  # IPv4-mapped
        ("64:ff9b::/96", 0),  # NAT64
        ("64:ff9b:1::/96", 0),  # NAT64 with a network's own prefix, as it is mostly cut
        ("2002::/16", 80),  # 6to4
    )
)
"""Networks whose addresses lead to an IPv4 address, and how many bits stand behind that."""
_REFUSED: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "64:ff9b:1::/48",  # NAT64 with a network's own prefix, cut otherwise: nobody knows how
        "2001::/32",  # Teredo: no host of the public internet has such an address
        "::/96",  # IPv4-compatible: given up
        "fec0::/10",  # site-local
        "3fff::/20",  # documentation, as the next, and newer than most versions of Python
        "2001:db8::/32",
        "5f00::/16",  # segment routing, within one network
        "100::/63",  # discarded, and dummies
        "2001:2::/48",  # benchmarks
        "2001:10::/28",  # no addresses but hashes: ORCHID
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
    text = text.strip()
    parts = _PARTS.match(text)
    if len(text) > _MAX_URL_CHARS or any(char < " " or char == "\x7f" for char in text):
        raise RefusedPictureError("bad-url")
    if parts is None or parts[1].lower() not in _USUAL_PORTS:
        raise RefusedPictureError("scheme")
    if not parts[2] or any(char in " \\" for char in parts[2]):
        raise RefusedPictureError("bad-url")
    if "@" in parts[2]:
        raise RefusedPictureError("user-in-url")
    try:
        url = _as_given(URL(f"{parts[1]}://{parts[2]}/"), parts[3], parts[4] or "")
        host, port = url.host, url.port
    except ValueError:
        raise RefusedPictureError("bad-url") from None
    if not host or port is None:
        raise RefusedPictureError("bad-url")
    if is_trusted(url, trusted):
        return url
    if port != _USUAL_PORTS[url.scheme]:
        raise RefusedPictureError("port")
    if allowed and host.lower().rstrip(".") not in allowed:
        raise RefusedPictureError("host-not-allowed")
    return url


def moved_url(url: URL, location: str) -> str:
    """Return where a redirect leads, as the host wrote it."""
    return urljoin(str(url), location.strip())


def is_trusted(url: URL, trusted: frozenset[str]) -> bool:
    """Return whether the settings name this host and port."""
    return f"{(url.host or '').lower()}:{url.port}" in trusted


def is_public(address: str) -> bool:
    """Return whether an address, as a socket is given it, belongs to the public internet.

    >>> is_public("93.184.216.34"), is_public("127.0.0.1"), is_public("64:ff9b::10.0.0.1")
    (True, False, False)
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inside = _ipv4_inside(ip)
        if inside is not None:
            return is_public(str(inside))
        if any(ip in network for network in _REFUSED):
            return False
    elif any(ip in network for network in _SPECIAL):
        return False
    return ip.is_global and not (
        ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback
    )


def _ipv4_inside(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that one of IPv6 leads to by itself."""
    for network, bits in _LEADING:
        if ip in network:
            return ipaddress.IPv4Address(int(ip) >> bits & 0xFFFFFFFF)
    return None


def _as_given(host: URL, path: str, query: str) -> URL:
    return URL.build(
        scheme=host.scheme, authority=host.raw_authority, path=_escaped(path) or "/",
        query_string=_escaped(query), encoded=True,
    )  # fmt: skip


def _escaped(text: str) -> str:
    # a header that isn't UTF-8 comes with its bytes as surrogates
    return quote_from_bytes(text.encode("utf-8", "surrogateescape"), safe=_AS_GIVEN)
