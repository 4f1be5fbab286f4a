"""The last look: given at once, kept while servers are away, shared by all who ask."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from console.page.operations import last_look
from console.page.operations.last_look import LookKeeper
from petstream.errors import UnreachableError
from petstream.settings import KafkaAccess, Settings

SETTINGS = Settings(kafka=KafkaAccess("localhost:1"), data_dir=Path(tempfile.gettempdir()))
FIRST = "2026-03-02T12:00:00Z"


def _status(at: str = FIRST, pictures: dict[str, int] | None = None) -> dict[str, Any]:
    return {"at": at, "pictures": pictures, "lag": [], "parts": []}


class PlayedServers:
    """What each look comes to: a status, an error, or silence until it is let go."""

    def __init__(self, *looks: dict[str, Any] | Exception | None) -> None:
        """Play these; the last one again and again."""
        self.looks, self.asked = list(looks), 0
        self.silent, self.go = asyncio.Event(), asyncio.Event()

    async def gather(self, _settings: Settings) -> dict[str, Any]:
        """Look."""
        look = self.looks[min(self.asked, len(self.looks) - 1)]
        self.asked += 1
        if isinstance(look, Exception):
            raise look
        if look is None:
            self.silent.set()
            await self.go.wait()
            raise UnreachableError("Kafka is away")
        return look


@asynccontextmanager
async def keeping(
    servers: PlayedServers, settings: Callable[[], Settings | None] = lambda: SETTINGS
) -> AsyncIterator[LookKeeper]:
    """Keep looking while the block runs."""
    keeper = LookKeeper(settings, servers.gather)
    beside = keeper.beside(web.Application())
    await anext(beside)
    yield keeper
    async for _ in beside:
        pass


async def test_as_long_as_nothing_is_known_it_looks_again_unasked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The servers were there for half a minute, and the page said that they are waited for."""
    monkeypatch.setattr(last_look, "_UNKNOWN_S", 0.01)
    servers, known = PlayedServers(None), [None, SETTINGS]
    async with keeping(servers, lambda: known[0]) as keeper:
        assert (await keeper.get()).status is None
        known.pop(0)
        async with asyncio.timeout(30):
            await servers.silent.wait()
        servers.go.set()


async def test_a_full_disk_is_named_beside_the_kafka_that_it_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A morning of docs/console.md: Kafka was silent, and only a shell told why."""
    away = UnreachableError("Kafka is away")
    async with keeping(PlayedServers(away)) as keeper:
        assert (await keeper.get()).problem == "Kafka is away"
    monkeypatch.setattr(last_look, "_FULL_BYTES", 2**70)
    async with keeping(PlayedServers(away)) as keeper:
        problem = (await keeper.get()).problem
    assert problem == f"Kafka is away; the disk of {SETTINGS.data_dir} is full"


async def test_all_who_ask_share_one_look() -> None:
    servers = PlayedServers(_status())
    async with keeping(servers) as keeper:
        looks = [await keeper.get() for _ in range(10)]
    assert servers.asked == 1
    assert {look.problem for look in looks} == {None}


async def test_the_last_known_state_stays_while_kafka_is_away_and_says_since_when(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(last_look, "_FRESH_S", -1)
    servers = PlayedServers(_status(), UnreachableError("Kafka is away"))
    async with keeping(servers) as keeper:
        assert (await keeper.get()).problem is None
        while (look := await keeper.get()).problem is None:
            pass
    assert look.problem == "Kafka is away"
    assert look.status == _status()
    assert look.stale_since is not None


async def test_a_silent_kafka_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sight 2 of issue 19: nothing for 15 s, then one line and no page."""
    monkeypatch.setattr(last_look, "_FRESH_S", -1)
    monkeypatch.setattr(last_look, "_SILENT_AFTER_S", 0.0)
    monkeypatch.setattr(last_look, "_AT_ONCE_S", 0.0)
    servers = PlayedServers(_status(), None)
    async with keeping(servers) as keeper:
        await keeper.get()
        await keeper.get()
        await servers.silent.wait()
        look = await keeper.get()
        assert look.status == _status()
        assert look.problem is not None
        assert "no answer" in look.problem


async def test_before_the_first_answer_it_is_said_that_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(last_look, "_FIRST_S", 0.0)
    async with keeping(PlayedServers(None)) as keeper:
        look = await keeper.get()
    assert look.status is None
    assert look.problem is not None
    monkeypatch.setattr(last_look, "_FIRST_S", 30.0)
    async with keeping(PlayedServers(_status()), lambda: None) as keeper:
        assert (await keeper.get()).problem == "Kafka and Postgres are being waited for"


async def test_a_look_that_takes_too_long_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_look, "_DEADLINE_S", 0.01)
    async with keeping(PlayedServers(None)) as keeper:
        assert "within 0.01 s" in ((await keeper.get()).problem or "")


async def test_counts_of_pictures_stay_as_they_were_while_postgres_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(last_look, "_FRESH_S", -1)
    counts = {"due": 3, "stored": 9}
    servers = PlayedServers(_status(pictures=counts), _status("2026-03-02T12:05:00Z"))
    async with keeping(servers) as keeper:
        assert (await keeper.get()).pictures_at is None
        while (look := await keeper.get()).pictures_at is None:
            pass
    assert look.pictures_at == FIRST
    assert look.status is not None
    assert look.status["pictures"] == counts


async def test_what_ends_the_looks_is_raised_and_not_hidden() -> None:
    async with keeping(PlayedServers({"at": FIRST})) as keeper:
        with pytest.raises(KeyError):
            await keeper.get()
