"""The log: a list for each partition; groups with their members and what they committed.

Rule 1: what was stamped longer ago than its topic says is refused, as Kafka does.
Rule 2: a power cut takes the tails of partitions and every connection; a copy put back takes all
        that came since, what groups committed included.
Rule 3: a group is formed anew when a member comes, goes, or isn't heard of for its session; until
        then it takes no commit, and then every member begins at what was committed.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, NamedTuple, Protocol

from aiokafka import TopicPartition as Place
from aiokafka.errors import (
    CommitFailedError,
    InvalidTimestampError,
    KafkaConnectionError,
    UnknownTopicOrPartitionError,
)
from simulated.clock import Clock
from simulated.process import Process

Headers = tuple[tuple[str, bytes], ...]
_REBALANCE_S: Final = 3.0
_OUTAGE_S: Final = 2.0


class Stored(NamedTuple):
    """A record as it lies in its partition; what aiokafka gives has these names, too."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Link:
    """A connection to the broker."""

    def connected(self) -> bool:
        """Tell whether it stands."""
        return True


@dataclass
class Partition:
    """The records of a partition, in the order of their offsets, and where it ends."""

    records: list[Stored] = field(default_factory=list)
    end: int = 0

    def since(self, offset: int, most: int) -> list[Stored]:
        """Return the next records from an offset on."""
        low, high = 0, len(self.records)
        while low < high:
            middle = (low + high) // 2
            is_before = self.records[middle].offset < offset
            low, high = (middle + 1, high) if is_before else (low, middle)
        return self.records[low : low + most]

    def cut(self, offset: int) -> None:
        """Lose everything from an offset on."""
        self.records = [record for record in self.records if record.offset < offset]
        self.end = min(self.end, offset)


@dataclass
class Topic:
    """A topic: its partitions and configs."""

    partitions: list[Partition]
    configs: dict[str, str]


class Client(Protocol):
    """A member's client."""

    process: Process
    topics: tuple[str, ...]
    name: str
    session_s: float

    def revoke(self) -> None:
        """Learn that the group is formed anew."""

    def assign_by_group(self, places: Iterable[Place]) -> None:
        """Learn what is ours now."""


@dataclass
class Group:
    """A group: its members in the order in which they came, and what was committed."""

    members: list[Client] = field(default_factory=list)
    committed: dict[Place, tuple[int, str]] = field(default_factory=dict)
    is_forming: bool = False
    formed: int = 0


class Broker:
    """A Kafka of one broker."""

    def __init__(self, clock: Clock, random: Random) -> None:
        """Start it empty."""
        self.clock, self.random = clock, random
        self.topics: dict[str, Topic] = {}
        self.groups: dict[str, Group] = {}
        self.ever: list[tuple[Place, Stored]] = []
        """Every record that was ever appended."""
        self.link = Link()
        """The connection to it; another one after a restart."""
        self.calls = 0
        self.at_call: dict[int, Callable[[], None]] = {}
        """What is to happen at which call of any client."""
        self._away_until_s = 0.0
        self._joined: set[Any] = set()
        self._copies: list[tuple[dict[str, Topic], dict[str, dict[Place, tuple[int, str]]]]] = []

    def called(self) -> None:
        """Count a call; raises as a client does that doesn't reach it."""
        self.calls += 1
        happening = self.at_call.pop(self.calls, None)
        if happening is not None:
            happening()
        if self.is_away:
            raise KafkaConnectionError("it isn't there just now")

    @property
    def is_away(self) -> bool:
        """Whether it is restarting."""
        return self.clock.passed_s < self._away_until_s

    # the log

    def make(self, name: str, partitions: int, configs: Mapping[str, str]) -> None:
        """Make a topic, if there is none."""
        made = Topic([Partition() for _ in range(partitions)], dict(configs))
        self.topics.setdefault(name, made)

    def partition(self, place: Place) -> Partition:
        """Return a partition."""
        topic = self.topics.get(place.topic)
        if topic is None or place.partition >= len(topic.partitions):
            raise UnknownTopicOrPartitionError(str(place))
        partition: Partition = topic.partitions[place.partition]
        return partition

    def places(self, topics: Iterable[str]) -> list[Place]:
        """Return all partitions of topics."""
        return [
            Place(name, number)
            for name in topics
            if name in self.topics
            for number in range(len(self.topics[name].partitions))
        ]

    def append(self, place: Place, records: Iterable[Stored]) -> int:
        """Append a batch; return its first offset."""
        partition, stamped = self.partition(place), list(records)
        oldest_ms = self.topics[place.topic].configs.get("message.timestamp.before.max.ms")
        if oldest_ms and any(r.timestamp < self.clock.ms() - int(oldest_ms) for r in stamped):
            raise InvalidTimestampError(str(place))
        first = partition.end
        for record in stamped:
            kept = record._replace(offset=partition.end)
            partition.records.append(kept)
            partition.end += 1
            self.ever.append((place, kept))
        return first

    def compact(self, topic: str, before: Mapping[Place, int]) -> None:
        """Keep only the last record of each key, of those before these offsets."""
        for place in self.places([topic]):
            partition, limit = self.partition(place), before.get(place, 0)
            last = {r.key: r.offset for r in partition.records if r.offset < limit}
            partition.records = [
                r for r in partition.records if r.offset >= limit or last[r.key] == r.offset
            ]

    # what befalls it

    def restart(self) -> None:
        """Come back with other connections."""
        self.link = Link()
        self._away_until_s = self.clock.passed_s + self.random.random() * _OUTAGE_S

    def cut(self, tails: Mapping[Place, int]) -> None:
        """Lose so many records of the ends of partitions, in a power cut."""
        for place, count in tails.items():
            partition = self.partition(place)
            partition.cut(max(0, partition.end - count))
        self.restart()

    def back_up(self) -> None:
        """Copy its directory."""
        committed = {name: dict(group.committed) for name, group in self.groups.items()}
        self._copies.append((copy.deepcopy(self.topics), committed))

    def put_back(self) -> bool:
        """Put a copy of its directory in place of what there is; False: there is none."""
        if not self._copies:
            return False
        topics, committed = self.random.choice(self._copies)
        self.topics = copy.deepcopy(topics)
        for name, group in self.groups.items():
            group.committed = dict(committed.get(name, {}))
        self.restart()
        return True

    def make_anew(self, name: str) -> None:
        """Delete a topic and make it anew."""
        old = self.topics[name]
        self.topics[name] = Topic([Partition() for _ in old.partitions], old.configs)
        for group in self.groups.values():
            group.committed = {p: at for p, at in group.committed.items() if p.topic != name}
        self.restart()

    def add_partitions(self, name: str, partitions: int) -> None:
        """Give a topic more partitions; members learn of it when they next look."""
        topic = self.topics[name]
        topic.partitions += [Partition() for _ in range(partitions - len(topic.partitions))]
        for group in self.groups.values():
            if any(name in member.topics for member in group.members):
                self._later(15.0, group)

    # groups

    def group(self, name: str) -> Group:
        """Return a group; one that never was is empty."""
        return self.groups.setdefault(name, Group())

    def join(self, name: str, client: Client) -> None:
        """Let a client in."""
        group, process = self.group(name), client.process
        group.members.append(client)

        def gone() -> None:
            asyncio.get_running_loop().call_later(client.session_s, expire)

        def expire() -> None:
            if client in group.members and (not process.alive or process.is_stopped):
                group.members.remove(client)
                self._form(group)

        def back() -> None:
            delay_s = self.random.random() * _REBALANCE_S
            asyncio.get_running_loop().call_later(delay_s, again)

        def again() -> None:
            if process.alive and client not in group.members and client in joined:
                client.revoke()
                group.members.append(client)
                self._form(group)

        joined = self._joined
        joined.add(client)
        process.on_kill.append(gone)
        process.on_stop.append(gone)
        process.on_go_on.append(back)
        self._form(group)

    def leave(self, name: str, client: Client) -> None:
        """Let a client go."""
        self._joined.discard(client)
        group = self.group(name)
        if client in group.members:
            group.members.remove(client)
            self._form(group)

    def commit(self, name: str, client: Any, offsets: Mapping[Place, tuple[int, str]]) -> None:
        """Take offsets from a member, or from outside while there is none."""
        group = self.group(name)
        is_outside = client not in self._joined
        if group.members if is_outside else (client not in group.members or group.is_forming):
            raise CommitFailedError("the group doesn't take it")
        group.committed |= offsets

    def _later(self, most_s: float, group: Group) -> None:
        delay_s = self.random.random() * most_s
        asyncio.get_running_loop().call_later(delay_s, self._form, group)

    def _form(self, group: Group) -> None:
        """Form a group anew: everybody learns that it is, and a while later what is theirs."""
        group.is_forming = True
        group.formed += 1
        for member in group.members:
            if member.process.alive and not member.process.is_stopped:
                member.revoke()
        delay_s = self.random.random() * _REBALANCE_S
        asyncio.get_running_loop().call_later(delay_s, self._formed, group, group.formed)

    def _formed(self, group: Group, formed: int) -> None:
        if formed != group.formed:
            return
        if any(not m.process.alive or m.process.is_stopped for m in group.members):
            # it is waited for until its session is over
            asyncio.get_running_loop().call_later(_REBALANCE_S, self._formed, group, formed)
            return
        group.is_forming = False
        for at, member in enumerate(group.members):
            places = self.places(member.topics)
            member.assign_by_group(places[at :: len(group.members)])
