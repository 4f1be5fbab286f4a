"""The pages of docs/ops in the console: where an alert's link leads, and every link among them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from console.inspect.trouble.runbooks import runbooks
from console.page.site import mount

OPS = Path(__file__).parents[4] / "docs" / "ops"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((OPS / "alerts.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]


def _client() -> TestClient[web.Request, web.Application]:
    app = web.Application()
    mount(app, lambda: None, bound_host="127.0.0.1")
    return TestClient(TestServer(app))


async def _text(client: TestClient[web.Request, web.Application], path: str) -> str:
    async with client.get(path) as answer:
        assert answer.status == 200, path
        return await answer.text()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
async def test_where_an_alert_leads_it_says_what_to_do_without_any_server(
    rule: dict[str, Any],
) -> None:
    path = rule["annotations"]["runbook_url"].rpartition("{{ end }}")[2]
    async with _client() as client:
        text = await _text(client, f"/runbooks{path}")
    assert f"<h1>{rule['alert']}</h1>" in text
    page = (OPS / f"{path[1:]}.md").read_text("utf-8")
    code = re.findall(r"`([^`]+)`", page)
    assert re.findall(r"<code>([^<]+)</code>", text.replace("&#39;", "'")) == code


async def test_every_link_among_the_pages_leads_to_one() -> None:
    async with _client() as client:
        listed = await _text(client, "/runbooks")
        to_visit, seen = set(re.findall(r'href="(/runbooks/[^"]+)"', listed)), set()
        assert to_visit == {f"/runbooks/{each.page}" for each in runbooks().values()}
        while to_visit:
            path = to_visit.pop()
            seen.add(path)
            to_visit |= set(re.findall(r'href="(/runbooks/[^"]+)"', await _text(client, path)))
            to_visit -= seen
        async with client.get("/runbooks/not-ready") as answer:
            assert '<a href="/runbooks/server-away">server-away</a>' in await answer.text()


async def test_a_page_that_there_is_not_says_where_all_are() -> None:
    async with _client() as client, client.get("/runbooks/nothing-of-the-kind") as answer:
        assert answer.status == 404
        assert 'href="/runbooks"' in await answer.text()
