"""Texts that would rule a page, in every field that has text, through all pages of the console.

The servers, the commands that pages run, and the pages are real; who looks is a parser.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from handmade_events import export_id
from hostile_line import EVERYTHING, MIXED, HostileLine
from hostile_texts import MARK, NUL, TEXTS, effects, links, ruling
from judged_html import judge
from profiles import LONG

from console.page.guard import headers_of_answers
from console.page.site import mount
from petstream.settings import KafkaAccess

pytestmark = pytest.mark.servers

TOKEN: Final = "a-token-of-16-characters-or-more"
HELD: Final = f"/plans/{export_id(2)}.pets"
LETTER: Final = re.compile(r"/dead-letters/\d+")
DESCRIPTION: Final = re.compile(
    r'<div class="description">(.*?)</div>\n<p class="quiet">', re.DOTALL
)
SHOWING: Final = {
    "/", "/plans", "/search", HELD, f"/exports/{export_id(3)}",
    f"/pets/{MIXED}", f"/pets/{MIXED}/life", f"/orgs/{MIXED}", f"/api/pets/{MIXED}",
    f"/api/orgs/{MIXED}", "/api/search", f"/exports/{export_id(2)}/diff",
    *(f"/pets/{number}" for number in range(2, len(TEXTS) + 1)),
    *(f"/orgs/{number}" for number in range(1, len(TEXTS) + 1)),
}  # fmt: skip
"""Pages on which a text of the line stands: it was there to be shown."""


class Crawl:
    """Looks at pages as a browser, and judges each."""

    def __init__(self, client: TestClient[Any, Any]) -> None:
        """Begin with none."""
        self._client = client
        self.showing: set[str] = set()
        self.linked: set[str] = set()
        self.kinds: set[str] = set()

    async def look(self, path: str, **posted: str) -> None:
        """Ask for a page, or post a form, and judge the answer."""
        method = "POST" if posted else "GET"
        answer = await self._client.request(
            method, path, data=posted or None, allow_redirects=False,
            headers={"Host": "localhost", "Accept": "text/html"},
        )  # fmt: skip
        text = await answer.text()
        assert answer.status != 500, path
        assert not [name for name in answer.headers if "h0st" in name.lower()], path
        assert answer.headers.items() >= headers_of_answers().items(), path
        assert "\n" not in answer.headers.get("Location", ""), path
        route = urlsplit(path).path
        if MARK in text:
            self.showing.add(route)
        if answer.content_type == "text/html":
            assert effects(text) == [], path
            assert ruling(text) == set(), path
            for description in DESCRIPTION.findall(text):
                judge(description)
            self.linked |= links(text)
        elif answer.content_type == "application/json":
            json.loads(text)
        else:
            assert answer.content_type in {"text/plain", "text/css", "text/javascript"}, path
            assert MARK not in text, path


async def test_s5_no_text_of_the_feed_rules_a_page(
    kafka: str, prefix: str, database_url: str, tmp_path: Path
) -> None:
    """S5, S8: as an element, an attribute, a header, a control or a turn of what is beside."""
    hostile = HostileLine(KafkaAccess(kafka), prefix, database_url, tmp_path)
    await hostile.seed()
    await hostile.apply(["pets"])  # it keeps the dead letters in a table
    settings = replace(hostile.settings, console_token=TOKEN)
    app = web.Application()
    mount(app, lambda: settings, bound_host="127.0.0.1")
    async with TestClient(TestServer(app)) as client:
        crawl = Crawl(client)
        first = {*_plain(app), *_asked(), *SHOWING}
        for path in sorted(first):
            await crawl.look(path)
        await crawl.look(HELD, action="reject", by=EVERYTHING, reason=EVERYTHING, token=TOKEN)
        await crawl.look(min(path for path in crawl.linked if LETTER.fullmatch(path)))
        for path in sorted(crawl.linked - first) if LONG else ():
            await crawl.look(path)
    assert SHOWING - crawl.showing == set()
    assert [path for path in crawl.showing if LETTER.fullmatch(path)] != []


def _plain(app: web.Application) -> Iterator[str]:
    """Return each page that has no parameter: a new one is looked at here, too."""
    for route in app.router.routes():
        if route.method == "GET" and route.resource and "{" not in route.resource.canonical:
            yield route.resource.canonical


def _asked() -> Iterator[str]:
    """Return addresses that hold the texts themselves: what a link from elsewhere may say."""
    texts = [quote(text[:500], safe="") for text in (*TEXTS.values(), NUL)] + ["%ff%ed%a0%80"]
    for text in texts:
        yield f"/search?q={text}"
        yield f"/{text}"
    few = [quote(TEXTS[kind], safe="") for kind in ("out of quotes", "a header", "right to left")]
    for text in (*few, texts[-1]):
        yield from (f"/search?{name}={text}" for name in ("species", "state", "org", "left"))
        yield from (f"/{path}={text}" for path in ("search?after", "api/search?q", "orgs/1?after"))
        yield from (f"/dead-letters?{name}={text}" for name in ("reason", "class", "before"))
        yield from (f"/{folder}/{text}" for folder in ("plans", "exports", "pictures", "pets"))
