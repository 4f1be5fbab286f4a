"""What isn't there, or can't be asked so, is a page with the ways on; a failure shows nothing."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from console.page.error_pages import failed_page
from console.page.site import mount
from petstream.settings import KafkaAccess, Settings

HTML = {"Accept": "text/html,*/*;q=0.8"}


async def _ask(method: str, path: str, headers: dict[str, str]) -> tuple[int, str, str | None]:
    app = web.Application()
    settings = Settings(kafka=KafkaAccess("localhost:1"))
    mount(app, lambda: settings, bound_host="127.0.0.1")
    async with TestClient(TestServer(app)) as client:
        response = await client.request(method, path, headers=headers)
        return response.status, await response.text(), response.headers.get("Allow")


async def test_a_page_that_is_not_there_leads_on() -> None:
    status, text, _ = await _ask("GET", "/pets/Biscuit%20%3Cb%3E", HTML)
    assert status == 404
    assert 'href="/search?q=Biscuit%20%3Cb%3E"' in text
    assert "<b>" not in text
    assert 'href="/plans"' in text


async def test_what_cannot_be_asked_so_says_how_it_can() -> None:
    status, text, allow = await _ask("POST", "/", HTML)
    assert (status, allow) == (405, "GET, HEAD")
    assert "POST / isn&#39;t answered" in text


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/no", 404), ("POST", "/", 405)])
async def test_a_program_gets_a_line(method: str, path: str, status: int) -> None:
    answer, text, _ = await _ask(method, path, {"Accept": "application/json"})
    assert answer == status
    assert "<html" not in text


def test_the_page_of_a_failure_says_that_the_work_goes_on() -> None:
    page = failed_page()
    assert page.status == 500
    assert "the work itself go on" in (page.text or "")
