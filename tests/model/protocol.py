"""A world of seeded accidents around the real ingester: a list is the log, a dict is the database.

What is real: `ExportRun`, `Comparison`, `Ledger`, `ExportHistory`, the gate, departures, events and
codec, the consumers' `newest`. What is made up: FTP, Kafka's wire and log, Postgres, and time.
Consumers follow the guard of consumers/sql, which tests/integration/consumers/test_app.py puts to
the same test.

A kill is an exception out of the wire. What was in flight then is lost, or arrives, or arrives
twice, or arrives a day later; a second ingester may sleep in mid-run and wake up a day later: it
finds that it lost the lead, or, as if nobody had asked, goes on.
"""

from __future__ import annotations

import asyncio
import copy
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple, cast

from rows_of_the_feed import framed, pet_row

from consumers.engine.batch import newest
from ingest.changes.comparison import Comparison
from ingest.changes.event import PETS, Facts
from ingest.export import Assignment, ExportContext, ExportRun, RestoredState
from ingest.publish.lifecycle import decision_records, plan_decision
from ingest.publish.log_ends import LogEnds
from ingest.publish.publisher import Publisher
from ingest.source.listing import ExportSet, Part, RemoteFile, refuse_incomplete
from ingest.source.reader import Reader
from ingest.state.debts import Offer, choose
from ingest.state.export_history import ExportHistory, start_of
from ingest.state.ledger import Ledger
from ingest.state.restore import Ledgers
from petstream import topics
from petstream.codec import Envelope, Headers, decode
from petstream.errors import NotReadyError
from petstream.events import LogEnd, PetEvent
from petstream.kafka.records import TopicPartition
from petstream.sequence import PER_SECOND, removal_sequence
from petstream.setting_values import RemovalLimits
from petstream.settings import Settings

FIRST_DAY = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
PETS_AT_FIRST = 24
PARTITIONS = 2
DEFAULTS = Settings()


class KilledError(Exception):
    """The ingester was killed here."""


class Sent(NamedTuple):
    """A record on its way, and where it goes."""

    log: str
    key: str
    value: bytes
    headers: Headers


@dataclass
class Rules:
    """What a mutant takes out; as they stand, all rules hold."""

    guard: bool = True
    newest_of_batch: bool = True
    tombstones: bool = True
    effect_before_offset: bool = True
    flush_waits: bool = True


class Table:
    """What a consumer's database holds: rows with tombstones, the history, positions."""

    def __init__(self) -> None:
        """Start empty."""
        self.rows: dict[int, tuple[tuple[int, str], bool, str | None]] = {}
        self.history: dict[tuple[int, int], str] = {}
        self.positions: dict[str, dict[str, int]] = {"pets": {}, "deletions": {}}

    def apply(self, consumer: str, envelopes: Sequence[Envelope], rules: Rules) -> None:
        """Apply a batch, as consumers.pets.history and consumers.pets.removals do."""
        ours = [
            envelope
            for envelope in envelopes
            if (_event(envelope).op == "removed") is (consumer != "pets")
        ]
        if rules.newest_of_batch:
            latest = newest(
                ours, key=_key, rank=lambda envelope: (envelope.sequence, envelope.digest)
            )
        else:
            latest = [*{_key(envelope): envelope for envelope in ours}.values()]
        for envelope in latest:
            self._write(envelope, rules)
        if consumer == "pets":
            for envelope in envelopes:
                place = (_key(envelope), envelope.sequence)
                self.history[place] = max(envelope.digest, self.history.get(place, ""))

    def listed(self) -> dict[int, str | None]:
        """Return the names of the pets on the lists."""
        return {key: name for key, (_, listed, name) in self.rows.items() if listed}

    def _write(self, envelope: Envelope, rules: Rules) -> None:
        event, rank = _event(envelope), (envelope.sequence, envelope.digest)
        held = self.rows.get(event.animal_id)
        if rules.guard and held is not None and rank < held[0]:
            return
        if event.op == "removed" and not rules.tombstones:
            self.rows.pop(event.animal_id, None)
        else:
            self.rows[event.animal_id] = (rank, event.op != "removed", event.pet.name)


@dataclass
class Day:
    """An export as it lies on the server."""

    start: datetime
    pets: dict[int, dict[str, Any]]
    updated: list[int]
    new: list[int]
    petlist: bytes | None
    odd: Counter[str] = field(default_factory=Counter)

    def files(self) -> ExportSet:
        """Return the listing."""
        families = [("orgs", 4), ("pets", 5), ("updatedpets", 6), ("newpets", 7)]
        families += [("petlist", 8)] if self.petlist is not None else []
        return ExportSet(
            tuple(
                Part(
                    cast("Any", family), 0 if family == "petlist" else 1,
                    RemoteFile(family, len(self.petlist or b""), self.start + minutes * _MINUTE),
                )
                for family, minutes in families
            )
        )  # fmt: skip

    async def rows(self, part: Part) -> AsyncGenerator[Any, None]:
        """Read a file in pieces (as `ingest.source.reader.Reader` does)."""
        keys = {"pets": [*self.pets], "updatedpets": self.updated, "newpets": self.new}
        if part.family == "orgs":
            yield framed({"orgID": "9", "name": "Paws", "status": "Available"})
            return
        rows = framed(*(self.pets[key] for key in keys[part.family]))
        for at in range(0, len(rows), 7):
            yield rows[at : at + 7]

    async def whole(self, part: Part, *, most_bytes: int) -> bytes:  # noqa: ARG002  the interface
        """Read the petlist."""
        return self.petlist or b""


_MINUTE = timedelta(minutes=1)


@dataclass
class World:
    """The feed, the log, the databases, and what may go wrong, all from one seed."""

    random: Random
    rules: Rules = field(default_factory=Rules)
    happened: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with a first export, and nothing else."""
        self.logs: dict[str, list[tuple[int, Sent]]] = {"exports": []}
        self.logs |= {f"pets/{number}": [] for number in range(PARTITIONS)}
        self.ends = dict.fromkeys(self.logs, 0)
        self.everything: list[Sent] = []
        self.late: list[Sent] = []
        self.compactable = dict.fromkeys(self.logs, 0)
        self.table, self.copy = Table(), Table()
        self.committed: dict[str, dict[str, int]] = {"pets": {}, "deletions": {}}
        self.leader: Wire | None = None
        self.sleepers: list[tuple[asyncio.Task[None], asyncio.Event]] = []
        self.number = 0
        self.pets = {key: self._row(key, 0) for key in range(1, PETS_AT_FIRST + 1)}
        self.day = Day(FIRST_DAY, dict(self.pets), [], [*self.pets], _list_of(self.pets))
        self.gone: dict[int, dict[str, Any]] = {}

    def say(self, what: str) -> None:
        """Remember what happened, for whoever looks at a seed that fails."""
        self.happened.append(f"day {self.number}: {what}")

    # the feed

    def next_day(self, *, healthy: bool = False) -> None:
        """Let a day pass: pets come, change, go and come back; the petlist may be bad."""
        self.number += 1
        before = dict(self.pets)
        for _ in range(self.random.randrange(4)):
            key = self.random.choice([*self.pets])
            self.pets[key] = self._row(key, self.number)
        for _ in range(self.random.randrange(3)):
            key = self.random.choice([*self.pets])
            self.gone[key] = self.pets.pop(key)
        if self.gone and self.random.random() < 0.5:
            key = self.random.choice([*self.gone])
            row = self.gone.pop(key)  # back as it was, or changed
            self.pets[key] = row if self.random.random() < 0.5 else self._row(key, self.number)
        for key in range(self.random.randrange(3)):
            self.pets[100 * self.number + key] = self._row(100 * self.number + key, self.number)
        old_list = self.day.petlist
        self.day = Day(
            FIRST_DAY + self.number * timedelta(days=1),
            dict(self.pets),
            [key for key in self.pets if key in before and self.pets[key] != before[key]],
            [key for key in self.pets if key not in before],
            _list_of(self.pets),
        )
        if not healthy and self.random.random() < 0.3:
            half = [*self.pets][: len(self.pets) // 2]
            bad = [None, b"", b"animalID\n", _list_of(half), _list_of(self.pets)[:-2], old_list]
            self.day.petlist = self.random.choice(bad)
            self.say(f"a bad petlist: {(self.day.petlist or b'none')[:40]!r}")

    def _row(self, key: int, version: int) -> dict[str, Any]:
        at = 1_755_230_000 + version * 86_400
        if self.random.random() < 0.15:
            at -= 40 * 86_400  # set back by a person or a program: still what the feed says now
        return pet_row(key, name=f"v{version}.{self.random.randrange(9)}", lastUpdated=str(at))

    # the log

    def append(self, record: Sent) -> None:
        """Put a record at the end of its partition."""
        log = record.log if record.log == "exports" else f"pets/{int(record.key) % PARTITIONS}"
        self.logs[log].append((self.ends[log], record))
        self.ends[log] += 1
        self.everything.append(record)

    def compact(self) -> None:
        """Keep the last record of a key only, of what was there before the last completed run.

        (What is younger is kept from the cleaner by min.compaction.lag.ms, which doesn't take it
        for a reason to drop what is older, either.)
        """
        for log, limit in self.compactable.items():
            if log != "exports":
                last = {record.key: offset for offset, record in self.logs[log] if offset < limit}
                self.logs[log] = [
                    (offset, record)
                    for offset, record in self.logs[log]
                    if offset >= limit or offset == last[record.key]
                ]
        self.say("the log was compacted")

    def deliver_late(self) -> None:
        """What was in flight when somebody was killed arrives now."""
        for record in self.late:
            self.append(record)
        if self.late:
            self.say(f"{len(self.late)} records arrived late")
        self.late = []

    # the ingester

    async def ingest(self, *, calm: bool = False) -> bool:
        """Read the export that lies on the server; return whether it is completed then."""
        history, day = self.export_history(), self.day
        files = day.files()
        if any(event.fingerprint == files.fingerprint for event in history.completed.values()):
            return True
        sleep = asyncio.Event() if not calm and self.random.random() < 0.1 else None
        self.leader = wire = Wire(self, kill=None if calm else self._moment(), sleep=sleep)
        task = asyncio.create_task(self._run(history, day, files, wire))
        if sleep is not None:
            await wire.asleep_or(task)
            if not task.done():
                self.say("an ingester fell asleep")
                self.sleepers.append((task, sleep))
                return False
        return await _completed(task)

    async def _run(self, history: ExportHistory, day: Day, files: ExportSet, wire: Wire) -> None:
        before = dict(self.ends)
        latest = history.newest
        if latest is not None and day.start < start_of(latest.export_id):
            raise NotReadyError("an older one")
        ledger = self.ledger()
        choice = choose(history, "auto", Offer(day.start, files.fingerprint, whole=True), "weekly")
        known_base = max(0, ledger.highest_sequence) // PER_SECOND
        identity = history.identify(day.start, files.fingerprint, known_base=known_base)
        refuse_incomplete(files, choice.mode, day.start)
        run = ExportRun(
            Assignment(identity, choice, files, day.start),
            RestoredState(history, Ledgers(ledger, Ledger(), {}, ())),
            ExportContext(
                reader=cast("Reader", day),
                publisher=cast("Publisher", wire),
                find_lost=_nothing_lost,
                progress=lambda _file, _rows: None,
                prefix=DEFAULTS.topic_prefix,
                limits=RemovalLimits(0.2, DEFAULTS.removal_max_count),
                publish_contacts=DEFAULTS.publish_contacts,
            ),
        )
        outcome = await run.run()
        self.compactable = before
        self.say(f"{outcome.export_id} {outcome.mode} {outcome.counts.pets} {outcome.held}")

    async def wake_sleepers(self) -> None:
        """Let those that slept go on, as if no day had passed."""
        for task, event in self.sleepers:
            self.say("a sleeper woke up")
            event.set()
            await _completed(task)
        self.sleepers = []

    def approve(self) -> None:
        """Approve what is held of the newest export, as ingest.removals.held_plans does."""
        history = self.export_history()
        for plan in history.held():
            latest = history.newest
            if latest is None or latest.base > plan.event.base or plan.entity != "pets":
                continue
            start = FIRST_DAY  # only says when an event occurred
            facts = Facts(plan.event.export_id, plan.event.base, start, plan.event.mode)
            comparison = Comparison(PETS, self.ledger(), facts)
            sequence = removal_sequence(plan.event.base)
            for key in plan.removals:
                removal = comparison.removal(key, sequence)
                if removal is not None:
                    self.append(Sent("pets", *removal))
            decided = plan_decision(plan, "approved", FIRST_DAY, by="me", reason="")
            for record in decision_records(plan, decided, history.take_sequence):
                self.append(Sent("exports", *record))
            self.say(f"{plan.plan_id} was approved: {plan.removals}")

    def export_history(self) -> ExportHistory:
        """Fold exports.v1."""
        history = ExportHistory()
        for _, record in self.logs["exports"]:
            history.fold_record(decode(record.headers, record.value))
        return history

    def ledger(self) -> Ledger:
        """Fold pets.v1."""
        ledger = Ledger()
        for log, records in self.logs.items():
            for _, record in records if log != "exports" else ():
                assert ledger.fold(record.key.encode(), record.headers, record.value)
        return ledger

    def _moment(self) -> int | None:
        return self.random.randrange(1, 60) if self.random.random() < 0.5 else None

    # the consumers

    def consume(self, consumer: str, *, most: int | None = None, calm: bool = False) -> None:
        """Run a consumer for a while: from the lower of both positions; it may be killed."""
        table, killed = self.table, not calm and self.random.random() < 0.3
        for log, records in self.logs.items():
            if log == "exports":
                continue
            held = table.positions[consumer]
            start = min(held.get(log, 0), self.committed[consumer].get(log, 0))
            batch = [(offset, record) for offset, record in records if offset >= start][:most]
            if not batch:
                continue
            end = batch[-1][0] + 1
            if not self.rules.effect_before_offset:
                self.committed[consumer][log] = held[log] = end
                if killed:
                    return
            table.apply(
                consumer, [decode(record.headers, record.value) for _, record in batch], self.rules
            )
            held[log] = end
            if killed:
                return
            self.committed[consumer][log] = end

    def rewind(self, consumer: str) -> None:
        """Replay from somewhere: both positions go back."""
        for log in self.logs:
            place = self.random.randrange(self.ends[log] + 1)
            for positions in (self.table.positions[consumer], self.committed[consumer]):
                positions[log] = min(place, positions.get(log, 0))
        self.say(f"{consumer} was rewound")

    def back_up(self) -> None:
        """Copy the database."""
        self.copy = copy.deepcopy(self.table)

    def restore(self) -> None:
        """Put the copy back: the groups' offsets are ahead of it now."""
        self.table = copy.deepcopy(self.copy)
        self.say("the database was restored from a copy")

    def empty(self) -> None:
        """Lose the database."""
        self.table = Table()
        self.say("the database was emptied")


class Wire:
    """The publisher of one run: records are in flight until flushed, and then in the log."""

    def __init__(self, world: World, *, kill: int | None, sleep: asyncio.Event | None) -> None:
        """Be killed at the `kill`-th step; sleep once until `sleep` is set."""
        self._world, self._kill, self._sleep = world, kill, sleep
        self.log_ends = LogEnds()
        self._nap_at = world.random.randrange(1, 40)
        self._steps = 0
        self._flying: list[Sent] = []
        self._napping = asyncio.Event()

    async def asleep_or(self, task: asyncio.Task[None]) -> None:
        """Return when the run sleeps, or has ended."""
        napping = asyncio.create_task(self._napping.wait())
        await asyncio.wait({napping, task}, return_when=asyncio.FIRST_COMPLETED)
        napping.cancel()

    async def send(self, topic: str, key: str, value: bytes, headers: Headers) -> None:
        """Send a record; some that were sent before it arrive."""
        await self._step()
        log = {topics.PETS.name: "pets", topics.EXPORTS.name: "exports"}.get(topic.split(".", 1)[1])
        if log is not None:
            self._flying.append(Sent(log, key, value, headers))
        if self._world.random.random() < 0.2:
            self._arrive(self._world.random.randrange(len(self._flying) + 1))

    async def flush(self) -> None:
        """Wait until everything has arrived."""
        await self._step()
        if self._world.rules.flush_waits:
            self._arrive(len(self._flying))

    async def _step(self) -> None:
        self._steps += 1
        if self._sleep is not None and self._steps == self._nap_at:
            self._napping.set()
            await self._sleep.wait()
            lost = self._world.leader is not self
            if lost and self._world.random.random() < 0.5:
                self._world.say("it has lost the lead, and sends nothing more")
                self._crash()
                raise KilledError
        if self._steps == self._kill:
            self._crash()
            raise KilledError

    def _arrive(self, how_many: int) -> None:
        """Let records arrive; each partition's in order, the partitions in any."""
        for _ in range(how_many):
            first: dict[str, Sent] = {}
            for record in self._flying:
                first.setdefault(_partition(record), record)
            record = self._world.random.choice([*first.values()])
            self._flying.remove(record)
            self._world.append(record)

    def _crash(self) -> None:
        fate = self._world.random.randrange(4)
        self._world.say(f"an ingester was killed, {len(self._flying)} in flight ({fate})")
        if fate in {1, 2}:
            self._arrive(len(self._flying)) if fate == 1 else self._twice()
        elif fate == 3:
            self._world.late += self._flying
        self._flying = []

    def _twice(self) -> None:
        for record in self._flying:
            self._world.append(record)
        self._world.late += self._flying


def _partition(record: Sent) -> str:
    return record.log if record.log == "exports" else f"pets/{int(record.key) % PARTITIONS}"


def _list_of(pets: Sequence[int] | dict[int, Any]) -> bytes:
    return ",".join(map(str, pets)).encode() + b"\n"


def _event(envelope: Envelope) -> PetEvent:
    assert isinstance(envelope.event, PetEvent)
    return envelope.event


def _key(envelope: Envelope) -> int:
    return _event(envelope).animal_id


async def _nothing_lost(_ends: Mapping[TopicPartition, LogEnd]) -> list[TopicPartition]:
    return []


async def _completed(task: asyncio.Task[None]) -> bool:
    try:
        await task
    except (KilledError, NotReadyError):
        return False
    return True
