"""When an audit is due: once an export, when the consumers are there, and by one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from scripted_connection import ScriptedConnection

from consumers.audit import schedule
from consumers.audit.folded_log import Completed, Log
from consumers.audit.schedule import AuditTimings, keep_auditing
from consumers.audit.settlement import Auditor
from consumers.engine import offsets
from consumers.engine.runner import RunContext
from petstream.events import LogEnd
from petstream.kafka.records import TopicPartition
from petstream.setting_values import RemovalLimits
from petstream.settings import KafkaAccess

PETS, EXPORTS = TopicPartition("t.pets.v1", 0), TopicPartition("t.exports.v1", 0)
EXPORT = Completed("export-1", EXPORTS, LogEnd(9, "id", 1), {PETS: LogEnd(50, "id", 1)})
POLLS = 4


class _EnoughError(Exception):
    """The test has seen what it wanted."""


class World:
    """Positions of the consumers, and which exports were audited."""

    def __init__(self) -> None:
        """Have every consumer where the export ended."""
        self.log = Log("t.")
        self.log.completed = EXPORT
        self.reached: dict[str, dict[TopicPartition, LogEnd]] = {
            "pets": {PETS: LogEnd(50, "id", 1), EXPORTS: LogEnd(9, "id", 1)},
            "deletions": {PETS: LogEnd(50, "id", 1)},
            "images": {PETS: LogEnd(50, "id", 1)},
        }
        self.lock_is_free = True
        self.others_s = 300.0
        self.audited: list[str] = []
        self.polls = self.connections = 0
        self.audited_by_another_at_the_lock = False

    async def run(self) -> list[str]:
        """Poll some times; return which exports were audited."""
        context = RunContext(
            kafka=KafkaAccess("nowhere:1"), database_url="", prefix="t.", drain=False,
            stopping=asyncio.Event(), progress=lambda _name, _records: None,
        )  # fmt: skip
        auditor = Auditor(context, None, RemovalLimits(1.0, 9))
        with pytest.raises(_EnoughError):
            async with asyncio.timeout(20):
                await keep_auditing(auditor, asyncio.Event(), AuditTimings(0.0, self.others_s, 0.0))
        return self.audited

    def done(self, *_: object) -> str:
        """Note that this export was audited."""
        self.reached["audit"] = {EXPORTS: EXPORT.end}
        return "INSERT 0 1"

    def lock(self) -> bool:
        """Take the lock, if nobody has it."""
        if self.audited_by_another_at_the_lock:
            self.done()
        return self.lock_is_free

    @asynccontextmanager
    async def connected(self, _url: str) -> AsyncIterator[ScriptedConnection]:
        """Connect, but for so many polls only; the lock has a connection of its own."""
        self.polls += not self.connections
        if self.polls > POLLS:
            raise _EnoughError
        self.connections += 1
        try:
            yield ScriptedConnection(audit_lock=self.lock, set_position=self.done)
        finally:
            self.connections -= 1

    async def last_completed(self, *_: object) -> Log:
        """Return what the exports say."""
        return self.log

    async def stored(self, _connection: object, name: str) -> dict[TopicPartition, LogEnd]:
        """Return how far a consumer is."""
        return self.reached.get(name, {})

    async def compare_and_repair(self, _auditor: object, _: object, export_id: str) -> None:
        """Audit an export."""
        self.audited.append(export_id)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()

    async def nothing(*_: object, **__: object) -> None:
        pass

    for name, stub in {
        "connected": world.connected, "last_completed": world.last_completed,
        "compare_and_repair": world.compare_and_repair, "settle": nothing,
        "settle_question": nothing,
    }.items():  # fmt: skip
        monkeypatch.setattr(schedule, name, stub)
    monkeypatch.setattr(offsets, "stored", world.stored)
    return world


async def test_an_export_is_audited_once(world: World) -> None:
    assert await world.run() == ["export-1"]


@pytest.mark.parametrize("behind", [PETS, EXPORTS])
async def test_before_the_consumer_pets_has_come_so_far_nothing_is_compared(
    world: World, behind: TopicPartition
) -> None:
    world.reached["pets"][behind] = LogEnd(3, "id", 1)
    assert await world.run() == []


@pytest.mark.parametrize("consumer", ["deletions", "images"])
async def test_other_consumers_are_waited_for_but_not_for_ever(world: World, consumer: str) -> None:
    world.reached[consumer][PETS] = LogEnd(3, "id", 1)
    assert await world.run() == []
    world.polls, world.others_s = 0, 0.0
    assert await world.run() == ["export-1"]


async def test_where_the_log_lost_records_nobody_is_waited_for(world: World) -> None:
    world.reached["pets"][PETS] = LogEnd(3, "id", 1)
    world.log.lost = ["pets.v1/0 lost something"]
    assert await world.run() == ["export-1"]


async def test_while_another_process_has_the_lock_nothing_is_compared(world: World) -> None:
    world.lock_is_free = False
    assert await world.run() == []


async def test_what_another_process_has_done_until_it_gave_the_lock_away_is_not_done_again(
    world: World,
) -> None:
    world.audited_by_another_at_the_lock = True
    assert await world.run() == []
