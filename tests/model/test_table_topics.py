"""The table topics under random schedules: whatever happens, they end as the log says.

The consumer's own code runs, on a Kafka in memory: days of events, duplicates, older events that
come late, rewinds, kills at every place, lost tails of either topic, topics made anew, compaction,
another format, and snapshots after each loss of the log.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any, Final

import pytest
from handmade_events import DAY, START, Log, export_id, sequence
from handmade_events import base_s as base_of_day
from profiles import chosen_seed, rounds
from table_world import PREFIX, KilledError, TableMember, TableWorld

from petstream import codec, topics
from petstream.events import (
    Counts,
    ExportCounts,
    ExportEvent,
    LogEnd,
    PetEvent,
    export_subject,
)
from petstream.kafka.positions import end_behind
from petstream.kafka.records import ProducerRecord
from petstream.settings import KafkaAccess, TableFormat

_PETS: Final = range(1, 13)
_STEPS: Final = 40


class Feed:
    """What the ingester publishes: the truth by key, restated after a loss."""

    def __init__(self, world: TableWorld, rng: random.Random) -> None:
        """Begin with nothing published."""
        self.world, self.rng = world, rng
        self.log = Log(KafkaAccess("memory"), PREFIX)
        self.day = 0
        self.listed: dict[int, str] = {}
        self.known: set[int] = set()
        self.owes_snapshot = False
        self.snapshot: int | None = None
        self.snapshot_ends: dict[str, LogEnd] = {}

    def publish(self) -> None:
        """Publish a day's export, or a snapshot where one is owed."""
        self.day += 1
        before = dict(self.listed)
        for key in self.rng.sample(list(_PETS), 5):
            if key in self.listed and self.rng.random() < 0.4:
                del self.listed[key]
            else:
                self.listed[key] = f"name {self.rng.randint(1, 5)}"
        restates = self.owes_snapshot
        for position, key in enumerate(_PETS):
            name = self.listed.get(key)
            if name is None:
                continue
            op = "updated" if key in before else "relisted" if key in self.known else "added"
            if name != before.get(key) or restates:
                is_same = name == before.get(key)
                self._append(key, name, op, position, restated=restates and is_same)
        for key in sorted(self._in_log() - self.listed.keys()):
            if key in before or self._is_listed_in_log(key):
                self._append(key, "gone", "removed", 900)
        self.known |= self.listed.keys()
        self.complete(snapshot=sequence(self.day, 0) if restates else None)
        self.owes_snapshot = False

    def complete(self, snapshot: int | None = None) -> None:
        """Say that the day is complete; a snapshot is carried on."""
        self.snapshot = snapshot or self.snapshot
        ends = {
            str(place): end_behind(records[-1])
            for place, records in self.world.records.items()
            if records and place.topic == self.log.pets
        }
        extra: dict[str, Any] = {} if self.snapshot is None else {"snapshot": self.snapshot}
        event = ExportEvent(
            export_id=export_id(self.day), mode="scrub", state="completed",
            at=START + self.day * DAY, counts=ExportCounts(Counts(), Counts()),
            base=base_of_day(self.day), ends=ends, **extra,
        )  # fmt: skip
        value = codec.encode(event)
        headers = codec.headers(
            type_="export.completed", subject=export_subject(export_id(self.day)),
            sequence=sequence(self.day, 3_999_999), export_id=export_id(self.day),
            digest=codec.digest(value), time=START + self.day * DAY,
        )  # fmt: skip
        name = topics.EXPORTS.full_name(PREFIX)
        key = export_id(self.day).encode()
        self.world.append(ProducerRecord(name, key, value, headers))

    def again(self) -> None:
        """Append a copy of an event that is there, at the end: a late or doubled one."""
        events = self.world.events()
        if events:
            event = self.rng.choice(events)
            self.world.append(ProducerRecord(event.topic, event.key, event.value, event.headers))

    def lose(self) -> None:
        """Lose the end of a partition of pets.v1: a snapshot is owed."""
        place = self.rng.choice(self.world.places(self.log.pets))
        self.world.lose_tail(place, self.rng.randint(1, 8))
        self.owes_snapshot = True

    def _append(
        self, key: int, name: str, op: str, position: int, *, restated: bool = False
    ) -> None:
        self.world.append(
            self.log.pet(key, self.day, name=name, op=op, position=position + 1, restated=restated)
        )

    def _in_log(self) -> set[int]:
        return {int(event.key or b"") for event in self.world.events()}

    def _is_listed_in_log(self, key: int) -> bool:
        return key in expected(self.world)


def expected(world: TableWorld) -> dict[int, tuple[int, str | None]]:
    """Return sequence and name of each listed pet, by the words of docs/events.md."""
    newest: dict[int, tuple[tuple[int, str], str, PetEvent]] = {}
    for record in world.events():
        envelope = codec.decode(record.headers, record.value)
        event = envelope.event
        assert isinstance(event, PetEvent)
        held = newest.get(event.animal_id)
        if held is None or envelope.rank > held[0]:
            newest[event.animal_id] = envelope.rank, event.op, event
    return {
        key: (event.sequence, event.pet.name)
        for key, (_, op, event) in newest.items()
        if op != "removed"
    }


def shown(world: TableWorld, format_: TableFormat) -> dict[int, tuple[int, str | None]]:
    """Return the same of the rows that a sink of the table topic holds."""
    rows = {key: json.loads(value) for key, value in world.table().items()}
    if format_ == "connect":
        rows = {key: row["payload"] for key, row in rows.items()}
    return {key: (row["sequence"], row["name"]) for key, row in rows.items()}


class Schedule:
    """A feed and a consumer to which anything may happen."""

    def __init__(self, world: TableWorld, rng: random.Random) -> None:
        """Begin with nothing published."""
        self.world, self.rng = world, rng
        self.feed = Feed(world, rng)
        self.format: TableFormat = "json"
        self.member: TableMember | None = None
        self._table = topics.PET_TABLE.full_name(PREFIX)
        self._acts: dict[Callable[[], None], int] = {
            self.feed.publish: 6,
            self.feed.again: 4,
            self._rewind: 2,
            self._lose: 1,
            self._lose_own: 1,
            self._make_anew: 1,
            self._compact: 2,
            self._change_format: 1,
        }

    async def run(self) -> None:
        """Let things happen, then pay what is owed and apply all there is."""
        for _ in range(_STEPS):
            if self.rng.random() < 0.5:
                await self._step()
            else:
                acts, weights = list(self._acts), list(self._acts.values())
                self.rng.choices(acts, weights)[0]()
        self.feed.publish()
        await (await self.world.connect(self.format)).drain(self.rng)

    async def _step(self) -> None:
        dies = self.rng.random() < 0.25
        self.world.dies_after = self.rng.randint(0, 4) if dies else None
        try:
            self.member = self.member or await self.world.connect(self.format)
            await self.member.step(self.rng, dies_before_commit=dies)
        except KilledError:
            self.member = None
        self.world.dies_after = None

    def _rewind(self) -> None:
        positions = self.world.positions
        for place in self.rng.sample(list(positions), len(positions) // 2):
            positions[place] = self.rng.randint(0, positions[place][0]), None
        self.member = None

    def _lose(self) -> None:
        self.feed.lose()
        self.member = None  # the runner finds it, and begins another session

    def _lose_own(self) -> None:
        place = self.rng.choice(self.world.places(self._table))
        self.world.lose_tail(place, self.rng.randint(1, 5))
        self.member = None

    def _make_anew(self) -> None:
        self.world.empty(self._table)
        self.member = None

    def _compact(self) -> None:
        self.world.compact(self._table, without_nulls=self.rng.random() < 0.5)

    def _change_format(self) -> None:
        self.format = "connect" if self.format == "json" else "json"
        self.member = None


def test_whatever_happens_the_table_ends_as_the_log_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = chosen_seed(0)
    for seed in range(first, first + rounds(150, long=3_000)):
        with monkeypatch.context() as patched:
            world = TableWorld(patched)
            schedule = Schedule(world, random.Random(seed))  # noqa: S311  no secret
            asyncio.run(schedule.run())
            assert shown(world, schedule.format) == expected(world), f"seed {seed}"


def test_what_is_there_already_is_never_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(world: TableWorld) -> tuple[int, int]:
        rng = random.Random(4)  # noqa: S311  no secret
        feed = Feed(world, rng)
        for _ in range(5):
            feed.publish()
        await (await world.connect()).drain(rng)
        once = world.sent
        world.positions.clear()
        for _ in range(20):
            feed.again()
        await (await world.connect()).drain(rng)
        return once, world.sent

    world = TableWorld(monkeypatch)
    once, after_all = asyncio.run(run(world))
    assert (once, after_all) == (once, once)
    assert shown(world, "json") == expected(world)
