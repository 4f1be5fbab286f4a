"""When a consumer looks whether its log is still the one it knew, and what it does with the answer.

Kafka and Postgres are made up here: in reality a client that is put back is dealt its partitions
anew as well, and so each of these moments hides behind another.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from consumers.engine import offsets, runner
from consumers.engine.runner import Consumer, RunContext, run
from petstream.events import LogEnd
from petstream.kafka.positions import Standing
from petstream.kafka.records import Bounds, ConsumerRecord, TopicPartition
from petstream.settings import KafkaAccess
from petstream.topics import PETS

HERE = TopicPartition("t.pets.v1", 0)
Poll = Callable[[], Sequence[int]]


class World:
    """A partition that a client reads by a script of polls, and a table of what was applied."""

    def __init__(self) -> None:
        """Nothing is applied, and the log is the one that everybody knows."""
        self.applied: list[int] = []
        self.sought: list[int] = []
        self.looked: list[int] = []
        self.dropped: list[int] = []
        self.stored: dict[TopicPartition, LogEnd] = {}
        self.standing: Standing = "there"
        self.link = object()
        self.script: list[Poll] = []
        self.stopping = asyncio.Event()
        self.rebalances = 1

    # as a subscription

    def assigned(self) -> frozenset[TopicPartition]:
        """Have one partition."""
        return frozenset({HERE})

    def links(self) -> dict[TopicPartition, object]:
        """Reach its leader."""
        return {HERE: self.link}

    async def poll(self) -> list[ConsumerRecord]:
        """Do what comes next in the script; at its end, stop."""
        await asyncio.sleep(0)
        if not self.script:
            self.stopping.set()
            return []
        return [ConsumerRecord(HERE, at, b"1", b"{}", (), 5) for at in self.script.pop(0)()]

    async def bounds(self, partitions: Any) -> dict[TopicPartition, Bounds]:
        """End far ahead."""
        return {partition: Bounds(0, 1_000) for partition in partitions}

    async def committed(self, _partition: TopicPartition) -> int:
        """Know no lower offset in the group."""
        return 1_000

    def seek(self, _partition: TopicPartition, offset: int) -> bool:
        """Note where reading goes on."""
        self.sought.append(offset)
        return True

    async def commit(self, _offsets: Mapping[TopicPartition, int]) -> None:
        """Commit."""

    # as Postgres and Kafka

    async def standings(
        self, _access: KafkaAccess, positions: Mapping[TopicPartition, LogEnd]
    ) -> dict[TopicPartition, Standing]:
        """Say how the log stands."""
        self.looked += [position.offset for position in positions.values()]
        return dict.fromkeys(positions, self.standing)

    async def drop_rewritten(
        self,
        _connection: object,
        _consumer: str,
        positions: Mapping[TopicPartition, LogEnd],
        standings: Mapping[TopicPartition, Standing],
    ) -> list[TopicPartition]:
        """Drop what isn't there."""
        lost = [at for at in positions if standings[at] != "there"]
        for partition in lost:
            self.dropped.append(positions[partition].offset)
            del self.stored[partition]
            self.standing = "there"
        return lost

    async def advance(
        self, _connection: object, _consumer: str, held: Any, ends: Mapping[TopicPartition, LogEnd]
    ) -> None:
        """Move only from what is stored."""
        for partition, end in ends.items():
            assert held[partition] == self.stored.get(partition)
            self.stored[partition] = end


class Connection:
    """A connection that does nothing."""

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None, None]:
        """Hold a transaction."""
        yield


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()

    @asynccontextmanager
    async def subscribed(*_: object) -> AsyncGenerator[World, None]:
        yield made

    @asynccontextmanager
    async def connected(_url: str) -> AsyncGenerator[Connection, None]:
        yield Connection()

    async def stored(_connection: object, _consumer: str) -> dict[TopicPartition, LogEnd]:
        return dict(made.stored)

    monkeypatch.setattr(runner, "subscribed", subscribed)
    monkeypatch.setattr(runner, "connected", connected)
    monkeypatch.setattr(runner, "standings", made.standings)
    monkeypatch.setattr(offsets, "stored", stored)
    monkeypatch.setattr(offsets, "advance", made.advance)
    monkeypatch.setattr(offsets, "drop_rewritten", made.drop_rewritten)
    return made


async def consume(world: World, *script: Poll) -> None:
    """Run a consumer through a script of polls."""
    world.script = list(script)

    async def apply(_connection: Any, items: Sequence[int]) -> None:
        world.applied += items

    await run(
        Consumer("pets", (PETS,), lambda record: record.offset, apply),
        RunContext(
            kafka=KafkaAccess("nowhere:1"), database_url="", prefix="t.", drain=False,
            stopping=world.stopping, progress=lambda _name, _records: None,
        ),
    )  # fmt: skip


async def test_a_position_is_looked_at_before_anything_is_read_from_it(world: World) -> None:
    world.stored[HERE] = LogEnd(7, "an id", 5)
    world.standing = "lost"
    await consume(world, lambda: [0, 1])
    assert (world.looked, world.dropped, world.sought) == ([7], [7], [0])
    assert world.applied == [0, 1]


async def test_what_was_polled_when_a_leader_was_reached_anew_is_fetched_again(
    world: World,
) -> None:
    def by_another_connection() -> Sequence[int]:
        world.link = object()
        return [2, 3]

    await consume(world, lambda: [0, 1], by_another_connection, lambda: [2, 3])
    assert world.looked == [2], "nothing is stored at first"
    assert world.sought == [0, 2]
    assert world.applied == [0, 1, 2, 3]


async def test_what_a_leader_with_another_log_gives_is_not_applied_behind_the_old_one(
    world: World,
) -> None:
    def from_another_log() -> Sequence[int]:
        world.link, world.standing = object(), "lost"
        return [2, 3]

    await consume(world, lambda: [0, 1], from_another_log, lambda: [0, 1, 2, 3])
    assert world.dropped == [2]
    assert world.applied == [0, 1, 0, 1, 2, 3], "all of it is read from the beginning"


async def test_a_client_that_was_put_back_makes_the_consumer_look(world: World) -> None:
    def put_back() -> Sequence[int]:
        world.standing = "lost"
        return [0, 1, 2, 3]

    await consume(world, lambda: [0, 1, 2], put_back, lambda: [0])
    assert world.dropped == [3], "the audit is to hear of it"
    assert world.applied == [0, 1, 2, 0]


async def test_a_client_that_was_put_back_for_nothing_goes_on_where_it_was(world: World) -> None:
    await consume(world, lambda: [0, 1, 2], lambda: [0], lambda: [3])
    assert world.sought == [0, 3]
    assert world.applied == [0, 1, 2, 3]


@pytest.mark.parametrize("busy", [True, False])
async def test_a_position_is_looked_at_now_and_then_whether_or_not_records_come(
    world: World, monkeypatch: pytest.MonkeyPatch, *, busy: bool
) -> None:
    async def probe(*_: object) -> None:
        pass

    monkeypatch.setattr(runner, "_PROBE_EVERY_S", -1.0)
    monkeypatch.setattr(runner._ConsumerSession, "_probe", probe)  # noqa: SLF001  what isn't tried here
    await consume(world, lambda: [0], lambda: [1] if busy else [])
    assert world.looked[:2] == ([1, 2] if busy else [1, 1])
