"""What guards the pages: names that are answered, other sites, what is embedded, strict headers."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from console.page.operations import front
from console.page.site import mount
from petstream.errors import UnreachableError
from petstream.settings import KafkaAccess, Settings

SETTINGS = Settings(kafka=KafkaAccess("localhost:1"))


async def _get(
    path: str = "/", *, host: str = "localhost", bound: str = "127.0.0.1", **headers: str
) -> tuple[int, str, dict[str, str]]:
    app = web.Application()
    mount(app, lambda: SETTINGS, bound_host=bound, hosts=frozenset({"pets.example"}))
    async with TestClient(TestServer(app)) as client:
        response = await client.get(path, headers={"Host": host, **headers})
        return response.status, await response.text(), dict(response.headers)


@pytest.mark.parametrize("path", ["/", "/static/console.css", "/nothing/here"])
async def test_every_answer_has_the_strict_headers(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    async def away(*_: object, **__: object) -> Any:
        raise UnreachableError("Kafka is away: start it")

    monkeypatch.setattr(front, "gather", away)
    status, _, headers = await _get(path)
    assert status == (404 if "nothing" in path else 200)
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "script-src 'self';" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.logs_errors("aiohttp tells of the failure")
async def test_an_answer_that_failed_has_the_strict_headers_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def gather(*_: object, **__: object) -> Any:
        return {"feed": "not what it should be"}

    monkeypatch.setattr(front, "gather", gather)
    status, text, headers = await _get()
    assert status == 500
    assert "not what it should be" not in text
    assert "default-src 'none'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8642", "[::1]:8642", "LOCALHOST:1"])
async def test_loopbacks_names_are_answered(host: str) -> None:
    assert (await _get("/static/console.css", host=host))[0] == 200


@pytest.mark.parametrize("bound", ["127.0.0.1", "::1", "0.0.0.0", "console.lan"])  # noqa: S104  nothing is bound
@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io:8642", "", "[evil]:1",
     "localhost:1@evil.example", "[::1]evil.example", "localhost:evil.example", "localhost@evil",
     "evil.example:localhost", "localhost,evil.example", "localhost."],
)  # fmt: skip
async def test_s4_a_foreign_name_is_answered_nowhere(bound: str, host: str) -> None:
    """S4: whoever owns the name may lead it to any address, and then reads what that answers."""
    status, text, headers = await _get("/static/console.css", host=host, bound=bound)
    assert status == 421
    assert ("PETSTREAM_CONSOLE_HOSTS" in text) == (bound not in {"127.0.0.1", "::1"})
    assert "default-src 'none'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("bound", "host", "status"),
    [("0.0.0.0", "192.168.7.9:8642", 200), ("0.0.0.0", "[fd00::1]", 200),  # noqa: S104  nothing is bound
     ("console.lan", "Console.LAN:8642", 200), ("127.0.0.1", "192.168.7.9", 421),
     ("127.0.0.1", "pets.example", 200), ("0.0.0.0", "pets.example:443", 200)],  # noqa: S104  nothing is bound
)  # fmt: skip
async def test_s4_addresses_names_that_are_set_and_the_one_it_is_bound_to_are_answered(
    bound: str, host: str, status: int
) -> None:
    """S4: an address is no name, and can be led nowhere."""
    assert (await _get("/static/console.css", host=host, bound=bound))[0] == status


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Dest": "image", "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Dest": "iframe"},
     {"Sec-Fetch-Dest": "video"}, {"Accept": "image/avif,image/webp,image/*,*/*;q=0.8"}],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/pets/7/life", "/plans/x", "/search?q=a", "/metrics"])
async def test_s8_no_page_is_fetched_as_a_picture(path: str, headers: dict[str, str]) -> None:
    """S8: a description may name any address as that of its picture, and /life costs a process."""
    assert (await _get(path, **headers))[0] == 403


async def test_s8_styles_and_pictures_are_embedded() -> None:
    """S8: by our own pages."""
    assert (await _get("/static/console.css", **{"Sec-Fetch-Dest": "style"}))[0] == 200
    picture = f"/pictures/{'a' * 64}.jpg"
    assert (await _get(picture, **{"Sec-Fetch-Dest": "image"}))[0] != 403
    assert (await _get("/static/console.css", **{"Sec-Fetch-Dest": "script"}))[0] == 403
    assert (await _get("/static/console.js", **{"Sec-Fetch-Dest": "script"}))[0] == 200
    assert (await _get("/", **{"Sec-Fetch-Dest": "script"}))[0] == 403


@pytest.mark.parametrize(
    ("mode", "dest", "status"),
    [("navigate", "document", 200), ("no-cors", "image", 403), ("navigate", "iframe", 403),
     ("cors", "empty", 403)],
)  # fmt: skip
async def test_another_site_may_link_to_a_page_and_no_more(
    mode: str, dest: str, status: int
) -> None:
    app = web.Application()
    mount(app, lambda: SETTINGS, bound_host="127.0.0.1")
    sent = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
    async with TestClient(TestServer(app)) as client:
        path = f"/pictures/{'a' * 64}.jpg" if dest == "image" else "/static/console.css"
        response = await client.get(path, headers=sent)
        assert response.status == status
        assert (await client.get("/static/console.css")).status == 200
