"""The pages in a real browser: what a person sees and does, with real servers behind them.

Needs Chromium; `.ci/run` installs Debian's where it may. PETSTREAM_TEST_SCREENSHOTS names a
directory to put pictures of every page into.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import jsonschema
import pytest
from aiohttp import ClientSession
from axe_playwright_python.async_playwright import Axe
from console_process import serving
from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    async_playwright,
)

from console.inspect.database_reader import Unavailable, fetch_rows
from console.page.api.openapi import ENDPOINTS, openapi
from consumers.app import consume
from consumers.registry import NAMES
from ingest.run import ingest
from lab import simulate
from lab.simulator import Expected, expected, history
from petstream import setting_values
from petstream.settings import KafkaAccess, Settings

pytestmark = pytest.mark.servers

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
TOKEN = "canary-of-the-console"
DAYS = 3
HELD = "SELECT plan_id, removals FROM petstream.removal_plans WHERE state = 'held'"
STORED = "SELECT animal_id FROM petstream.pet_pictures WHERE status = 'stored'"
REMOVED = "SELECT animal_id FROM petstream.removed_pets"
LISTED = "SELECT count(*) AS pets FROM petstream.pets"
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1100, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1100, "height": 800}},
    "phone": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}},
}


class BrowsedConsole(NamedTuple):
    """A console that serves what some simulated days left behind."""

    url: str
    wanted: Expected
    settings: Settings
    kafka: KafkaAccess

    async def rows(self, query: str) -> list[dict[str, Any]]:
        """Ask the views."""
        answers = await fetch_rows(self.settings.database_url, {"asked": (query, ())})
        assert not isinstance(answers, Unavailable)
        return answers["asked"]

    async def catch_up(self) -> None:
        """Run the consumers until they have applied all there is."""
        await consume(
            NAMES, self.settings, kafka=self.kafka, drain=True, stopping=asyncio.Event(),
            database_url=self.settings.database_url or "",
        )  # fmt: skip


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """A browser without a window."""
    if CHROMIUM is None:
        pytest.skip("Chromium isn't installed: on Debian, apt install chromium")
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
async def console(
    tmp_path: Path, kafka: str, database_url: str, prefix: str
) -> AsyncIterator[BrowsedConsole]:
    """Two days that went well, and a third whose petlist names too few."""
    access = KafkaAccess(kafka)
    with simulate.served(tmp_path / "feed", port=0, pictures_port=0) as feed:
        made = history(seed=5, pets=60, days=DAYS, pictures_url=feed.pictures_url, key=simulate.KEY)
        settings = Settings(
            ftp=setting_values.ftp_url(feed.address.url),
            data_dir=tmp_path / "data", topic_prefix=prefix, settle_s=0, database_url=database_url,
            pictures=(tmp_path / "pictures").as_uri(),
            picture_trusted_hosts=frozenset({urlsplit(feed.pictures_url).netloc}),
        )  # fmt: skip
        for day in range(DAYS):
            faults = ["short-petlist"] if day == DAYS - 1 else []
            feed.write(made, day, zipped=False, faults=faults)
            await ingest(settings, access)
            await BrowsedConsole("", expected(made, 0), settings, access).catch_up()
    with serving(
        tmp_path, kafka=kafka, database_url=database_url, topic_prefix=prefix,
        data_dir=str(settings.data_dir), pictures=str(settings.pictures), console_token=TOKEN,
    ) as (url, said):  # fmt: skip
        yield BrowsedConsole(url, expected(made, DAYS - 2), settings, access)
    assert "".join(said) == ""


class Watched:
    """A page, and whatever a browser complained of or asked others for."""

    def __init__(self, page: Page, url: str) -> None:
        """Watch it from now on."""
        self.page, self._url = page, url
        self.complaints: list[str] = []
        page.on("console", self._logged)
        page.on("requestfinished", self._asked)
        page.on("requestfailed", self._asked)

    def _logged(self, message: ConsoleMessage) -> None:
        # of pictures in descriptions: they are refused, as they should be
        if "violates the following Content Security Policy" not in message.text or (
            "img-src" not in message.text
        ):
            self.complaints.append(message.text)

    def _asked(self, request: Request) -> None:
        # the tracker of a description is refused before anything is sent, as it should be
        if not request.url.startswith(self._url) and request.failure != "csp":
            self.complaints.append(f"asked for {request.url}")

    async def go(self, path: str) -> str:
        """Go to a page; return its text."""
        await self.page.goto(self._url + path.removeprefix("/"))
        return await self.page.inner_text("body")


def _interesting(wanted: Expected) -> int:
    """Return a pet with pictures and a description."""
    return next(key for key, row in wanted.pets.items() if row["pictures"] and row["description"])


async def _looked_at(page: Page, name: str) -> None:
    folder = os.environ.get("PETSTREAM_TEST_SCREENSHOTS")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


async def test_every_page_is_whole_and_accessible(
    console: BrowsedConsole, chromium: Browser
) -> None:
    """Axe finds nothing, nothing is asked of others, nothing is wider than the screen.

    What `/api` answers of each is as it is described.
    """
    pet = _interesting(console.wanted)
    (plan,) = [row["plan_id"] for row in await console.rows(HELD)]
    gone = (await console.rows(REMOVED))[0]["animal_id"]
    pages = {
        "front": ("/", "The last 3 exports"),
        "pet": (f"/pets/{pet}", "What happened"),
        "life": (f"/pets/{pet}/life", "The events of"),
        "plan": (f"/plans/{plan}", "What the gate saw"),
        "deciding": (f"/plans/{plan}?decide=approve", "Not yet"),
        "exports": ("/exports", "Exports"),
        "export": (f"/exports/{plan.partition('.')[0]}", "What became of its rows"),
        "missing": ("/nothing/here", "leads nowhere"),
        "plans": ("/plans", "waits for you"),
        "dead-letters": ("/dead-letters", "None: every row could be read"),
        "replay": ("/dead-letters/replay", "nothing to send back"),
        "organizations": ("/orgs", "Organisations"),
        "feeds": ("/feeds", "this console"),
        "runbooks": ("/runbooks", "What to do"),
        "runbook": ("/runbooks/not-ready", "server-away"),
        "organization": (f"/orgs/{console.wanted.pets[pet]['orgID']}", "listed"),
        "search": ("/search?q=a", "Narrow it down"),
        "removed": (f"/pets/{gone}", "Left the feed"),
        "nobody": ("/pets/1", "There is no pet 1"),
    }
    for seen, screen in LOOKS.items():
        page = await chromium.new_page(**screen)
        watched = Watched(page, console.url)
        for name, (path, shows) in pages.items():
            where = f"{path}, {seen}"
            assert shows in await watched.go(path), where
            await _looked_at(page, f"{name}-{seen}")
            report = await Axe().run(page)
            assert not report.response["violations"], f"{where}: {report.generate_report()}"
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert await page.evaluate(wide) == 0, where
            broken = (
                "[...document.images].filter(i => i.complete && !i.naturalWidth && i.offsetWidth)"
            )
            assert await page.evaluate(f"{broken}.map(i => i.src)") == [], where
        assert [complaint for complaint in watched.complaints if "404" not in complaint] == []
        await page.close()
    await _described(console.url, {
        "animalId": str(pet), "orgId": str(console.wanted.pets[pet]["orgID"]), "planId": plan,
        "exportId": plan.partition(".")[0], "page": "down",
    })  # fmt: skip


async def _described(url: str, values: dict[str, str]) -> None:
    """Ask each endpoint whose parameters are known, and validate its answer."""
    document = openapi()
    async with ClientSession() as client:
        for endpoint in ENDPOINTS:
            if not set(endpoint.in_path) <= set(values):
                continue  # there are no dead letters
            operation = document["paths"][endpoint.path]["get"]
            content = operation["responses"]["200"]["content"]["application/json"]["schema"]
            path = endpoint.path.format_map(values)
            async with client.get(url + path.removeprefix("/")) as answer:
                said = await answer.json()
                assert answer.status == 200, (path, said)
            jsonschema.validate(said, content | {"components": document["components"]})


async def test_a_person_finds_a_pet_without_javascript_and_decides_with_the_token(
    console: BrowsedConsole, chromium: Browser
) -> None:
    """From the front page to a pet, its pictures and its life; then a held removal is approved."""
    context = await chromium.new_context(java_script_enabled=False)
    watched = Watched(page := await context.new_page(), console.url)
    text = await watched.go("/")
    assert "doesn't run" in text
    assert "wait for a decision" in text
    pet = _interesting(console.wanted)
    row = console.wanted.pets[pet]
    await page.fill("input[name=q]", str(pet))
    await page.click("header button")
    assert await page.inner_text("h1") == row["name"]
    stored = [row for row in await console.rows(STORED) if row["animal_id"] == pet]
    assert await page.locator(".viewer img").count() == len(stored) > 0
    assert row["breed"] in await page.inner_text("main")
    await page.click("text=Its events as they were published")
    text = await page.inner_text("body")
    assert "Listed now" in text
    assert f'"animalId": {pet}' in text

    (before,) = await console.rows(HELD)
    await watched.go("/")
    await page.click("text=Look and decide")
    text = await page.inner_text("main")
    assert f"{before['removals']} pets of" in text
    assert "What the gate saw" in text
    await page.click("text=Approve: they really left")
    await page.fill("#token", "not-the-token-at-all")
    await page.click(f"text=Remove these {before['removals']}")
    assert "The token is wrong" in await page.inner_text("main")
    (listed,) = await console.rows(LISTED)
    await page.click("text=Back to it")
    await page.fill("#token", TOKEN)
    await page.fill("#by", "Ada")
    await page.fill("#reason", "they really left")
    await page.click(f"text=Remove these {before['removals']}")
    assert "approved" in await page.inner_text("main")
    assert await page.locator("form.decide").count() == 0
    assert TOKEN not in await page.content()
    await console.catch_up()
    (after,) = await console.rows("SELECT * FROM petstream.removal_plans")
    assert (after["state"], after["decision_reason"]) == ("approved", "they really left")
    (left,) = await console.rows(LISTED)
    assert left["pets"] == listed["pets"] - before["removals"]
