"""/healthz, /readyz and /metrics while servers are there, silent, and there again (T40, T41)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from members import Server
from server_homes import put_away

from console.daemon import health
from console.daemon.health import Health
from console.daemon.http import served
from console.embedded import servers as embedded
from consumers.admin.lag import GroupLag
from consumers.engine.migrate import migrate
from consumers.registry import NAMES
from petstream.kafka.client import ensure_topics
from petstream.settings import Settings

pytestmark = pytest.mark.servers


@dataclass
class Site:
    """A served health, and the servers it tells of."""

    url: str
    servers: dict[str, Server]

    async def get(self, path: str) -> tuple[int, str]:
        """Ask for a page."""
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
            return answer.status, await answer.text()

    async def until(self, status: int) -> str:
        """Wait until /readyz answers so; return what it says."""
        async with asyncio.timeout(30):
            while True:
                current, said = await self.get("readyz")
                if current == status:
                    return said
                await asyncio.sleep(0.2)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with put_away(tmp_path_factory.mktemp("health")) as directory:
        yield directory


@pytest.fixture
async def site(data_dir: Path, prefix: str) -> AsyncIterator[Site]:
    kafka = await asyncio.to_thread(embedded.ensure_kafka, data_dir, for_tests=True)
    url = await asyncio.to_thread(embedded.ensure_postgres, data_dir, for_tests=True)
    await ensure_topics(kafka, prefix)
    await migrate(url)
    asked = [
        health.of_consumers(kafka, prefix, NAMES[:1]),
        health.of_postgres(url),
    ]
    checked = Health(asked, every_s=0.5, deadline_s=2.0)
    known = Settings(kafka=kafka, database_url=url, topic_prefix=prefix)
    async with served(("127.0.0.1", 0), checked, lambda: known, say=lambda _line: None) as address:
        assert address is not None
        yield Site(address, {name: Server(data_dir, name) for name in ("kafka", "postgres")})


async def test_the_page_tells_of_real_servers(site: Site) -> None:
    async with asyncio.timeout(90):
        status, text = await site.get("")
        while 'id="parts"' not in text:  # a machine that is busy: topics are made before a look
            await asyncio.sleep(1)
            status, text = await site.get("")
    assert status == 200
    assert "No export yet" in text
    assert "<dt>stored</dt><dd>0</dd>" in text


@pytest.mark.parametrize("name", ["kafka", "postgres"])
async def test_t40_t41_a_silent_server_is_told_and_its_return_too(site: Site, name: str) -> None:
    """T40, T41: frozen, it takes connections and answers nothing; /healthz goes on."""
    await site.until(200)
    with site.servers[name].frozen():
        said = await site.until(503)
        assert said.startswith(f"{name}:")
        assert await site.get("healthz") == (200, "alive\n")
        assert "/readyz" in (await site.get(""))[1]
        metrics = (await site.get("metrics"))[1]
        assert f'petstream_server_up{{server="{name}"}} 0.0' in metrics
        assert "petstream_ready 0.0" in metrics
    await site.until(200)
    metrics = (await site.get("metrics"))[1]
    assert 'petstream_consumer_lag_records{consumer="pets"} 0.0' in metrics
    assert "petstream_ready 1.0" in metrics


def test_t40_a_silent_outage_shows_within_a_minute() -> None:
    """T40: with the times that users have."""
    assert health.EVERY_S + 2 * health.DEADLINE_S < 60


def test_a_consumer_that_commits_nothing_with_work_before_it_stands_still() -> None:
    progress, began = health.CommitProgress(), 1_000.0

    def lag(committed: int, behind: int) -> list[GroupLag]:
        return [GroupLag("pets", "pets.v1", 0, committed, committed + behind, behind)]

    assert progress.problem(lag(5, 3), began) is None
    assert progress.problem(lag(5, 9), began + 299) is None
    said = progress.problem(lag(5, 9), began + 300)
    assert said is not None
    assert "consumer pets has committed nothing for 300 s, with 9 records" in said
    assert progress.problem(lag(6, 9), began + 301) is None, "it moves"
    assert progress.problem(lag(6, 0), began + 900) is None, "it has nothing to do"


async def test_a_taken_port_is_said_and_the_next_free_one_used() -> None:
    said: list[str] = []
    async with served(("127.0.0.1", 0), Health([]), lambda: None, say=said.append) as first:
        assert first is not None
        port = int(first.rstrip("/").rpartition(":")[2])
        async with served(("127.0.0.1", port), Health([]), lambda: None, say=said.append) as second:
            assert second != first
    assert any(f"127.0.0.1:{port} is taken" in line for line in said)
    async with served(None, Health([]), lambda: None, say=said.append) as nowhere:
        assert nowhere is None
