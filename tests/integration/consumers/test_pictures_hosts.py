"""Pictures fetched over real sockets: who may be asked, and what is taken from them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from hostile_pictures import HostilePictures, drawn, hostile_pictures

from consumers.pictures import url_policy
from consumers.pictures.http import DownloadLimits, Validators, picture_client
from consumers.pictures.retry_policy import RefusedPictureError


@pytest.fixture
async def host() -> AsyncIterator[HostilePictures]:
    async with hostile_pictures() as server:
        yield server


def limits(host: HostilePictures, **changes: Any) -> DownloadLimits:
    own = {"max_bytes": 200_000, "deadline_s": 3.0}
    return DownloadLimits(**own | {"trusted": frozenset({f"127.0.0.1:{host.port}"})} | changes)


async def refused(url: str, chosen: DownloadLimits) -> tuple[str, str]:
    async with picture_client(chosen) as client:
        with pytest.raises(RefusedPictureError) as error:
            await client.fetch(url)
    return error.value.reason, error.value.kind


async def test_a_picture_is_fetched_once_and_then_asked_for_conditionally(
    host: HostilePictures,
) -> None:
    async with picture_client(limits(host)) as client:
        first = await client.fetch(host.url("/a.jpg"))
        assert first is not None
        assert first.data == drawn("a.jpg")
        assert await client.fetch(host.url("/a.jpg"), first.validators) is None
        again = await client.fetch(host.url("/a.jpg"), Validators('"other"'))
        assert again == first
    assert host.conditional["/a.jpg"] == 2


SPELLINGS = (
    "127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001",
    "0177.0.0.1", "0", "0.0.0.0",  # noqa: S104  not bound, asked for
    "127.0.0.1.", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::1]",
    "[::]", "127。0。0。1", "①②⑦.0.0.1", "%31%32%37.0.0.1",
)  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_t30_loopback_isnt_reached_by_any_spelling(
    host: HostilePictures, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    """T30: the server would answer on that very port; it gets no hit."""
    monkeypatch.setattr(url_policy, "_USUAL_PORTS", {"http": host.port})
    reason, _ = await refused(
        f"http://{spelling}:{host.port}/a.jpg", limits(host, trusted=frozenset())
    )
    assert reason in {"address-refused", "bad-url", "connection", "unknown-host"}
    assert not host.hits


async def test_t30_a_name_that_is_bound_anew_is_checked_at_connecting(
    host: HostilePictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T30: DNS rebinding: whatever was looked up before, the socket's address decides."""
    lookups = 0

    def lookup(*_: Any, **__: Any) -> list[Any]:
        nonlocal lookups
        lookups += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", host.port))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    refusal = await refused("http://cdn.rebound.example/a.jpg", limits(host))
    assert refusal == ("address-refused", "never")
    assert lookups
    assert not host.hits


async def test_t31_three_redirects_are_followed_and_not_four(host: HostilePictures) -> None:
    """T31: by hand."""
    async with picture_client(limits(host)) as client:
        download = await client.fetch(host.url("/hops/2"))
    assert download is not None
    assert download.data == drawn("there.jpg")
    assert await refused(host.url("/hops/3"), limits(host)) == ("redirects", "content")


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("http://127.0.0.1/a.jpg", "address-refused"),
        ("http://169.254.169.254/latest/meta-data/", "address-refused"),
        ("http://[::ffff:10.0.0.1]/a.jpg", "address-refused"),
        ("http://127.0.0.1:22/", "port"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://127.0.0.1/", "scheme"),
        ("http://me:secret@cdn.example/a.jpg", "user-in-url"),
    ],
)
async def test_t31_each_redirect_is_checked_like_a_first_url(
    host: HostilePictures, to: str, reason: str
) -> None:
    """T31: a host that is trusted may not send us where a stranger may not."""
    assert await refused(host.url(f"/away/x?to={to}"), limits(host)) == (reason, "never")


async def test_t31_a_redirect_doesnt_leave_the_hosts_there_may_be(host: HostilePictures) -> None:
    """T31: with the allow-list."""
    chosen = limits(host, allowed=frozenset({"cdn.example"}))
    refusal = await refused(host.url("/away/x?to=https://evil.example/a.jpg"), chosen)
    assert refusal == ("host-not-allowed", "never")


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("/endless/1", ("too-large", "content")),
        ("/huge/1", ("too-large", "content")),
        ("/dripping/1", ("deadline", "trouble")),
        ("/lying/1", ("short", "trouble")),
        ("/squeezed/1", ("encoded", "content")),
        ("/missing/1", ("http-404", "missing")),
        ("/broken/1", ("http-500", "trouble")),
    ],
)
async def test_t32_a_body_costs_no_more_than_the_limits(
    host: HostilePictures, path: str, refusal: tuple[str, str]
) -> None:
    """T32: endless, dripping, lying, compressed. T35: what statuses mean."""
    chosen = limits(host, deadline_s=0.6 if "drip" in path else 10.0)
    assert await refused(host.url(path), chosen) == refusal


async def test_t35_a_host_that_asks_for_it_is_left_alone(host: HostilePictures) -> None:
    """T35: Retry-After."""
    async with picture_client(limits(host)) as client:
        assert client.host_wait_s(host.url("/b.jpg")) == 0
        with pytest.raises(RefusedPictureError) as error:
            await client.fetch(host.url("/busy/1"))
        assert (error.value.reason, error.value.retry_after_s) == ("http-429", 7_200.0)
        assert client.host_wait_s(host.url("/b.jpg")) > 3_000
        assert client.host_wait_s("http://other.example/b.jpg") == 0


async def test_t35_a_host_is_asked_by_a_few_at_a_time_and_waiting_costs_nobody_the_deadline(
    host: HostilePictures,
) -> None:
    """T35: the per-host limit."""
    now, most = 0, 0

    async def slow(_: web.Request) -> web.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.3)
        now -= 1
        return web.Response(body=drawn())

    host.answers["/slow.jpg"] = slow
    async with picture_client(limits(host, deadline_s=0.6)) as client:
        downloads = await asyncio.gather(*(client.fetch(host.url("/slow.jpg")) for _ in range(12)))
    assert most == 4
    assert {download.data for download in downloads if download} == {drawn()}


async def test_p8_the_host_is_asked_letter_by_letter(host: HostilePictures) -> None:
    """P8: what goes over the wire, also behind a redirect."""
    lines = []

    async def answer(request: web.Request) -> web.Response:
        lines.append(request.raw_path)
        return web.Response(body=drawn())

    path = "/it%27s%2Cok.jpg?Signature=a%2Fb%3D&n=%zz"
    host.answers["/it's,ok.jpg"] = answer
    host.answers["/my dog.jpg"] = answer
    host.answers["/away/first"] = lambda _: moved(path)
    async with picture_client(limits(host)) as client:
        for asked in (path, "/my dog.jpg", "/away/first"):
            assert await client.fetch(host.url(asked)) is not None
    assert lines == [path, "/my%20dog.jpg", path]


async def moved(path: str) -> web.Response:
    """Answer that the picture is there."""
    return web.Response(status=302, headers={"Location": path})


@pytest.mark.parametrize("inside", ["7f00:1", "a00:1", "a9fe:a9fe"])
async def test_p10_nothing_private_is_reached_through_nat64(
    host: HostilePictures, monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    """P10: the address inside is judged when the socket is made."""

    def lookup(*_: Any, **__: Any) -> list[Any]:
        place = (f"64:ff9b::{inside}", 80, 0, 0)
        return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", place)]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    refusal = await refused("http://cdn.example/a.jpg", limits(host))
    assert refusal == ("address-refused", "never")


async def test_p7_a_blank_coding_costs_no_picture(host: HostilePictures) -> None:
    """P7: over a real socket, with the header as hosts send it."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=drawn(), headers={"Content-Encoding": ""})

    host.answers["/plain.jpg"] = answer
    async with picture_client(limits(host)) as client:
        download = await client.fetch(host.url("/plain.jpg"))
    assert download is not None
    assert download.data == drawn()
