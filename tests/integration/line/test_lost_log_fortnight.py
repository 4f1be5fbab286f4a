"""Fifteen days with kills, a Postgres restored, tails cut and a directory put back: right each day.

Only by `scripts/test --long`: it takes some minutes.

Rule 1: nothing but what a machine's timers do: the ingester is looked for twice a day, the
        consumers run in between. A run or a consumer that is killed is started again by the next.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import asyncpg
import pytest
from forked_processes import KILLED, forked
from lossy_days import PASSWORD, USER, LossyFeed
from lossy_kafka import LossyKafka
from profiles import chosen_seed

from ingest.leadership import election, lease
from lab.simulator import history, serve_ftp
from petstream.failpoints import PLACES
from petstream.kafka.records import TopicPartition
from petstream.settings import FtpUrl
from petstream.topics import EXPORTS, ORGS, PETS

pytestmark = [
    pytest.mark.servers,
    pytest.mark.long,
]

DAYS: Final = 15
SEED: Final = chosen_seed(15)
INGEST_PLACES: Final = [name for name in PLACES if name.startswith("ingest.")]
CONSUMER_PLACES: Final = [name for name in PLACES if name.startswith("consumer.")]

_log = logging.getLogger(__name__)


class Plan(NamedTuple):
    """On which day which trouble comes, drawn from a seed."""

    cut: frozenset[int]
    put_back: int
    copied: int
    restored: int
    dumped: int
    killed: frozenset[int]


def planned(seed: int) -> Plan:
    """Draw two days on which tails are cut, one on which the directory is put back, and so on."""
    rng = random.Random(seed)  # noqa: S311  days, no secrets
    cut_early, put_back, restored, cut_late = sorted(rng.sample(range(3, DAYS - 1), 4))
    kills = frozenset(rng.sample(range(1, DAYS), 8))
    return Plan(
        frozenset({cut_early, cut_late}), put_back, put_back - rng.randint(1, 2), restored,
        restored - 2, kills,
    )  # fmt: skip


@pytest.fixture
def feed(
    tmp_path: Path, lossy_kafka: LossyKafka, prefix: str, databases: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[LossyFeed]:  # fmt: skip
    for module in (lease, election):
        monkeypatch.setattr(module, "SESSION_S", 1.0)
    home = tmp_path / "ftp"
    home.mkdir()
    with serve_ftp(home, user=USER, password=PASSWORD) as server:
        ftp = FtpUrl(USER, PASSWORD, "127.0.0.1", server.port, "", tls=False)
        made = history(seed=SEED, pets=200, days=DAYS)
        yield LossyFeed(made, home, ftp, lossy_kafka, database_url=databases(), prefix=prefix)


def test_fifteen_days_of_losses_end_right_every_day(feed: LossyFeed, postgres: str) -> None:
    plan, rng = planned(SEED), random.Random(SEED + 1)  # noqa: S311  places, no secrets
    _log.info("planned: %s", plan)
    databases = _Databases(postgres, feed.database_url)
    restated = [0]
    for day in range(DAYS):
        before = asyncio.run(feed.ends_of(PETS, ORGS, EXPORTS)) if day else {}
        feed.put_out(day)
        if day in plan.killed:
            once(feed.look, f"{rng.choice(INGEST_PLACES)}:{rng.randint(1, 2)}")
        once(feed.look)
        if day in plan.killed:
            once(feed.drain, f"{rng.choice(CONSUMER_PLACES)}:{rng.randint(1, 3)}")
        if rng.random() < 0.7:
            once(feed.drain)
        make_trouble(feed, plan, day, before, rng)
        if day == plan.restored:
            asyncio.run(databases.restore())
        for _ in range(2):
            once(feed.look)
            once(feed.drain)
        if day == plan.copied:
            asyncio.run(feed.lossy.copy())
        if day == plan.dumped:
            asyncio.run(databases.dump())
        assert asyncio.run(feed.log_differences()) == {}, day
        assert asyncio.run(feed.table_differences()) == (), day
        restated.append(asyncio.run(feed.restated()).total())
        _log.info(
            "day %d: right; %d snapshots in the log, %d events restated in it, %d a day before",
            day, len(asyncio.run(feed.snapshots())), restated[-1], restated[-2],
        )  # fmt: skip


def make_trouble(
    feed: LossyFeed,
    plan: Plan,
    day: int,
    before: dict[TopicPartition, int],
    rng: random.Random,
) -> None:
    """Let Kafka lose what the plan says."""
    if day in plan.cut:
        some = rng.sample([PETS, ORGS, EXPORTS], 2)
        names = {topic.full_name(feed.settings.topic_prefix) for topic in some}
        cut = {place: end for place, end in before.items() if place.topic in names}
        torn = rng.random() < 0.5
        _log.info("day %d: cut %s, torn: %s", day, [topic.name for topic in some], torn)
        assert feed.lossy.cut_back(cut, torn=torn)
    if day == plan.put_back:
        asyncio.run(feed.lossy.put_back())


class _Databases:
    """A Postgres database and a dump of it."""

    def __init__(self, server: str, url: str) -> None:
        self._server, self._name = server, urlsplit(url).path[1:]
        self._dump = f"dump_{secrets.token_hex(4)}"

    async def dump(self) -> None:
        """Keep what the database is now."""
        await self._copy(self._name, self._dump)

    async def restore(self) -> None:
        """Make the database what it was then."""
        await self._copy(self._dump, self._name)

    async def _copy(self, source: str, target: str) -> None:
        connection = await asyncpg.connect(self._server)
        try:
            await connection.execute(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)")
            await connection.execute(f"CREATE DATABASE {target} TEMPLATE {source}")
        finally:
            await connection.close()


def once(work: Callable[[], Coroutine[Any, Any, object]], at: str = "") -> None:
    """Do something in a process of its own, killed at a place or let to its end."""
    (ended,) = forked((work, at))
    assert ended.status in ({0, KILLED} if at else {0}), (work, at)
