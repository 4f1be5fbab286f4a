"""Which URLs and addresses pictures may be fetched from."""

from __future__ import annotations

import ipaddress

import pytest

from consumers.pictures.retry_policy import RefusedPictureError
from consumers.pictures.url_policy import checked_url, is_public

NOBODY: frozenset[str] = frozenset()

PRIVATE = """127.0.0.1 127.8.9.1 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0
    192.0.0.8 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 ::1 :: fe80::1 fe80::1%eth0 fc00::1
    fd12::1 ff02::1 fec0::1 ::ffff:127.0.0.1 ::127.0.0.1 64:ff9b::7f00:1
    2002:7f00:1:: 2001:0:7f00:1::1 2001:db8::1 localhost x"""


@pytest.mark.parametrize("address", PRIVATE.split())
def test_t30_no_address_but_a_public_one_is_connected_to(address: str) -> None:
    """T30: private, loopback, link-local, CGNAT, ULA, mapped."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "168.63.129.16",
        "::ffff:168.63.129.16",
        "64:ff9b::168.63.129.16",
        "3fff::1",
        "3fff:fff:ffff::1",
        "2001:db8::1",
        "5f00::1",
        "100::1",
        "100:0:0:1::1",
        "2001:2::1",
        "2001:10::1",
        "fd00:ec2::254",
    ],
)
def test_s12_special_addresses_that_look_public_are_not(address: str) -> None:
    """S12: whatever the version of Python knows of them."""
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


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("/it%27s%2Cok.jpg?Signature=a%2Fb%3D", "/it%27s%2Cok.jpg?Signature=a%2Fb%3D"),
        ("/a%2fb%2Fc.jpg", "/a%2fb%2Fc.jpg"),
        ("/100%.jpg?q=5%", "/100%.jpg?q=5%"),
        ("/1,2;3:4@5!6*7(8)'9~.jpg", "/1,2;3:4@5!6*7(8)'9~.jpg"),
        ("/+plus+.jpg?a=b+c&d", "/+plus+.jpg?a=b+c&d"),
        ("/x.jpg?url=https%3A%2F%2Fa.example%2Fy", "/x.jpg?url=https%3A%2F%2Fa.example%2Fy"),
        ("/x.jpg?url=https://a.example/y?z", "/x.jpg?url=https://a.example/y?z"),
        ("/a/../b//c/./d.jpg", "/a/../b//c/./d.jpg"),
        ("/my dog.jpg", "/my%20dog.jpg"),
        ("/my%20dog 2.jpg?t=a b", "/my%20dog%202.jpg?t=a%20b"),
        ('/"<x>\\`{y}|^[z].jpg', "/%22%3Cx%3E%5C%60%7By%7D|^[z].jpg"),
        ("/caf\u00e9/\U0001f415.jpg", "/caf%C3%A9/%F0%9F%90%95.jpg"),
        ("/x.jpg?n=\u00e9", "/x.jpg?n=%C3%A9"),
        ("/x.jpg#top", "/x.jpg"),
        ("", "/"),
        ("?id=7", "/?id=7"),
    ],
)
def test_p8_a_url_is_asked_for_as_given_and_what_cannot_stand_in_it_is_escaped(
    given: str, asked: str
) -> None:
    """P8: decoded, a signed address is another one: 403. A blank was `bad-url` for ever."""
    url = checked_url(f" https://cdn.example{given}\n", NOBODY, NOBODY)
    assert url.raw_path_qs == asked
    assert (url.raw_host, url.port) == ("cdn.example", 443)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("HTTPS://CDN.Example/1.jpg", "cdn.example"),
        ("https://b\u00fccher.example/1.jpg", "xn--bcher-kva.example"),
        ("https://[2606:4700::1]/1.jpg", "2606:4700::1"),
        ("https://cdn.example:443/1.jpg", "cdn.example"),
    ],
)
def test_p8_the_host_may_be_written_in_every_way(url: str, host: str) -> None:
    """P8: names with capitals, of other alphabets, addresses."""
    assert checked_url(url, NOBODY, NOBODY).raw_host == host


def test_p8_what_no_request_can_hold_is_refused() -> None:
    """P8: half a character, of JSON."""
    for url in ("https://cdn.example/\ud83d.jpg", "https://a b.example/1.jpg", "https:1.jpg"):
        with pytest.raises(RefusedPictureError, match="bad-url"):
            checked_url(url, NOBODY, NOBODY)


LEADING = ("::ffff:{}", "64:ff9b::{}", "64:ff9b:1::{}")
PRIVATE_IPV4 = [address for address in PRIVATE.split() if "." in address and ":" not in address]


@pytest.mark.parametrize("form", LEADING)
def test_p10_of_an_address_that_leads_to_one_of_ipv4_that_one_is_judged(form: str) -> None:
    """P10: a host with IPv6 only has nothing but DNS64's addresses."""
    for address in ("93.184.216.34", "8.8.8.8", "203.0.114.1"):
        assert is_public(form.format(address))
    for address in PRIVATE_IPV4:
        assert not is_public(form.format(address))


def test_p10_of_6to4_the_address_inside_is_judged() -> None:
    """P10: 2002:AABB:CCDD::/48 is the network of AA.BB.CC.DD."""
    assert is_public("2002:5db8:d822::1")
    for address in PRIVATE_IPV4:
        inside = int(ipaddress.IPv4Address(address))
        assert not is_public(f"2002:{inside >> 16:x}:{inside & 0xFFFF:x}::1")


def test_p10_what_leads_nobody_knows_where_is_refused() -> None:
    """P10: other cuts of a network's own NAT64, Teredo, what was given up, SIIT."""
    for address in ("64:ff9b:1:5db8:d8:2200::", "2001:0:5db8:d822::1", "::93.184.216.34",
                    "::ffff:0:93.184.216.34", "64:ff9b:2::5db8:d822"):  # fmt: skip
        assert not is_public(address)
