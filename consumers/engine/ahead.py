"""The next records, polled while Postgres commits those before them.

Rule 1: one poll at most is ahead, and it is one that began earlier, no more: whoever takes it looks
        at it as at one that began just then.
Rule 2: nothing is sought while one is under way: it is dropped first. It has moved the client on,
        so behind that every partition is sought.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from consumers.engine.subscription import Subscription
from petstream.kafka.records import ConsumerRecord, TopicPartition


class Polled(NamedTuple):
    """Records, and the connections to the leaders of their partitions as they were then."""

    records: list[ConsumerRecord]
    links: Mapping[TopicPartition, object]


class PollAhead:
    """Polls, now or ahead; drop what is under way before you leave it."""

    def __init__(self, subscription: Subscription) -> None:
        """Begin with nothing under way."""
        self._subscription = subscription
        self._ahead: asyncio.Task[Polled] | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether a poll began that nobody has taken."""
        return self._ahead is not None

    def begin(self) -> None:
        """Begin the next poll; what it raises, `take` does."""
        self._ahead = asyncio.create_task(self._polled())

    async def take(self) -> Polled:
        """Return the next records: of the poll that is under way, if one is."""
        if self._ahead is None:
            return await self._polled()
        polled = await self._ahead
        self._ahead = None
        return polled

    async def drop(self) -> None:
        """Stop what is under way, whatever became of it (rule 2)."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.cancel()
            await asyncio.wait([ahead])
            if not ahead.cancelled():
                ahead.exception()  # looked at: nobody needs to know of it

    async def _polled(self) -> Polled:
        records = await self._subscription.poll()
        return Polled(records, self._subscription.links())
