"""The clients that the product makes, in front of the simulated broker.

Rule 1: nothing is cleverer than aiokafka: a poll says nothing of a Kafka that is away, prefetched
        records outlive a loss, an offset out of range is reset as the client was told.
Rule 2: a batch that is on its way when its process is killed is lost, or arrives, or arrives late;
        one whose answer is lost was appended or wasn't: its sender can't tell.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

import pytest
from aiokafka import TopicPartition as Place
from aiokafka.client import ConnectionGroup
from aiokafka.errors import (
    IllegalStateError,
    KafkaConnectionError,
    KafkaError,
    RequestTimedOutError,
)
from aiokafka.structs import OffsetAndMetadata, RecordMetadata
from simulated.broker import Broker, Headers, Link, Stored
from simulated.process import Process, current

from consumers.engine import subscription
from ingest.leadership import group as ingesters
from ingest.publish import producer
from petstream.kafka import client, diagnosis, groups, reader, writer

_BROKER: Final = 1
_CREATE_TIME: Final = 0
_WAIT_S: Final = 3.0
"""How long a poll waits for records at the most, whatever it was asked."""


class Network:
    """What may go wrong on the way, and how large batches become."""

    def __init__(self, random: Random) -> None:
        """Begin: nothing goes wrong yet."""
        self.random = random
        self.roughness = 0.0
        """The share of batches that break off, or whose answer is lost."""
        self.records_a_batch = 3
        self.records_a_poll = 40
        """How many come at once, at the most."""
        self.late_s = 0.0
        """How late the batches of who is killed arrive, if they do."""


class Record(NamedTuple):
    """What appending to a batch tells."""

    timestamp: int


class Batch:
    """A batch that is being filled."""

    def __init__(self, broker: Broker, most: int) -> None:
        """Begin an empty one."""
        self.records: list[Stored] = []
        self._broker, self._most = broker, most

    def append(
        self, *, timestamp: int | None, key: bytes | None, value: bytes | None, headers: Headers
    ) -> Record | None:
        """Add a record; None: it's full."""
        if len(self.records) >= self._most:
            return None
        at_ms = self._broker.clock.ms() if timestamp is None else timestamp
        self.records.append(Stored(0, at_ms, key, value, tuple(headers)))
        return Record(at_ms)


class Flying(NamedTuple):
    """A batch on its way, and who waits for its answer."""

    place: Place
    records: list[Stored]
    answer: asyncio.Future[RecordMetadata]


class FakeProducer:
    """`AIOKafkaProducer`."""

    broker: Broker
    network: Network

    def __init__(self, *, acks: Any = 1, **_options: Any) -> None:
        """Make one; ``acks`` is what aiokafka's default is, if it isn't said."""
        self.process = current.get()
        self._waits_for_all = acks in {"all", -1}
        self._queues: dict[Place, deque[Flying]] = defaultdict(deque)
        self._deliveries: dict[Place, asyncio.Task[None]] = {}
        self._broken = False
        self._is_closed = False
        self._sender = SimpleNamespace(sender_task=SimpleNamespace(cancel=self._drop))
        self.client = SimpleNamespace(close=self._close)
        self.process.on_kill.append(self._killed)

    async def start(self) -> None:
        """Connect."""
        await self.process.step()
        self.broker.called()

    async def stop(self) -> None:
        """Send what is queued, and disconnect."""
        while self.process.alive and any(self._queues.values()) and not self._broken:  # noqa: ASYNC110  deliveries tell nobody
            await asyncio.sleep(0.05)
        await self._close()

    async def _close(self) -> None:
        self._is_closed = True
        self._drop()

    def _drop(self) -> None:
        """Forget what hasn't left yet; what is on its way goes on."""
        for queue in self._queues.values():
            while len(queue) > 1:
                queue.pop()

    async def partitions_for(self, topic: str) -> set[int]:
        """Return the numbers of a topic's partitions."""
        await self.process.step()
        self.broker.called()
        return {place.partition for place in self.broker.places([topic])}

    def create_batch(self) -> Batch:
        """Begin a batch."""
        return Batch(self.broker, self.network.records_a_batch)

    async def send_batch(
        self, batch: Batch, topic: str, *, partition: int
    ) -> asyncio.Future[RecordMetadata]:
        """Queue a batch; return who waits for its answer."""
        await self.process.step()
        return self._queued(Place(topic, partition), batch.records)

    async def send_and_wait(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None,
        partition: int | None,
        headers: Sequence[tuple[str, bytes]],
    ) -> RecordMetadata:
        """Send one record and wait for its answer."""
        await self.process.step()
        places = self.broker.places([topic])
        number = reader.partition_of(key or b"", len(places)) if partition is None else partition
        stored = Stored(0, self.broker.clock.ms(), key, value, tuple(headers))
        return await self._queued(Place(topic, number), [stored])

    def _queued(self, place: Place, records: list[Stored]) -> asyncio.Future[RecordMetadata]:
        answer: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        # who doesn't wait any more doesn't want to hear of an error either
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        if not self._waits_for_all:
            end = self.broker.partition(place).end + sum(
                len(each.records) for each in self._queues[place]
            )
            self._answer(answer, place, end, records)
        self._queues[place].append(Flying(place, records, answer))
        if place not in self._deliveries or self._deliveries[place].done():
            self._deliveries[place] = asyncio.create_task(self._deliver(place))
        return answer

    async def _deliver(self, place: Place) -> None:
        queue, random = self._queues[place], self.network.random
        while queue:
            flying = queue[0]
            try:
                await self.process.awake()
                if self._broken:
                    raise KafkaConnectionError("the connection broke before")
                link = self.broker.link
                await asyncio.sleep(random.random() * 0.1)
                fate = random.random() / 2
                self.broker.called()
                if link is not self.broker.link or fate < self.network.roughness / 4:
                    raise KafkaConnectionError("it broke before it arrived")
                first = self.broker.append(place, flying.records)
                await asyncio.sleep(random.random() * 0.1)
                await self.process.awake()
                if link is not self.broker.link or fate < self.network.roughness / 2:
                    raise RequestTimedOutError("its answer was lost")
            except KafkaError as error:
                if not self.process.alive:
                    return
                self._broken = True
                for each in queue:
                    if not each.answer.done():
                        each.answer.set_exception(error)
                queue.clear()
                return
            self._answer(flying.answer, place, first, flying.records)
            if queue and queue[0] is flying:
                queue.popleft()

    @staticmethod
    def _answer(
        answer: asyncio.Future[RecordMetadata], place: Place, first: int, records: list[Stored]
    ) -> None:
        if not answer.done():
            answer.set_result(
                RecordMetadata(
                    place.topic, place.partition, place, first, records[-1].timestamp,
                    _CREATE_TIME, 0,
                )
            )  # fmt: skip

    def _killed(self) -> None:
        """Decide what becomes of the batches that are on their way (rule 2)."""
        for place, queue in self._queues.items():
            if not queue:
                continue
            flying, task = queue[0], self._deliveries[place]
            queue.clear()
            task.cancel()
            fate = self.network.random.randrange(3)
            if fate:
                late_s = 0.0 if fate == 1 else self.network.late_s
                asyncio.get_running_loop().call_later(late_s, self._arrive, flying)

    def _arrive(self, flying: Flying) -> None:
        try:
            self.broker.append(flying.place, flying.records)
        except KafkaError:
            return  # too late


class FakeConsumer:
    """`AIOKafkaConsumer`: a reader, a consumer of a group, or the ingester's place in its group."""

    broker: Broker
    network: Network

    def __init__(
        self,
        *,
        group_id: str | None = None,
        client_id: str = "aiokafka",
        auto_offset_reset: str = "latest",
        session_timeout_ms: int = 10_000,
        **_options: Any,
    ) -> None:
        """Make one, by the options that matter here."""
        self.process: Process = current.get()
        self.name, self.session_s = client_id, session_timeout_ms / 1000
        self.topics: tuple[str, ...] = ()
        self._group, self._reset = group_id, auto_offset_reset
        self._listener: Any = None
        self._positions: dict[Place, int | None] = {}
        self._prefetched: dict[Place, list[Stored]] = {}
        self._is_member = False
        self._known: dict[str, int] = {}
        self._client = SimpleNamespace(
            set_topics=lambda _topics: None,
            force_metadata_update=self._look,
            cluster=SimpleNamespace(leader_for_partition=lambda _place: _BROKER),
            close=self._cut_off,
            _conns=_Connections(self),
        )
        self._subscription = SimpleNamespace(unsubscribe=lambda: self.assign(()))

    # connecting

    async def start(self) -> None:
        """Connect, and join if topics were subscribed to."""
        await self.process.step()
        self.broker.called()
        await self._look()
        self._join()

    async def stop(self) -> None:
        """Leave the group, and disconnect."""
        if not self.process.alive:
            return
        await self.process.step()
        if self._group is not None and self._is_member:
            self._is_member = False
            self.broker.leave(self._group, self)

    async def _cut_off(self) -> None:
        """Close the connections of a client whose stop broke off; it leaves its group, too."""
        if self._group is not None and self._is_member:
            self._is_member = False
            self.broker.leave(self._group, self)

    async def _look(self, *_topics: object) -> None:
        await self.process.step()
        self.broker.called()
        self._known = {name: len(t.partitions) for name, t in self.broker.topics.items()}

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """Return the numbers of a topic's partitions, as far as it is known."""
        return set(range(self._known[topic])) if topic in self._known else None

    # groups

    def subscribe(self, topics: Iterable[str], listener: Any = None) -> None:
        """Want the partitions of topics."""
        self.topics, self._listener = tuple(topics), listener
        if self._known:
            self._join()

    def _join(self) -> None:
        if self._group is not None and self.topics and not self._is_member:
            self._is_member = True
            self.broker.join(self._group, self)

    def revoke(self) -> None:
        """Learn that the group is formed anew."""
        self._listener.on_partitions_revoked(frozenset(self._positions))

    def assign_by_group(self, places: Iterable[Place]) -> None:
        """Learn what is ours now; it is read from what was committed (broker's rule 3)."""
        self._positions = dict.fromkeys(places)
        self._prefetched.clear()
        self._listener.on_partitions_assigned(frozenset(self._positions))

    def assignment(self) -> frozenset[Place]:
        """Return what is ours."""
        return frozenset(self._positions)

    def assign(self, places: Iterable[Place]) -> None:
        """Take partitions by hand."""
        self._positions = dict.fromkeys(places)
        self._prefetched.clear()

    def pause(self, *places: Place) -> None:
        """Fetch nothing of these: they are never polled."""

    async def committed(self, place: Place) -> int | None:
        """Return the group's offset."""
        await self.process.step()
        self.broker.called()
        at = self.broker.group(self._group or "").committed.get(place)
        return None if at is None else at[0]

    async def commit(self, offsets: Mapping[Place, int | OffsetAndMetadata]) -> None:
        """Commit offsets."""
        await self.process.step()
        self.broker.called()
        entries = {
            place: (at.offset, at.metadata) if isinstance(at, OffsetAndMetadata) else (at, "")
            for place, at in offsets.items()
        }
        self.broker.commit(self._group or "", self, entries)

    # reading

    async def beginning_offsets(self, places: Sequence[Place]) -> dict[Place, int]:
        """Return where partitions begin."""
        await self.process.step()
        self.broker.called()
        for place in places:
            self.broker.partition(place)  # raises where there is none
        return dict.fromkeys(places, 0)

    async def end_offsets(self, places: Sequence[Place]) -> dict[Place, int]:
        """Return where partitions end."""
        await self.process.step()
        self.broker.called()
        return {place: self.broker.partition(place).end for place in places}

    def seek(self, place: Place, offset: int) -> None:
        """Go to an offset."""
        if place not in self._positions:
            raise IllegalStateError("it isn't ours")
        self._positions[place] = offset
        self._prefetched.pop(place, None)

    async def position(self, place: Place) -> int:
        """Return where it reads on."""
        if place not in self._positions:
            raise IllegalStateError("it isn't ours")
        return self._place_in(place)

    def _place_in(self, place: Place) -> int:
        """Return where it reads on; from nowhere: at what is committed; out of range: as told."""
        at, partition = self._positions[place], self.broker.partition(place)
        if at is None and self._group is not None:
            committed = self.broker.group(self._group).committed.get(place)
            at = None if committed is None else committed[0]
        if at is None or at > partition.end:
            at = 0 if self._reset == "earliest" else partition.end
            self._prefetched.pop(place, None)
        self._positions[place] = at
        return at

    async def getmany(
        self, *places: Place, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[Place, list[Stored]]:
        """Return the next records, or wait a while for some."""
        await self.process.awake()
        if timeout_ms == 0 and self.network.random.random() < 0.5:
            return {}  # more may be on its way: nobody waits for it
        wait_s = timeout_ms / 1000
        if timeout_ms > 0 and not places:
            wait_s = max(wait_s, _WAIT_S)
        until_s = self.broker.clock.passed_s + wait_s
        while True:
            batches = {} if self.broker.is_away else self._fetched(places, max_records or 500)
            if batches or self.broker.clock.passed_s >= until_s:
                return batches
            await asyncio.sleep(min(wait_s, 0.5))
            await self.process.awake()

    def _fetched(self, places: Sequence[Place], most: int) -> dict[Place, list[Stored]]:
        self.broker.called()
        random = self.network.random
        most = min(most, random.randrange(1, self.network.records_a_poll))
        batches: dict[Place, list[Stored]] = {}
        order = sorted(places or self._positions)
        random.shuffle(order)  # as answers come: of partitions, any may be read before another
        for place in order:
            kept = self._prefetched.pop(place, None)
            at = self._place_in(place)
            records = kept or self.broker.partition(place).since(at, most)
            if records and most > 0:
                batches[place] = records
                self._positions[place] = at = records[-1].offset + 1
                most -= len(records)
                if random.random() < 0.3:  # fetched ahead, as far as there is anything
                    ahead = self.broker.partition(place).since(at, 3)
                    if ahead:
                        self._prefetched[place] = ahead
        return batches


class _Connections:
    """The client's connections, by broker: one for as long as the broker stays up."""

    def __init__(self, consumer: FakeConsumer) -> None:
        self._consumer = consumer

    def get(self, at: tuple[int, ConnectionGroup]) -> Link:
        assert at == (_BROKER, ConnectionGroup.DEFAULT)
        return self._consumer.broker.link


class FakeAdmin:
    """`AIOKafkaAdminClient`."""

    broker: Broker

    def __init__(self, **_options: Any) -> None:
        """Make one."""
        self._process = current.get()

    async def start(self) -> None:
        """Connect."""
        await self._process.step()
        self.broker.called()

    async def close(self) -> None:
        """Disconnect."""

    async def list_topics(self) -> list[str]:
        """Return the topics' names."""
        await self._process.step()
        self.broker.called()
        return [*self.broker.topics]

    async def describe_topics(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return the topics' partitions."""
        return [
            {
                "topic": name,
                "error_code": 0,
                "partitions": [
                    {"leader": _BROKER, "error_code": 0, "replicas": [_BROKER]}
                    for _ in self.broker.topics[name].partitions
                ],
            }
            for name in names
        ]

    async def describe_configs(self, resources: Sequence[Any]) -> list[Any]:
        """Return the topics' configs."""
        return [
            SimpleNamespace(
                resources=[
                    (0, "", 2, resource.name, [*self.broker.topics[resource.name].configs.items()])
                    for resource in resources
                ]
            )
        ]

    async def describe_consumer_groups(self, names: Sequence[str]) -> list[Any]:
        """Return the groups' members."""
        await self._process.step()
        self.broker.called()
        return [SimpleNamespace(groups=[self._described(name) for name in names])]

    def _described(self, name: str) -> tuple[Any, ...]:
        members = [("", member.name, "/10.0.0.1") for member in self.broker.group(name).members]
        return 0, name, "", "", "", members

    async def list_consumer_group_offsets(self, name: str) -> dict[Place, OffsetAndMetadata]:
        """Return what a group committed."""
        await self._process.step()
        return {
            place: OffsetAndMetadata(*at) for place, at in self.broker.group(name).committed.items()
        }


async def _no_refusal(*_arguments: object) -> None:
    """Nothing keeps anybody out."""


def install(broker: Broker, network: Network, patch: pytest.MonkeyPatch) -> None:
    """Give everybody these clients."""
    for fake in (FakeProducer, FakeConsumer, FakeAdmin):
        patch.setattr(fake, "broker", broker, raising=False)
        patch.setattr(fake, "network", network, raising=False)
    for module in (writer, producer):
        patch.setattr(module, "AIOKafkaProducer", FakeProducer)
    for module in (reader, groups, ingesters, subscription):
        patch.setattr(module, "AIOKafkaConsumer", FakeConsumer)
    patch.setattr(client, "AIOKafkaAdminClient", FakeAdmin)
    patch.setattr(diagnosis, "refusal", _no_refusal)
