"""Whether a process can do its work: what /readyz says, as probes in the background have it.

Rule 1: a probe asks over a new connection, with a deadline: a server that takes connections and
        says nothing is noticed like one that is away.
Rule 2: nobody who asks /readyz waits for a server, or makes it work: the last results are given.
Rule 3: a probe that doesn't come back is itself a problem.
Rule 4: a consumer that has work before it and commits nothing for five minutes is stalled, also
        while every server answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final, NamedTuple

from console.embedded.endpoints import with_picture_store
from consumers.admin.lag import GroupLag, lag
from consumers.engine.postgres import TROUBLE, connected, in_words
from consumers.engine.queries import query
from consumers.pictures.wanted import STATUSES
from consumers.registry import Name
from petstream.errors import PetstreamError, UnreachableError
from petstream.kafka.client import answers
from petstream.metrics import LAG, PICTURES_WAITING, READY, RESTARTS, SERVER_UP, forget_process
from petstream.settings import KafkaAccess, Settings

EVERY_S: Final = 10.0
DEADLINE_S: Final = 10.0
STALLED_AFTER_S: Final = 300.0
_COUNT_EVERY: Final = 6  # probes: counting pictures looks at all of them


class Probe(NamedTuple):
    """A question to a server; the answer is a problem in words, or None."""

    server: str
    ask: Callable[[], Awaitable[str | None]]


class ProbeResult(NamedTuple):
    """What a probe came to, and when by the loop's clock."""

    problem: str | None
    at: float


class Health:
    """The last results of some probes; run `watch` beside the work."""

    def __init__(
        self, probes: Sequence[Probe], *, every_s: float = EVERY_S, deadline_s: float = DEADLINE_S
    ) -> None:
        """Prepare; nothing is asked yet."""
        self._probes = tuple(probes)
        self._every_s, self._deadline_s = every_s, deadline_s
        self._results: dict[str, ProbeResult] = {}

    async def watch(self) -> None:
        """Ask again and again, until cancelled."""
        while True:
            await asyncio.gather(*map(self._ask, self._probes))
            await asyncio.sleep(self._every_s)

    def problems(self) -> list[str]:
        """Return what keeps this process from its work, a line each; none = ready.

        The metrics say the same from then on.
        """
        now = asyncio.get_running_loop().time()
        problems = {probe.server: self._problem(probe.server, now) for probe in self._probes}
        for server, problem in problems.items():
            SERVER_UP.labels(server).set(0 if problem else 1)
        READY.set(0 if any(problems.values()) else 1)
        return [f"{server}: {problem}" for server, problem in problems.items() if problem]

    def _problem(self, server: str, now: float) -> str | None:
        result = self._results.get(server)
        if result is None:
            return "not asked yet"
        if now - result.at > self._every_s + 2 * self._deadline_s:
            return f"no answer for {now - result.at:.0f} s"
        return result.problem

    async def _ask(self, probe: Probe) -> None:
        try:
            async with asyncio.timeout(self._deadline_s):
                problem = await probe.ask()
        except TimeoutError:
            problem = f"it is silent: no answer within {self._deadline_s:g} s"
        except PetstreamError as error:
            problem = str(error)
        self._results[probe.server] = ProbeResult(problem, asyncio.get_running_loop().time())


def of_kafka(access: KafkaAccess) -> Probe:
    """Return a probe of Kafka alone."""

    async def ask() -> None:
        await answers(access)

    return Probe("kafka", ask)


def of_consumers(access: KafkaAccess, prefix: str, names: Collection[Name]) -> Probe:
    """Return a probe of Kafka by the lag of some consumers, which it also writes down."""
    progress = CommitProgress()

    async def ask() -> str | None:
        return progress.problem(await lag(access, prefix, names), asyncio.get_running_loop().time())

    return Probe("kafka", ask)


def of_postgres(database_url: str) -> Probe:
    """Return a probe of Postgres; now and then it counts the pictures, too."""
    asked = 0

    async def ask() -> None:
        nonlocal asked
        try:
            async with connected(database_url) as connection:
                await connection.fetchval("SELECT 1")
                if asked % _COUNT_EVERY == 0:
                    rows = await connection.fetch(query("pictures_by_status"))
                    counts = {row["status"]: row["pictures"] for row in rows}
                    for status in STATUSES:
                        PICTURES_WAITING.labels(status).set(counts.get(status, 0))
        except TimeoutError:
            raise
        except TROUBLE as error:
            raise UnreachableError(in_words(error)) from None  # the cause may name the user
        asked += 1

    return Probe("postgres", ask)


class CommitProgress:
    """Since when each consumer has committed nothing although there is work."""

    def __init__(self) -> None:
        """Start without a commit."""
        self._since: dict[str, tuple[int, float]] = {}

    def problem(self, lags: Sequence[GroupLag], now: float) -> str | None:
        """Write the lags down; return in words which consumers are stalled."""
        stalled = []
        for name in sorted({partition.consumer for partition in lags}):
            partitions = [partition for partition in lags if partition.consumer == name]
            behind = sum(partition.lag for partition in partitions)
            committed = sum(partition.committed or 0 for partition in partitions)
            LAG.labels(name).set(behind)
            before, since = self._since.get(name, (committed, now))
            if behind == 0 or committed != before:
                before, since = committed, now
            self._since[name] = (before, since)
            if now - since >= STALLED_AFTER_S:
                stalled.append(
                    f"consumer {name} has committed nothing for {now - since:.0f} s, with "
                    f"{behind:,} records before it"
                )
        return "; ".join(stalled) or None


class TreeHealth:
    """The health of `up`: its servers, and whether all of its children run.

    It answers from the start, also while servers are waited for: then `up` isn't ready.
    """

    def __init__(self, consumers: Sequence[Name]) -> None:
        """Know nothing of the servers yet."""
        self._consumers = tuple(consumers)
        self._kafka: Probe | None = None
        self._postgres: Probe | None = None
        self._settings: Settings | None = None
        self.not_running: Callable[[], list[str]] = lambda: ["the parts"]

    def health(self) -> Health:
        """Return what /readyz says."""
        probes = {"kafka": self._ask_kafka, "postgres": self._ask_postgres, "parts": self._ask_tree}
        return Health([Probe(name, ask) for name, ask in probes.items()])

    def settings(self) -> Settings | None:
        """Return the settings with both servers; None until they are known."""
        return self._settings

    def use_servers(self, settings: Settings) -> None:
        """Ask these servers from now on; the settings have both."""
        if settings.kafka is not None and settings.database_url is not None:
            self._settings = with_picture_store(settings)
            prefix = settings.topic_prefix
            self._kafka = of_consumers(settings.kafka, prefix, self._consumers)
            self._postgres = of_postgres(settings.database_url)

    def exited(self, name: str, pid: int, *, by_itself: bool) -> None:
        """Count that a child is dead, and forget its metrics that were true of the living only."""
        if by_itself:
            RESTARTS.labels(name).inc()
        forget_process(pid)

    async def _ask_kafka(self) -> str | None:
        return await self._kafka.ask() if self._kafka else "it is waited for"

    async def _ask_postgres(self) -> str | None:
        return await self._postgres.ask() if self._postgres else "it is waited for"

    async def _ask_tree(self) -> str | None:
        await asyncio.sleep(0)
        names = self.not_running()
        return f"not running now: {', '.join(names)}" if names else None
