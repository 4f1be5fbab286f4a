"""How many dead letters there are of each reason, and within a day, kept while the topic grows.

Rule 1: no letter is held, and none is read twice: a look costs what came since the last one, and
        one that was broken off is gone on with.
Rule 2: another topic, or one that became shorter, isn't what was counted: it is counted anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import aclosing
from datetime import datetime
from typing import Final

from console.inspect.dead_letters import detail, reason_of
from petstream.kafka.client import unreachable
from petstream.kafka.reader import bounds, read
from petstream.kafka.records import ConsumerRecord, TopicPartition
from petstream.settings import KafkaAccess

_HOUR_S: Final = 3_600
_HOURS: Final = 24


class LetterCounts:
    """The counts so far, and up to where they go."""

    def __init__(self) -> None:
        """Know of none."""
        self._numbers: Counter[str] = Counter()
        self._by_hour: dict[str, Counter[int]] = {}
        self._next: dict[TopicPartition, int] = {}
        self._of: tuple[str, str] | None = None

    async def updated(self, access: KafkaAccess, topic: str) -> dict[str, int]:
        """Count what came since, and return how many there are of each reason, most first.

        Raises:
            UnreachableError: Kafka went away.
        """
        async with unreachable(access, "its topics were read"):
            ends = {place: end for place, (_, end) in (await bounds(access, [topic])).items()}
            shorter = any(end < self._next.get(place, 0) for place, end in ends.items())
            if shorter or self._of != (access.bootstrap, topic):
                self._of = access.bootstrap, topic
                self._numbers.clear()
                self._by_hour.clear()
                self._next.clear()
            new = {place: end for place, end in ends.items() if end > self._next.get(place, 0)}
            if new:
                async with aclosing(read(access, new, self._next)) as batches:
                    async for records in batches:
                        self._count(records)
                        self._next[records[-1].topic_partition] = records[-1].offset + 1
        return dict(sorted(self._numbers.items(), key=lambda reason: (-reason[1], reason[0])))

    def last_day(self, now: datetime) -> dict[str, int]:
        """Return how many came within a day, to the hour, by class: ``row`` or ``event``."""
        first = int(now.timestamp()) // _HOUR_S - _HOURS
        within = {
            kind: sum(number for hour, number in hours.items() if hour > first)
            for kind, hours in self._by_hour.items()
        }
        return {kind: number for kind, number in sorted(within.items()) if number}

    def _count(self, records: Iterable[ConsumerRecord]) -> None:
        for letter in records:
            self._numbers[reason_of(letter)] += 1
            hours = self._by_hour.setdefault(detail(letter, "class"), Counter())
            hours[int(letter.published_at.timestamp()) // _HOUR_S] += 1
