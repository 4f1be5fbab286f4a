"""What tests of outages work with: processes of a consumer, servers that stop, a feed by days."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError

from console.embedded.process import Process, recorded
from console.inspect.database_reader import Unavailable, fetch_rows
from consumers.app import consume
from ingest.run import Result, ingest
from lab.expectations import QUERIES, judge
from lab.simulator import History, expected, write_export
from petstream import topics
from petstream.kafka.reader import bounds
from petstream.kafka.records import TopicPartition
from petstream.settings import FtpUrl, KafkaAccess, Settings

ROOT = Path(__file__).parents[2]
WITHIN_S = 90.0
"""How long a test waits before it says that nothing moves any more."""
_TICKS_S = os.sysconf("SC_CLK_TCK")


async def until(what: str, holds: Callable[[], Awaitable[bool]]) -> float:
    """Wait until something holds, and return how many seconds that took."""
    began = time.monotonic()
    while not await holds():
        waited_s = time.monotonic() - began
        assert waited_s < WITHIN_S, f"{what}: not within {WITHIN_S:.0f} s"
        await asyncio.sleep(0.05)
    return time.monotonic() - began


class Used(NamedTuple):
    """What a process has used and said so far."""

    cpu_s: float
    lines: int

    def since(self, before: Used) -> Used:
        """Return what came since then."""
        return Used(self.cpu_s - before.cpu_s, self.lines - before.lines)


class Member:
    """A process of `petstream consume pets`."""

    def __init__(self, feed: Feed, log: Path, **test_settings: str) -> None:
        """Start it."""
        self.log = log
        plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603  our own command
                [sys.executable, str(Path(__file__).with_name("hurried.py")), "consume", "pets"],
                stdout=output, stderr=subprocess.STDOUT, cwd=log.parent,
                env=plain | test_settings | {
                    "PYTHONPATH": str(ROOT),
                    "PETSTREAM_KAFKA": feed.kafka.bootstrap,
                    "PETSTREAM_DATABASE_URL": feed.database_url,
                    "PETSTREAM_TOPIC_PREFIX": feed.settings.topic_prefix,
                    "PETSTREAM_DATA_DIR": str(log.parent),
                    "PETSTREAM_CONSOLE": "127.0.0.1:0",
                },
            )  # fmt: skip

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def status(self) -> int | None:
        """Return how it ended, if it has."""
        return self._process.poll()

    def stands_still(self) -> bool:
        """Tell whether it was stopped."""
        assert self.status() is None, self.said()
        return self._stat()[0] == "T"

    def said(self) -> str:
        """Return its lines."""
        return self.log.read_text("utf-8")

    def used(self) -> Used:
        """Return how much processor time it has used, and how many lines it has written."""
        user, system = self._stat()[11:13]
        return Used((int(user) + int(system)) / _TICKS_S, self.said().count("\n"))

    def wait(self) -> int:
        """Wait for its end."""
        return self._process.wait(WITHIN_S)

    def done_with(self) -> None:
        """Kill it if it's still there."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def _stat(self) -> list[str]:
        return Path(f"/proc/{self._process.pid}/stat").read_text("ascii").rpartition(")")[2].split()


class Server:
    """An embedded server that a test may stop, kill and freeze, with all its processes."""

    def __init__(self, data_dir: Path, name: str) -> None:
        """Know it by its record in the data directory."""
        self.data_dir, self.name = data_dir, name

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and to its children."""
        for pid in self._pids():
            os.kill(pid, number)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Hold it still: connections stay open and nothing answers."""
        pids = self._pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def process(self) -> Process:
        """Return the process that was started."""
        process = recorded(self.data_dir, self.name)
        assert process is not None
        return process

    def _pids(self) -> list[int]:
        parent = self.process().pid
        children = [
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/stat")
            if (stat := _read(path)) and int(stat.rpartition(")")[2].split()[1]) == parent
        ]
        return [parent, *children]


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Feed:
    """A simulated history that is published day by day, and the tables it must lead to."""

    def __init__(  # noqa: PLR0913  where everything is, each by name
        self, made: History, home: Path, *, ftp: FtpUrl, kafka: str, database_url: str, prefix: str
    ) -> None:
        """Know where everything is; nothing is published yet."""
        self.history, self.home, self.days = made, home, 0
        self.kafka, self.database_url = KafkaAccess(kafka), database_url
        self.settings = Settings(
            ftp=ftp, data_dir=home.parent / "data", topic_prefix=prefix, settle_s=0
        )
        self.group = f"{prefix}pets"

    async def publish(self, **options: Any) -> Result:
        """Ingest the next day."""
        write_export(self.home, self.history, self.days, part_rows=100)
        self.days += 1
        return await ingest(self.settings, self.kafka, **options)

    async def fetch(self, query: str) -> list[asyncpg.Record]:
        """Ask the database."""
        connection = await asyncpg.connect(self.database_url, timeout=10)
        try:
            return list(await connection.fetch(query))
        finally:
            await connection.close()

    async def positions(self) -> dict[TopicPartition, int]:
        """Return how far the consumer pets is, as Postgres says."""
        rows = await self.fetch(
            "SELECT topic, partition, next_offset FROM petstream.consumer_position "
            "WHERE consumer = 'pets'"
        )
        return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    async def ends(self) -> dict[TopicPartition, int]:
        """Return where the topics end."""
        read = (topics.PETS, topics.ORGS, topics.EXPORTS, topics.DEAD_LETTERS)
        names = [topic.full_name(self.settings.topic_prefix) for topic in read]
        return {place: end for place, (_, end) in (await bounds(self.kafka, names)).items()}

    async def applied(self) -> float:
        """Wait until all that is in the topics now was applied; return how long that took."""
        wanted = {place: end for place, end in (await self.ends()).items() if end}

        async def is_applied() -> bool:
            return wanted.items() <= (await self.positions()).items()

        return await until("applied", is_applied)

    async def shares(self) -> list[set[TopicPartition]]:
        """Return each member's partitions; none while the group isn't at rest."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.bootstrap)
        try:
            async with asyncio.timeout(20):
                await admin.start()
                responses = await admin.describe_consumer_groups([self.group])
        except (KafkaError, TimeoutError):
            return []
        finally:
            await admin.close()
        # a group is (error, group, state, protocol type, protocol, members, …),
        # and a member is (id, …, its assignment)
        (group,) = [described for response in responses for described in response.groups]
        return [_places(member[-1]) for member in group[5]] if group[2] == "Stable" else []

    async def shared_among(self, members: int) -> list[set[TopicPartition]]:
        """Wait until so many members have all partitions among them; return their shares."""
        shares: list[set[TopicPartition]] = []
        everything = (await self.ends()).keys()

        async def are_shared() -> bool:
            shares[:] = await self.shares()
            held = [place for share in shares for place in share]
            return len(shares) == members and sorted(held) == sorted(everything)

        await until(f"shared among {members}", are_shared)
        return shares

    async def differences(self) -> tuple[str, ...]:
        """Let the other consumers apply all; return where the views aren't as the history says."""
        await consume(
            ("deletions", "images"), self.settings, kafka=self.kafka,
            database_url=self.database_url, drain=True, stopping=asyncio.Event(),
        )  # fmt: skip
        rows = await fetch_rows(self.database_url, QUERIES)
        assert not isinstance(rows, Unavailable)
        letters = await self.fetch("SELECT * FROM petstream.dead_letters")
        refused = (f"{len(letters)} dead letters",) if letters else ()
        return *judge(expected(self.history, self.days - 1), rows).differences, *refused


def _places(assignment: bytes) -> set[TopicPartition]:
    if not assignment:
        return set()
    decoded = ConsumerProtocolMemberAssignment.decode(assignment)
    return {
        TopicPartition(topic, partition)
        for topic, partitions in decoded.assignment
        for partition in partitions
    }


def bugs(members: list[Member]) -> list[str]:
    """Return what members said that they never should."""
    said = "\n".join(member.said() for member in members)
    return re.findall(r"^.*(?:Traceback|this is a bug|never retrieved).*$", said, re.MULTILINE)
