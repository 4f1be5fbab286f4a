"""The world of the model: topics, time, what was lost, and what must never happen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from log_loss.events import PER_BASE, Completed, Event, Lifecycle, topic_of
from log_loss.log import LAG, Look, Place, Record, Topic
from log_loss.rules import Rules

LEDGERS = ("pets", "orgs")


At = tuple[str, int]
"""A topic and the number of a partition."""


@dataclass(frozen=True)
class Fold:
    """The newest event of every key, and those that compaction would lose."""

    newest: dict[int, Event]
    stale: set[int]


@dataclass(frozen=True)
class Violation:
    """What must never happen, and did."""

    kind: str
    why: str


@dataclass
class World:
    """Everything outside the programs."""

    rules: Rules
    now: int = 0
    story: list[str] | None = None
    violation: Violation | None = None
    losses: int = 0
    breaks: int = 0
    """How often every connection to Kafka broke."""
    counts: Counter[str] = field(default_factory=Counter)
    snapshots: set[int] = field(default_factory=set)
    group: dict[At, int] = field(default_factory=dict)
    """The group's offsets, which are in Kafka."""

    def __post_init__(self) -> None:
        """Begin with empty topics."""
        self.made = 4
        self.topics = {
            "pets": Topic.of(3, 0), "orgs": Topic.of(2, 1),
            "exports": Topic.of(1, 2), "requests": Topic.of(1, 3),
        }  # fmt: skip
        self.contents: dict[tuple[int, int], str] = {}
        self._fold: Fold | None = None
        self._lifecycle: list[Lifecycle] | None = None
        self._looked = False
        self._newest_snapshot: Completed | None = None
        self._ledgers: list[At] | None = None

    def say(self, *words: Any) -> None:
        """Tell the story, to whoever looks at a schedule."""
        if self.story is not None:
            self.story.append(f"{self.now / 1000:7.3f} " + " ".join(map(str, words)))

    def fail(self, kind: str, why: str) -> None:
        """Note that something happened that must not; the first counts."""
        self.say("VIOLATION", kind, why)
        self.violation = self.violation or Violation(kind, why)

    # the log

    def append(self, topic: str, key: Any, event_id: str, body: Any) -> tuple[int, int]:
        """Append a record; return its partition and offset."""
        partitions = self.topics[topic].partitions
        number = key % len(partitions) if isinstance(key, int) else 0
        self.changed()
        record = Record(key, event_id, self.now, body)
        return number, partitions[number].append(record)

    def changed(self) -> None:
        """Forget what was folded."""
        self._fold = self._lifecycle = self._ledgers = None
        self._looked = False

    def ledgers(self) -> list[At]:
        """Return the partitions of pets and orgs."""
        if self._ledgers is None:
            self._ledgers = [
                (name, number)
                for name in LEDGERS
                for number in range(len(self.topics[name].partitions))
            ]
        return self._ledgers

    def tips(self) -> dict[At, Place]:
        """Return where each partition of pets and orgs ends now."""
        return {
            at: self.topics[at[0]].partitions[at[1]].tip(self.topic_id(at[0]))
            for at in self.ledgers()
        }

    def topic_id(self, name: str) -> int | None:
        """Return a topic's id, if clients give it."""
        return self.topics[name].topic_id if self.rules.topic_ids else None

    def look(self, at: At, place: Place) -> Look:
        """Tell what became of the record before a place."""
        rules, topic = self.rules, self.topics[at[0]]
        if place.topic_id is not None and place.topic_id != topic.topic_id:
            return Look.LOST
        if at[1] >= len(topic.partitions):
            return Look.LOST if place.offset else Look.SAME
        partition = topic.partitions[at[1]]
        if rules.short_is_lost and partition.end < place.offset:
            return Look.LOST
        if place.offset == 0 or place.event_id is None:
            return Look.SAME
        record = partition.records.get(place.offset - 1)
        if record is None:
            return Look.LOST if place.timestamp > self.now - LAG else Look.UNKNOWN
        same = record.event_id == place.event_id
        if rules.same_timestamp:
            same = same and record.timestamp == place.timestamp
        return Look.SAME if same else Look.LOST

    def events(self, at: At) -> Iterator[tuple[int, Event]]:
        """Give the events of a partition with their offsets."""
        for offset, record in self.topics[at[0]].partitions[at[1]].records.items():
            yield offset, record.body

    def fold(self) -> Fold:
        """Fold pets and orgs."""
        if self._fold is not None:
            return self._fold
        newest: dict[int, Event] = {}
        lasts: dict[int, list[tuple[int, Event]]] = {}
        for name, number in self.ledgers():
            last: dict[int, Event] = {}
            for record in self.topics[name].partitions[number].records.values():
                event: Event = record.body
                held = newest.get(event.key)
                if held is None or event.rank >= held.rank:
                    newest[event.key] = event
                last[event.key] = event
            for key, event in last.items():
                lasts.setdefault(key, []).append((number, event))
        stale = {key for key, event in newest.items() if self._is_stale(event, lasts[key])}
        self._fold = Fold(newest, stale)
        return self._fold

    def _is_stale(self, newest: Event, lasts: list[tuple[int, Event]]) -> bool:
        rule = self.rules.stale
        if rule == "last read":
            return lasts[-1][1].rank != newest.rank
        if rule == "where it is now":
            here = newest.key % len(self.topics[topic_of(newest.key)].partitions)
            return any(event.rank != newest.rank for number, event in lasts if number == here)
        return all(event.rank != newest.rank for _, event in lasts)

    def lifecycle(self) -> list[Lifecycle]:
        """Return what exports.v1 says, in its order."""
        if self._lifecycle is None:
            self._lifecycle = [
                record.body for record in self.topics["exports"].partitions[0].records.values()
            ]
        return self._lifecycle

    def completed(self) -> list[Completed]:
        """Return the completed runs, in the order of the log."""
        return [event for event in self.lifecycle() if isinstance(event, Completed)]

    def partition_of(self, key: int) -> At:
        """Return the partition that a key has now."""
        topic = topic_of(key)
        return topic, key % len(self.topics[topic].partitions)

    def newest_snapshot(self) -> Completed | None:
        """Return the newest completed that has a snapshot."""
        if not self._looked:
            having = [event for event in self.completed() if event.snapshot]
            newest = having[-1] if having else None
            if self.rules.newest_by_base:
                newest = max(having, key=lambda event: event.base, default=None)
            self._looked, self._newest_snapshot = True, newest
        return self._newest_snapshot

    def believed(self) -> frozenset[int]:
        """Return what the newest believed petlist and organisations list."""
        having = [
            event
            for event in self.lifecycle()
            if isinstance(event, Completed) and event.believed is not None
        ]
        newest = max(having, key=lambda event: event.base, default=None)
        return (newest.believed if newest is not None else None) or frozenset()

    # requests

    def asked(self) -> dict[str, int]:
        """Return what is asked for: the last of each asker."""
        return {
            record.key: record.body
            for record in self.topics["requests"].partitions[0].records.values()
        }

    def ask(self, who: str, sequence: int, why: str) -> None:
        """Ask for a snapshot above a sequence."""
        newest = self.newest_snapshot()
        if self.asked().get(who, 0) >= sequence or (
            newest is not None and newest.snapshot > sequence
        ):
            self.fail("asked twice", f"{who} asks for what was asked or paid: {sequence}")
        self.say(who, "asks for a snapshot above", sequence, why)
        self.counts["asked"] += 1
        self.append("requests", who, f"ask {who}", sequence)

    def published(self, event: Event) -> None:
        """Remember what was ever said at a sequence of a key."""
        content = self.contents.setdefault((event.key, event.sequence), event.digest)
        if content != event.digest:
            self.counts["two contents"] += 1
            self.say("two contents at one sequence", event.event_id, content)
        self.counts["restated" if event.restated else "events"] += 1
        if event.sequence // PER_BASE > self.now + 1_000:
            self.fail("base", f"{event.event_id} is far ahead of the clock")
