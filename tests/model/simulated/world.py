"""A world of one seed: feed, log, database and time, and the product's own programs in it.

What runs is the product: runs of the ingester, decisions about plans, the consumers with their
audit, replays. What is made up is outside of it: the FTP server, Kafka behind its clients, Postgres
behind its client, and time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from aiokafka.errors import KafkaError
from simulated import clients, clock, database, feed
from simulated.broker import Broker
from simulated.checkpoints import check_kept
from simulated.clients import Network
from simulated.clock import Clock
from simulated.database import Database
from simulated.feed import Feed, Server
from simulated.process import Process, current

from consumers.admin.replay import FromBeginning, replay
from consumers.audit import schedule, settlement, sweep_decision
from consumers.engine.runner import RunContext
from consumers.engine.runner import run as run_consumer
from consumers.pets import history, removals
from consumers.pictures import wanted
from consumers.registry import NAMES
from ingest.leadership import election
from ingest.removals import held_plans
from ingest.run import ingest
from ingest.state.debts import Wanted
from ingest.state.export_history import ExportHistory
from petstream import topics
from petstream.codec import decode
from petstream.errors import (
    LostRecordsError,
    NotReadyError,
    PetstreamError,
    UnreachableError,
    UsageError,
)
from petstream.setting_values import FtpUrl, RemovalLimits
from petstream.settings import KafkaAccess, Settings
from petstream.waiting import unless_stopped

_DATABASE: Final = "postgresql://petstream@db.example/petstream"
_ACCESS: Final = KafkaAccess("kafka.example:9092")
_FTP: Final = FtpUrl("apikey-1", "x", "ftp.example", 21, "/", tls=False)
_PARTITIONS: Final = {topics.PETS.name: 3, topics.PICTURES.name: 1}
_LONG_S: Final = 24 * 60 * 60.0


class World:
    """All there is, and what happened (for whoever looks at a seed that fails)."""

    def __init__(self, seed: int, data_dir: Path, patch: pytest.MonkeyPatch) -> None:
        """Make it, and put it before the product."""
        self.random, self.happened = Random(seed), list[str]()  # noqa: S311  seeded on purpose
        self.wants_snapshot = False
        self.kept = 0
        """How often a checkpoint was there after a run, and compared with the log."""
        """Somebody kept what a sweep would have taken: of that, some may have left."""
        self.clock = Clock()
        self.broker = Broker(self.clock, self.random)
        self.network = Network(self.random)
        self.database = Database(self.clock)
        self.feed = Feed(self.random, pets=self.random.choice((12, 16, 24)))
        self.server = Server(self.feed)
        self.settings = Settings(
            ftp=_FTP, kafka=_ACCESS, database_url=_DATABASE, data_dir=data_dir, settle_s=0,
            archive_days=0, removal_max_share=0.3, removal_max_count=4, scrub="weekly",
            pictures="off",
        )  # fmt: skip
        self._processes: dict[str, Process] = {}
        self._numbers = count(1)
        self._machines = 0
        clock.install(self.clock, patch)
        clients.install(self.broker, self.network, patch)
        database.install(self.database, patch)
        feed.install(self.server, patch)
        patch.setattr(election, "this_process", _name_of_this)
        patch.setattr(election, "has_died", self._has_died)
        for topic in topics.ALL:
            partitions = _PARTITIONS.get(topic.name, topic.partitions)
            self.broker.make(topic.full_name(self.prefix), partitions, topic.configs)

    @property
    def prefix(self) -> str:
        """The prefix of topics and groups."""
        return self.settings.topic_prefix

    def name(self, topic: topics.Topic) -> str:
        """Return a topic's full name."""
        return topic.full_name(self.prefix)

    def say(self, what: str) -> None:
        """Remember what happened."""
        self.happened.append(f"day {self.feed.day}, {self.clock.now():%d %H:%M:%S}: {what}")

    # processes

    def process(self, name: str, *, elsewhere: bool = False) -> Process:
        """Make a process; `elsewhere`: on a machine of its own, so that nobody knows it died."""
        self._machines += elsewhere
        machine = self._machines if elsewhere else 0
        process = Process(f"machine{machine} {name}{next(self._numbers)}", self.random)
        self._processes[process.name] = process
        return process

    def _has_died(self, name: str) -> bool:
        """Tell whether a process is known to have died: only on one's own machine."""
        process = self._processes.get(name)
        here = _name_of_this().partition(" ")[0]
        return process is not None and name.partition(" ")[0] == here and not process.alive

    async def outcome(self, process: Process, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a process to its end; return what came of it, None if it was killed or gave up."""
        task = process.begin(work)
        try:
            async with asyncio.timeout(_LONG_S):
                await asyncio.wait({task})
        except TimeoutError:
            raise AssertionError(f"{process.name} never ends") from None
        if task.cancelled() or not process.alive:
            self.say(f"{process.name} was killed at step {process.steps}")
            if not task.cancelled():
                task.exception()
            return None
        error = task.exception()
        while isinstance(error, ExceptionGroup):  # of consumers that run side by side
            error, *_ = error.exceptions
        process.check_ends()
        process.alive = False
        if isinstance(error, NotReadyError | UnreachableError | LostRecordsError | UsageError):
            self.say(f"{process.name}: {type(error).__name__}: {error}")
            return None
        if error is not None:
            if isinstance(error, PetstreamError) and "the clocks" in str(error):
                self.say(f"{process.name}: {error}")
                return None
            raise error
        return task.result()

    # the ingester

    async def ingest(self, process: Process, wanted: Wanted = "auto") -> bool:
        """Read the export on the server; return whether it is completed then."""
        work = ingest(
            self.settings, _ACCESS, wanted=wanted, clock=self.clock.now, say=self._said(process)
        )
        result = await self.outcome(process, work)
        if result is None:
            return False
        outcome = result.outcome
        completed = self.history().last_completed
        self.kept += check_kept(self.broker, self.settings, completed)
        if outcome is None:
            self.say(f"{result.export_id}: nothing new")
        else:
            counts = outcome.counts.pets
            self.say(
                f"{outcome.export_id} {outcome.mode}: {counts.added} added, {counts.updated} "
                f"updated, {counts.removed} removed, {outcome.restated.pets} restated, "
                f"held {outcome.held}; {'; '.join(outcome.notes)}"
            )
        return True

    def _said(self, process: Process) -> Any:
        return lambda line: self.say(f"{process.name} says: {line}")

    async def decide(self) -> None:
        """Decide about what is held, of exports and of sweeps, as a person does who looks."""
        for plan in self.history().held():
            if plan.removals:
                approves = self._have_left(plan.entity, plan.removals)
                decide = held_plans.approve if approves else held_plans.reject
                work = decide(self.settings, _ACCESS, plan.plan_id, by="me", reason=None)
                await self._decided(plan.plan_id, plan.removals, work, approves=approves)
        for row in [*self.database.tables["sweep_plan"].values()]:
            if row["state"] == "held":
                approves = self._have_left(row["entity"], row["keys"])
                self.wants_snapshot |= not approves
                decide_sweep = sweep_decision.approve if approves else sweep_decision.reject
                work = decide_sweep(_DATABASE, row["plan_id"], by="me", reason=None)
                await self._decided(row["plan_id"], row["keys"], work, approves=approves)

    def _have_left(self, entity: str, keys: Iterable[int]) -> bool:
        return not {*keys} & (self.feed.pets if entity == "pets" else self.feed.orgs).keys()

    async def _decided(
        self, plan_id: str, keys: Sequence[int], work: Coroutine[Any, Any, Any], *, approves: bool
    ) -> None:
        self.say(f"{plan_id}: {keys} are to be {'removed' if approves else 'kept'}")
        await self.outcome(self.process("decision"), work)

    def settled(self) -> object:
        """Return what differs as long as anything is still to be done."""
        ends = [
            self.broker.partition(place).end
            for place in self.broker.places([self.name(topic) for topic in topics.ALL])
        ]
        ranks = {
            (name, key): (row["sequence"], row["listed"])
            for name in ("pet", "organization")
            for key, row in self.database.tables[name].items()
        }
        return ends, ranks, len(self.database.tables["snapshot_question"])

    def history(self) -> ExportHistory:
        """Fold exports.v1, from outside."""
        folded = ExportHistory()
        for record in self.broker.topics[self.name(topics.EXPORTS)].partitions[0].records:
            folded.fold_record(decode(record.headers, record.value))
        return folded

    # the consumers

    async def consume(self, process: Process, *, drain: bool, for_s: float = 90.0) -> bool:
        """Run the consumers: until they have applied what is there, or for a while."""
        done = await self.outcome(process, self._consume(drain=drain, for_s=for_s))
        return done is not None

    async def _consume(self, *, drain: bool, for_s: float) -> bool:
        stopping, applied = asyncio.Event(), asyncio.Event()

        def progress(name: str, _records: int) -> None:
            if name == "pets":
                applied.set()

        context = RunContext(_ACCESS, _DATABASE, self.prefix, drain, stopping, progress)
        limits = RemovalLimits(self.settings.removal_max_share, self.settings.removal_max_count)
        auditor = settlement.Auditor(context, self.settings.pictures, limits)
        consumers: list[Any] = [history.CONSUMER, removals.CONSUMER, wanted.consumer("off")]
        try:
            async with asyncio.TaskGroup() as group:
                for consumer in consumers:
                    group.create_task(run_consumer(consumer, context))
                if not drain:
                    auditing = schedule.keep_auditing(auditor, applied)
                    group.create_task(unless_stopped(auditing, stopping))
                    asyncio.get_running_loop().call_later(for_s, stopping.set)
        except (
            ExceptionGroup
        ) as errors:  # draining, they give up on a server: as `consumers.app` says
            away, others = errors.split(UnreachableError)
            if away is None or others is not None:
                raise
            raise away.exceptions[0] from None
        if drain:
            await settlement.settle_once(auditor)
        return True

    async def rewind(self, process: Process) -> None:
        """Replay one of the consumers from the beginning."""
        name = self.random.choice(NAMES)
        work = replay(
            name, FromBeginning(), access=_ACCESS, database_url=_DATABASE, prefix=self.prefix
        )
        try:
            await self.outcome(process, work)
        except (PetstreamError, KafkaError) as error:
            self.say(f"{name} isn't replayed: {error}")
        else:
            self.say(f"{name} was replayed")

    async def wait(self, **passed: float) -> None:
        """Let time pass."""
        await asyncio.sleep(timedelta(**passed).total_seconds())


def _name_of_this() -> str:
    return current.get().name
