"""The power fails under load, again and again: what Kafka hadn't on the disk is gone.

Everything but Postgres is killed at a random moment, segments lose their ends as pages that were
never written do, indexes are gone; then everything starts again, and nobody helps.
Twice, or with `scripts/test --long` twenty times.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest
from members import ROOT, Feed, Member, Server, bugs
from profiles import chosen_seed, rounds
from server_homes import put_away

from console.embedded import servers
from console.inspect.status import gather, render
from consumers.app import consume
from consumers.audit.compare import compare
from consumers.registry import NAMES
from ingest.run import ingest
from ingest.state.restore import fold_exports
from lab.simulator import history, serve_ftp, write_export
from petstream import topics
from petstream.errors import LostRecordsError
from petstream.events import Unstated
from petstream.fold import key_of, peek
from petstream.kafka.client import ensure_topics
from petstream.kafka.reader import read_topic
from petstream.settings import FtpUrl

pytestmark = pytest.mark.servers

ROUNDS = rounds(2, long=20)
SEED = chosen_seed(45)
USER, PASSWORD = "apikey-Ab3dEf9h", "canary-password"
MOST_CUT_BYTES = 24 * 1024
MOST_TURNS = 6
WITHIN_S = 60.0
UNKNOWABLE = re.compile(r"history: |removed pets: .* are missing")
"""What nothing restores: rows of history, and that a pet was there that is lost and has left."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Return where a Kafka of our own is, which may be killed."""
    with put_away(tmp_path / "servers") as directory:
        yield directory


@pytest.fixture
def feed(tmp_path: Path, home: Path, prefix: str, database_url: str) -> Iterator[Feed]:
    ftp_home = tmp_path / "ftp"
    ftp_home.mkdir()
    kafka = servers.ensure_kafka(home, for_tests=True, authenticated=False).bootstrap
    with serve_ftp(ftp_home, user=USER, password=PASSWORD) as server:
        ftp = FtpUrl(USER, PASSWORD, "127.0.0.1", server.port, "", tls=False)
        feed = Feed(
            history(seed=SEED, pets=250, days=ROUNDS + 1), ftp_home,
            ftp=ftp, kafka=kafka, database_url=database_url, prefix=prefix,
        )  # fmt: skip
        # a cut takes most of the few organisations: whoever left since would wait for a person
        feed.settings = replace(feed.settings, removal_max_share=1.0)
        yield feed


@dataclass
class Machine:
    """Kafka, the ingester and a consumer, all on one supply."""

    feed: Feed
    home: Path
    logs: Path
    rng: Random

    def segments(self) -> list[Path]:
        """Return the newest segment of each partition of ours, and of the groups' offsets."""
        ours = re.escape(self.feed.settings.topic_prefix)
        directories = [
            path
            for path in (self.home / "kafka" / "log").iterdir()
            if re.match(rf"({ours}|__consumer_offsets)", path.name) and path.is_dir()
        ]
        return [max(path.glob("*.log")) for path in sorted(directories)]

    def size_bytes(self) -> int:
        """Return how much there is."""
        return sum(path.stat().st_size for path in self.segments())

    def ingester(self) -> subprocess.Popen[bytes]:
        """Start `petstream ingest`."""
        settings = self.feed.settings
        assert settings.ftp is not None
        url = f"ftp://{USER}:{PASSWORD}@{settings.ftp.host}:{settings.ftp.port}/"
        plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.Popen(
            [sys.executable, "-m", "console", "ingest"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.logs,
            env=plain | {
                "PYTHONPATH": str(ROOT),
                "PETSTREAM_FTP_URL": url,
                "PETSTREAM_KAFKA": self.feed.kafka.bootstrap,
                "PETSTREAM_TOPIC_PREFIX": settings.topic_prefix,
                "PETSTREAM_DATA_DIR": str(settings.data_dir),
                "PETSTREAM_SETTLE_S": "0",
                "PETSTREAM_REMOVAL_MAX_SHARE": "1",
            },
        )  # fmt: skip

    async def run_until_the_power_fails(self, number: int) -> list[str]:
        """Read an export and apply it; kill everything in between; return what was lost."""
        consumer = Member(self.feed, self.logs / f"member-{number}.log")
        ingester = self.ingester()
        grown, began = self.size_bytes() + self.rng.randint(0, 60_000), time.monotonic()
        try:
            while ingester.poll() is None and self.size_bytes() < grown:
                assert time.monotonic() - began < WITHIN_S
                await asyncio.sleep(0.002)
            Server(self.home, "kafka").send(signal.SIGKILL)
            while servers.running(self.home).kafka is not None:  # noqa: ASYNC110  it tells nobody
                await asyncio.sleep(0.01)  # it may still be writing
        finally:
            ingester.kill()
            ingester.wait()
            consumer.done_with()
        assert bugs([consumer]) == []
        return self.lose_unwritten_pages()

    def lose_unwritten_pages(self) -> list[str]:
        """Cut the ends of some segments; return of which."""
        cut = []
        for path in self.segments():
            size = path.stat().st_size
            if not size or self.rng.random() < 0.5:
                continue
            os.truncate(path, size - self.rng.randint(1, min(size, MOST_CUT_BYTES)))
            for index in (*path.parent.glob("*.index"), *path.parent.glob("*.timeindex")):
                index.unlink()
            cut.append(path.parent.name)
        return cut

    async def start_again(self) -> int:
        """Start Kafka; ingest and consume until nothing differs; return how often that took."""
        await asyncio.to_thread(
            servers.ensure_kafka, self.home, for_tests=True, authenticated=False
        )
        for turn in range(1, MOST_TURNS + 1):
            try:
                await ingest(self.feed.settings, self.feed.kafka)
            except LostRecordsError:
                continue  # as the watch would
            await consume(
                NAMES, self.feed.settings, kafka=self.feed.kafka,
                database_url=self.feed.database_url, drain=True, stopping=asyncio.Event(),
            )  # fmt: skip
            if await self.differences() == []:
                return turn
        raise AssertionError(f"{await self.differences()}\n{await self.how_it_stands()}")

    async def how_it_stands(self) -> str:
        """Return what is known of losses, for whoever looks at a failure."""
        audit = await compare(
            self.feed.kafka, self.feed.database_url, self.feed.settings.topic_prefix
        )
        known = await gather(
            self.feed.settings, kafka=self.feed.kafka, database_url=self.feed.database_url
        )
        return f"{audit}\n{render(known)}"

    async def differences(self) -> list[str]:
        """Return where tables and log aren't as the feed is."""
        lines = [line for line in await self.feed.differences() if not UNKNOWABLE.match(line)]
        listed = await self.listed()
        truth = set(self.feed.history.truth(self.feed.days - 1).pets)
        if listed != truth:
            lines.append(f"the log: {sorted(truth - listed)} lack, {sorted(listed - truth)} stayed")
        return lines

    async def listed(self) -> set[int]:
        """Return which pets the log lists, less those that a snapshot says have left."""
        prefix = self.feed.settings.topic_prefix
        completed = (await fold_exports(self.feed.kafka, prefix)).last_completed
        assert completed is not None
        below = completed.snapshot if isinstance(completed.snapshot, int) else 0
        unstated = completed.unstated
        stands = unstated.pets if isinstance(unstated, Unstated) else ()
        newest: dict[int, tuple[tuple[int, str], bool]] = {}
        for record in await read_topic(self.feed.kafka, topics.PETS.full_name(prefix)):
            key, head = key_of(record.key), peek(record.headers, record.value)
            if key is not None and head is not None:
                event = (head.rank, head.listed)
                newest[key] = max(newest.get(key, event), event)
        return {
            key
            for key, (rank, listed) in newest.items()
            if listed and (rank[0] >= below or key in stands)
        }


async def test_the_power_fails_under_load_and_everything_comes_right(
    feed: Feed, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Log and tables are as the feed is after each failure, without a person."""
    machine = Machine(feed, home, tmp_path, Random(SEED))  # noqa: S311  seeded on purpose
    await ensure_topics(feed.kafka, feed.settings.topic_prefix)
    await feed.publish()
    await machine.start_again()
    began, lost, turns = time.monotonic(), 0, []
    for number in range(ROUNDS):
        write_export(feed.home, feed.history, feed.days, part_rows=100)
        feed.days += 1
        cut = await machine.run_until_the_power_fails(number)
        lost += len(cut)
        turns.append(await machine.start_again())
    past = await fold_exports(feed.kafka, feed.settings.topic_prefix)
    with capsys.disabled():
        print(  # noqa: T201  the figures, for a person
            f"\n{ROUNDS} power cuts, {lost} partitions cut, {len(past.snapshots())} snapshots "
            f"known, turns until right {turns}, {time.monotonic() - began:.0f} s"
        )
    assert lost
    assert past.debts == []
