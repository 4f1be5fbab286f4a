"""Which URLs and addresses pictures may be fetched from."""

from __future__ import annotations

import pytest

from consumers.pictures.retry_policy import RefusedPictureError
from consumers.pictures.url_policy import checked_url, is_public

NOBODY: frozenset[str] = frozenset()

PRIVATE = """127.0.0.1 127.8.9.1 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0
    192.0.0.8 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 ::1 :: fe80::1 fe80::1%eth0 fc00::1
    fd12::1 ff02::1 fec0::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::127.0.0.1 64:ff9b::7f00:1
    2002:7f00:1:: 2001:0:7f00:1::1 2001:db8::1 localhost x"""


@pytest.mark.parametrize("address", PRIVATE.split())
def test_t30_no_address_but_a_public_one_is_connected_to(address: str) -> None:
    """T30: private, loopback, link-local, CGNAT, ULA, mapped."""
    assert not is_public(address)


def test_t30_public_addresses_are() -> None:
    """T30, the other side."""
    assert is_public("93.184.216.34")
    assert is_public("2606:4700::6810:84e5")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://a.example/1.jpg", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("data:image/png;base64,AA", "scheme"),
        ("//a.example/1.jpg", "scheme"),
        ("1.jpg", "scheme"),
        ("http://me:secret@a.example/1.jpg", "user-in-url"),
        ("http://me@a.example/1.jpg", "user-in-url"),
        ("http://@a.example/1.jpg", "user-in-url"),
        ("http://a.example:22/1.jpg", "port"),
        ("http://a.example:443/1.jpg", "port"),
        ("https://a.example:80/1.jpg", "port"),
        ("http://a.example:99999/1.jpg", "bad-url"),
        ("http://a.example\\@b.example/1.jpg", "bad-url"),
        ("http://a.example/1.jpg\r\nX: y", "bad-url"),
        ("http://[::1/1.jpg", "bad-url"),
        ("http:///1.jpg", "bad-url"),
        ("http://a.example/" + "x" * 5_000, "bad-url"),
    ],
)
def test_t30_a_url_of_any_other_kind_is_refused(url: str, reason: str) -> None:
    """T30: other schemes and ports, user:pass@."""
    with pytest.raises(RefusedPictureError) as error:
        checked_url(url, NOBODY, NOBODY)
    assert error.value.reason == reason


def test_t30_a_list_of_hosts_is_kept_to() -> None:
    """T30: the optional allow-list, and the explicit setting for a host of one's own."""
    allowed = frozenset({"cdn.example"})
    assert checked_url("https://CDN.example./1.jpg", allowed, NOBODY).port == 443
    with pytest.raises(RefusedPictureError, match="host-not-allowed"):
        checked_url("https://cdn.example.evil.example/1.jpg", allowed, NOBODY)
    trusted = frozenset({"127.0.0.1:8080"})
    assert checked_url("http://127.0.0.1:8080/1.jpg", allowed, trusted).port == 8080
    with pytest.raises(RefusedPictureError, match="port"):
        checked_url("http://127.0.0.1:8081/1.jpg", NOBODY, trusted)
