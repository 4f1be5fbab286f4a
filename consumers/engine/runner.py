"""Poll, decode, apply, park, move the position, commit the offset: always in that order.

Rule 1: data, history and positions are one transaction; Kafka's offset is committed last.
Rule 2: a partition begins at the lower of the group's offset and the position in Postgres; without
        a row there, or with an offset that the log doesn't hold, at the beginning.
Rule 3: a position moves only from the value it was read as: somebody else moved it = read it again.
Rule 4: trouble with a server ends the session and begins another; nothing is parked for it.
Rule 5: a rebalance puts even kept partitions back to the group's offsets, which may be ahead of the
        database: all of them are sought again, and what was polled across it is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar

from consumers.engine import dead_letters, offsets
from consumers.engine.backoff import Retry
from consumers.engine.batch import apply_isolating
from consumers.engine.dead_letters import Limit, Parked
from consumers.engine.postgres import Connection, connected
from consumers.engine.subscription import Subscription, subscribed
from consumers.registry import Name, group_of
from petstream import failpoints
from petstream.codec import UndecodableError
from petstream.errors import PetstreamError
from petstream.events import SOURCE
from petstream.kafka.records import ConsumerRecord, ProducerRecord, TopicPartition
from petstream.kafka.writer import send_all
from petstream.metrics import BATCH_SECONDS, LETTERS
from petstream.settings import KafkaAccess
from petstream.topics import DEAD_LETTERS, Topic

_PROBE_S: Final = 30.0

T = TypeVar("T")


@dataclass(frozen=True)
class Consumer(Generic[T]):
    """What a consumer is: its topics, how it reads a record, and how it applies many.

    `read` returns None for a record that isn't its business.
    """

    name: Name
    topics: tuple[Topic, ...]
    read: Callable[[ConsumerRecord], T | None]
    apply: Callable[[Connection, Sequence[T]], Awaitable[None]]


@dataclass(frozen=True)
class RunContext:
    """Where consumers run, and when they end: the same for all of one process."""

    kafka: KafkaAccess
    database_url: str
    prefix: str
    drain: bool
    stopping: asyncio.Event
    progress: Callable[[str, int], None]


async def run(consumer: Consumer[T], context: RunContext) -> None:
    """Run a consumer until it's told to stop or, when draining, has applied all there was."""
    retry = Retry(f"consumer {consumer.name}", context.stopping, limited=context.drain)
    limit = Limit()
    targets: dict[TopicPartition, int] = {}
    while not context.stopping.is_set():
        async with retry:
            session = _Session(consumer, context, retry, limit, targets)
            await session.run()
            return


def _is_ours(record: ConsumerRecord) -> bool:
    return dict(record.headers).get("ce_source") == SOURCE.encode()


class _Session(Generic[T]):
    """One connection to each server, and the partitions held through them."""

    def __init__(
        self,
        consumer: Consumer[T],
        context: RunContext,
        retry: Retry,
        limit: Limit,
        targets: dict[TopicPartition, int],
    ) -> None:
        self._consumer, self._context = consumer, context
        self._retry, self._limit, self._targets = retry, limit, targets
        self._group = group_of(consumer.name, context.prefix)
        self._held: dict[TopicPartition, int | None] = {}
        self._ends: dict[TopicPartition, int] = {}  # as the last probe found them
        self._rebalances = 0

    async def run(self) -> None:
        topics = [topic.full_name(self._context.prefix) for topic in self._consumer.topics]
        async with (
            connected(self._context.database_url) as connection,
            subscribed(self._context.kafka, self._group, topics) as subscription,
        ):
            if self._context.drain and not self._targets:
                bounds = await subscription.bounds(await subscription.partitions(topics))
                self._targets.update((place, end) for place, (_, end) in bounds.items())
            await self._loop(connection, subscription)

    async def _loop(self, connection: Connection, subscription: Subscription) -> None:
        clock = asyncio.get_running_loop()
        probed = clock.time()
        while not self._context.stopping.is_set():
            await self._own(connection, subscription)
            drained = self._context.drain and await self._drained(connection, subscription)
            records = [] if drained else await subscription.poll()
            if subscription.rebalances != self._rebalances:
                continue
            if drained:
                return
            records = [one for one in records if one.topic_partition in self._held]
            if records:
                with BATCH_SECONDS.labels(self._consumer.name).time():
                    await self._take(connection, subscription, records)
                probed = clock.time()
                self._retry.progressed()
            elif clock.time() - probed > _PROBE_S:
                await self._probe(subscription)
                probed = clock.time()

    async def _probe(self, subscription: Subscription) -> None:
        """Ask something that fails when Kafka is away, or stays silent: a poll never does."""
        positions_now = {place: await subscription.position(place) for place in self._held}
        if stuck := offsets.stalled(self._ends, positions_now):
            raise TimeoutError(f"{stuck} gives no records though it has more")
        bounds = await subscription.bounds(self._held or self._targets)
        self._ends = {place: end for place, (_, end) in bounds.items()}

    async def _own(self, connection: Connection, subscription: Subscription) -> None:
        """Seek every partition that has become ours to where it begins; forget those lost."""
        if subscription.rebalances != self._rebalances:
            self._rebalances = subscription.rebalances
            self._held.clear()
        new = subscription.assigned() - self._held.keys()
        if not new:
            return
        stored = await offsets.stored(connection, self._consumer.name)
        bounds = await subscription.bounds(new)
        for place in sorted(new):
            begin, end = bounds[place]
            start = min(stored.get(place, 0), await subscription.committed(place) or 0)
            if subscription.seek(place, start if begin <= start <= end else begin):
                self._held[place] = stored.get(place)

    async def _drained(self, connection: Connection, subscription: Subscription) -> bool:
        for place, end in self._targets.items():
            if place in self._held:
                at = await subscription.position(place)
                if at is None or at < end:
                    return False
        others = {place: end for place, end in self._targets.items() if place not in self._held}
        if others:  # another member of the group has them
            stored = await offsets.stored(connection, self._consumer.name)
            return all(stored.get(place, 0) >= end for place, end in others.items())
        return True

    async def _take(
        self, connection: Connection, subscription: Subscription, records: list[ConsumerRecord]
    ) -> None:
        decoded, parked = self._decode(records)
        ends = {record.topic_partition: record.offset + 1 for record in records}
        async with connection.transaction():
            failpoints.point("consumer.apply.before")

            async def apply(
                connection: Connection, items: Sequence[tuple[ConsumerRecord, T]]
            ) -> None:
                await self._consumer.apply(connection, [item for _, item in items])

            for (record, _), error in await apply_isolating(connection, decoded, apply):
                reason = getattr(error, "sqlstate", None) or "refused"
                parked.append(Parked(record, f"postgres-{reason}", f"{error}"))
            failpoints.point("consumer.apply.after")
            self._limit.check(records, parked)
            await self._park(parked)
            moved = await offsets.move(connection, self._consumer.name, self._held, ends)
            if not moved:
                raise offsets.MovedError
            failpoints.point("consumer.commit.before")
        failpoints.point("consumer.commit.after")
        self._held.update(ends)
        self._context.progress(self._consumer.name, len(records))
        await subscription.commit(ends)
        failpoints.point("consumer.offset.after")

    def _decode(
        self, records: list[ConsumerRecord]
    ) -> tuple[list[tuple[ConsumerRecord, T]], list[Parked]]:
        decoded: list[tuple[ConsumerRecord, T]] = []
        parked: list[Parked] = []
        for record in records:
            try:
                item = self._consumer.read(record)
            except UndecodableError as error:
                if error.reason == "version" and _is_ours(record):
                    raise PetstreamError(
                        f"{record.origin} isn't for "
                        f"this version ({error}): update petstream, then start the consumer again"
                    ) from error
                parked.append(Parked(record, error.reason, str(error)))
            else:
                if item is not None:
                    decoded.append((record, item))
        return decoded, parked

    async def _park(self, parked: list[Parked]) -> None:
        if parked:
            topic = DEAD_LETTERS.full_name(self._context.prefix)
            now = datetime.now(UTC)
            letters = [
                ProducerRecord(topic, *dead_letters.letter(refused, self._group, now))
                for refused in parked
            ]
            await send_all(self._context.kafka, letters)
            LETTERS.labels("events").inc(len(letters))
            failpoints.point("consumer.parked")
