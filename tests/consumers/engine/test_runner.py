"""The loop of a consumer: what is applied, in which order, across whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from scripted_connection import ScriptedConnection

from consumers.engine import offsets, runner
from consumers.engine.runner import Consumer, RunContext, run
from petstream.codec import UndecodableError
from petstream.errors import PetstreamError
from petstream.events import SOURCE, LogEnd
from petstream.kafka.records import Bounds, ConsumerRecord, TopicPartition
from petstream.settings import KafkaAccess
from petstream.topics import PETS

HERE = TopicPartition("t.pets.v1", 0)
OURS = (("ce_source", SOURCE.encode()),)
END = 6


class World:
    """A partition of some records, Postgres, and the group of one consumer."""

    def __init__(self) -> None:
        """Begin with nothing applied."""
        self.done: list[str] = []
        """What was done, in its order."""
        self.applied: list[int] = []
        self.position = LogEnd(0)
        self.committed = 0
        self.rebalances = 0
        self.link: object = object()
        self.standings: dict[TopicPartition, Any] = {}
        self.polls: list[Callable[[], None]] = []
        """What happens while the next ones are polled."""
        self.refuse: dict[int, str] = {}
        self.joins_after = 0
        """After how many polls the partition is ours."""
        self._at = 0

    # what a Subscription is asked
    async def partitions(self, _topics: Sequence[str]) -> list[TopicPartition]:
        """Return ours."""
        return [HERE]

    async def bounds(self, partitions: Any) -> dict[TopicPartition, Bounds]:
        """Return where they begin and end."""
        return dict.fromkeys(partitions, Bounds(0, END))

    def assigned(self) -> frozenset[TopicPartition]:
        """Return ours."""
        return frozenset() if self.joins_after > 0 else frozenset({HERE})

    def links(self) -> dict[TopicPartition, object]:
        """Return the connection to its leader."""
        return {HERE: self.link}

    def seek(self, _partition: TopicPartition, offset: int) -> bool:
        """Go on from there."""
        self.done.append(f"seek {offset}")
        self._at = offset
        return True

    async def position_of(self, _partition: TopicPartition) -> int:
        """Return the next record's offset."""
        return self._at

    async def committed_of(self, _partition: TopicPartition) -> int:
        """Return the group's offset."""
        return self.committed

    async def poll(self) -> list[ConsumerRecord]:
        """Return the next two records, behind what happens meanwhile."""
        if self.joins_after > 0:
            self.joins_after -= 1
            return []
        if self.polls:
            self.polls.pop(0)()
        records = [
            ConsumerRecord(HERE, offset, b"1", b"{}", OURS)
            for offset in range(self._at, min(self._at + 2, END))
        ]
        self._at += len(records)
        return records

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit the group's offset."""
        self.committed = offsets[HERE]
        self.done.append(f"commit {self.committed}")

    # what the consumer and the stored positions do
    def read(self, record: ConsumerRecord) -> int:
        """Read a record, unless it is refused."""
        if record.offset in self.refuse:
            raise UndecodableError(self.refuse[record.offset], "it isn't one of ours")
        return record.offset

    async def apply(self, _connection: Any, items: Sequence[int]) -> None:
        """Apply records."""
        self.applied.extend(items)
        self.done.append(f"apply {[*items]}")

    async def advance(self, _connection: Any, _name: str, held: Any, ends: Any) -> None:
        """Store positions."""
        assert held[HERE] == self.position
        self.position = ends[HERE]
        self.done.append(f"store {self.position.offset}")

    async def send_all(self, _access: KafkaAccess, letters: Sequence[Any]) -> None:
        """Send dead letters."""
        self.done += [f"park {letter.key.decode()}" for letter in letters]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    subscription: Any = world
    subscription_like = _Subscription(world)

    @asynccontextmanager
    async def connected(_url: str) -> AsyncIterator[ScriptedConnection]:
        yield ScriptedConnection()

    @asynccontextmanager
    async def subscribed(*_: object) -> AsyncIterator[Any]:
        yield subscription_like

    async def stored(*_: object) -> dict[TopicPartition, LogEnd]:
        return {HERE: world.position}

    async def drop(_connection: Any, _name: str, _positions: Any, standings: Any) -> list[Any]:
        return [at for at, standing in standings.items() if standing != "there"]

    async def standings(*_: object) -> dict[TopicPartition, Any]:
        world.done.append("look")
        return world.standings

    monkeypatch.setattr(runner, "connected", connected)
    monkeypatch.setattr(runner, "subscribed", subscribed)
    monkeypatch.setattr(runner, "standings", standings)
    monkeypatch.setattr(runner, "send_all", subscription.send_all)
    monkeypatch.setattr(offsets, "stored", stored)
    monkeypatch.setattr(offsets, "advance", subscription.advance)
    monkeypatch.setattr(offsets, "drop_rewritten", drop)
    return world


class _Subscription:
    """A world as a `Subscription`, whose two methods have other names there."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        names = {"position": "position_of", "committed": "committed_of"}
        return getattr(self._world, names.get(name, name))


async def drained(world: World) -> None:
    """Run the consumer until it has applied all there is."""
    consumer = Consumer("pets", (PETS,), world.read, world.apply)
    context = RunContext(
        kafka=KafkaAccess("nowhere:1"), database_url="", prefix="t.", drain=True,
        stopping=asyncio.Event(), progress=lambda _name, _records: None,
    )  # fmt: skip
    async with asyncio.timeout(20):
        await run(consumer, context)


async def test_o10_a_connection_that_was_idle_is_looked_at_before_it_is_relied_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O10: a firewall had forgotten it, and the day was applied 127 s late."""
    answers = iter([TimeoutError("nothing comes back"), None])

    async def look(_connection: object) -> None:
        world.done.append("ask")
        if (error := next(answers, None)) is not None:
            raise error

    monkeypatch.setattr(runner, "look", look)
    monkeypatch.setattr(runner, "_IDLE_S", -1.0)
    await drained(world)
    assert world.applied == [0, 1, 2, 3, 4, 5]
    first = world.done.index("apply [0, 1]")
    assert world.done[:first].count("ask") == 2, "the first leads nowhere: another connection"
    assert world.done[first - 1] == "ask"


async def test_data_and_position_come_first_and_the_groups_offset_last(world: World) -> None:
    await drained(world)
    assert world.applied == [0, 1, 2, 3, 4, 5]
    assert world.done[:5] == ["look", "seek 0", "apply [0, 1]", "store 2", "commit 2"]
    assert world.done[-3:] == ["apply [4, 5]", "store 6", "commit 6"]


async def test_what_was_polled_across_a_rebalance_is_dropped_and_sought_again(
    world: World,
) -> None:
    """The group's offset may be ahead of the database, and kept partitions are put there."""

    def rebalance() -> None:
        world.rebalances += 2
        world.seek(HERE, 5)  # what aiokafka does, by the group's offset

    world.polls = [lambda: None, rebalance]
    await drained(world)
    assert world.applied == [0, 1, 2, 3, 4, 5]


async def test_what_was_polled_before_a_leader_was_reached_anew_is_looked_at_first(
    world: World,
) -> None:
    def reconnect() -> None:
        world.link = object()

    world.polls = [lambda: None, reconnect]
    await drained(world)
    assert world.applied == [0, 1, 2, 3, 4, 5]
    again = world.done.index("store 2") + 2
    assert world.done[again : again + 3] == ["look", "seek 2", "apply [2, 3]"]


async def test_a_client_that_was_put_back_has_its_partition_looked_at(world: World) -> None:
    def put_back() -> None:
        world.seek(HERE, 0)  # what aiokafka does where an offset is out of range

    world.polls = [lambda: None, put_back]
    await drained(world)
    assert world.applied == [0, 1, 2, 3, 4, 5]
    assert world.done.count("look") == 2


async def test_a_client_that_was_put_back_amid_a_poll_has_its_partition_looked_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole_poll, again = world.poll, [True]

    async def poll() -> list[ConsumerRecord]:
        records = await whole_poll()
        if records and records[0].offset == 2 and again:
            again.clear()
            records += records
        return records

    monkeypatch.setattr(world, "poll", poll)
    await drained(world)
    assert world.applied == [0, 1, 2, 3, 4, 5]
    assert world.done.count("look") == 2


async def test_a_log_that_was_rewritten_is_read_from_the_beginning(world: World) -> None:
    def rewrite() -> None:
        world.link = object()
        world.standings = {HERE: "lost"}
        world.polls = []

    def dropped(*_: object) -> None:
        world.position, world.committed, world.standings = LogEnd(0), 0, {}

    async def drop(_connection: Any, _name: str, _positions: Any, standings: Any) -> list[Any]:
        gone = [at for at, standing in standings.items() if standing != "there"]
        if gone:
            dropped()
        return gone

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(offsets, "drop_rewritten", drop)
        world.polls = [lambda: None, rewrite]
        await drained(world)
    assert world.applied == [0, 1, 0, 1, 2, 3, 4, 5]


async def test_a_log_made_anew_is_drained_though_it_is_shorter_than_what_was_applied(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until partitions are dealt out, the old log's position looks as if all were done."""
    world.position, world.committed = LogEnd(END + 3, "gone", 1), END + 3
    world.standings, world.joins_after = {HERE: "lost"}, 2

    async def drop(_connection: Any, _name: str, _positions: Any, standings: Any) -> list[Any]:
        gone = [*standings]
        world.position, world.committed, world.standings = LogEnd(0), 0, {}
        return gone

    monkeypatch.setattr(offsets, "drop_rewritten", drop)
    await drained(world)
    assert world.applied == [0, 1, 2, 3, 4, 5]


async def test_a_letter_is_durable_before_the_position_behind_its_record_moves(
    world: World,
) -> None:
    world.refuse = {3: "value"}
    await drained(world)
    assert world.applied == [0, 1, 2, 4, 5]
    at = world.done.index("apply [2]")
    assert world.done[at : at + 3] == ["apply [2]", f"park {HERE}/3", "store 4"]


async def test_an_event_of_a_version_that_is_not_ours_yet_stops_the_consumer(
    world: World,
) -> None:
    """As dead letters, a whole log of them would be lost to this database."""
    world.refuse = {3: "version"}
    with pytest.raises(PetstreamError, match="isn't for this version"):
        await drained(world)
    assert world.position.offset == 2
