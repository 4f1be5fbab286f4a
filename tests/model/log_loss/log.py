"""A log that may lose what it acknowledged: partitions, places in them, and what was lost.

Rule 1: a place names the record before it; whether that is still there tells whether the log is
        the one it was.
Rule 2: a record that compaction may have taken tells nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

LAG = 3_000
"""Time for which compaction leaves a record alone."""


@dataclass(frozen=True, slots=True)
class Record:
    """What was appended."""

    key: Any
    event_id: str
    timestamp: int
    body: Any


@dataclass(frozen=True, slots=True)
class Place:
    """The next offset of a partition, and what lies before it."""

    offset: int = 0
    event_id: str | None = None
    timestamp: int = 0
    topic_id: int | None = None


class Look(Enum):
    """What became of the record before a place."""

    SAME = "still there"
    LOST = "lost"
    UNKNOWN = "unknown"


@dataclass
class Partition:
    """Records by offset, in order, and the next offset."""

    records: dict[int, Record] = field(default_factory=dict)
    end: int = 0

    def append(self, record: Record) -> int:
        """Add a record; return its offset."""
        self.records[self.end] = record
        self.end += 1
        return self.end - 1

    def cut(self, count: int) -> None:
        """Lose the last records."""
        for offset in list(self.records)[-count:]:
            del self.records[offset]
            self.end = min(self.end, offset)

    def copy(self) -> Partition:
        """Return a copy."""
        return Partition(dict(self.records), self.end)

    def compact(self, now: int) -> None:
        """Keep the last old record of a key only; the end stays."""
        seen: set[Any] = set()
        for offset in reversed(list(self.records)):
            record = self.records[offset]
            if record.timestamp > now - LAG:
                continue
            if record.key in seen and offset != self.end - 1:
                del self.records[offset]
            seen.add(record.key)

    def tip(self, topic_id: int | None) -> Place:
        """Return the place behind the last record."""
        if not self.records:
            return Place(self.end, None, 0, topic_id)
        last = self.records[next(reversed(self.records))]
        return Place(self.end, last.event_id, last.timestamp, topic_id)


@dataclass
class Topic:
    """Partitions, and an id that a topic made anew doesn't share."""

    partitions: list[Partition]
    topic_id: int = 0

    @classmethod
    def of(cls, count: int, topic_id: int) -> Topic:
        """Make an empty one."""
        return cls([Partition() for _ in range(count)], topic_id)

    def copy(self) -> Topic:
        """Return a copy."""
        return Topic([partition.copy() for partition in self.partitions], self.topic_id)
