"""Poll, decode, apply, dead-letter, store the offset, commit it: always in that order.

Rule 1: data, history and stored offsets are one transaction; Kafka's offset is committed last.
Rule 2: a partition begins at the lower of the group's offset and the one stored in Postgres;
        without a row there, or with an offset that the log doesn't hold, at the beginning.
Rule 3: a stored position moves only from what it was read as: if somebody else moved it, it is
        read again.
Rule 4: trouble with a server ends the session and begins another; it makes no dead letters.
Rule 5: a rebalance puts even kept partitions back to the group's offsets, which may be ahead of the
        database: all of them are sought again, and what was polled across it is dropped.
Rule 6: before a partition is read on from its position, the record before that is looked for; so
        it is when its leader was reached anew or the client was put back (what was polled then is
        dropped), and every 30 s. If it isn't there, the partition is read from its beginning.
Rule 7: a connection to Postgres that was idle is looked at before records are applied through it,
        and every 30 s: one that a firewall forgot would hold up a day for two minutes.
Rule 8: of a consumer that writes to a topic, the position moves first in its transaction, which
        locks it: whoever held the partition before can't send what is overtaken by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar

from consumers.engine import dead_letters, offsets
from consumers.engine.backoff import Retry
from consumers.engine.batch import apply_isolating
from consumers.engine.dead_letters import RefusalLimit, RefusedRecord
from consumers.engine.postgres import Connection, connected, look
from consumers.engine.subscription import Subscription, subscribed
from consumers.registry import Name, group_of
from petstream import failpoints
from petstream.codec import UndecodableError
from petstream.errors import PetstreamError
from petstream.events import SOURCE, LogEnd
from petstream.kafka.positions import end_behind, standings
from petstream.kafka.records import ConsumerRecord, TopicPartition
from petstream.kafka.writer import send_all
from petstream.metrics import BATCH_SECONDS, LETTERS, POSITIONS_REWRITTEN
from petstream.settings import KafkaAccess
from petstream.topics import DEAD_LETTERS, Topic

_PROBE_EVERY_S: Final = 30.0
_IDLE_S: Final = 5.0

T = TypeVar("T")


@dataclass(frozen=True)
class Consumer(Generic[T]):
    """What a consumer is: its topics, how it reads a record, and how it applies many.

    `read` returns None for a record that isn't its business. `begin` is awaited whenever partitions
    became ours, and `after` behind each batch: neither is in a transaction.
    """

    name: Name
    topics: tuple[Topic, ...]
    read: Callable[[ConsumerRecord], T | None]
    apply: Callable[[Connection, Sequence[T]], Awaitable[None]]
    begin: Callable[[Connection], Awaitable[None]] | None = None
    after: Callable[[Connection], Awaitable[None]] | None = None
    position_first: bool = False


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
    limit = RefusalLimit()
    POSITIONS_REWRITTEN.labels(consumer.name)  # from 0 on: a first one is an increase
    targets: dict[TopicPartition, int] = {}
    while not context.stopping.is_set():
        async with retry:
            session = _ConsumerSession(consumer, context, retry, limit, targets)
            await session.run()
            return


class _ConsumerSession(Generic[T]):
    """One connection to each server, and the partitions held through them."""

    def __init__(
        self,
        consumer: Consumer[T],
        context: RunContext,
        retry: Retry,
        limit: RefusalLimit,
        targets: dict[TopicPartition, int],
    ) -> None:
        self._consumer, self._context = consumer, context
        self._retry, self._limit, self._targets = retry, limit, targets
        self._group = group_of(consumer.name, context.prefix)
        self._held: dict[TopicPartition, LogEnd | None] = {}
        self._next: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}  # as the last probe found them
        self._links: dict[TopicPartition, object] = {}  # as they were before the last look
        self._rebalances = 0

    async def run(self) -> None:
        topics = [topic.full_name(self._context.prefix) for topic in self._consumer.topics]
        async with (
            connected(self._context.database_url) as connection,
            subscribed(self._context.kafka, self._group, topics) as subscription,
        ):
            if self._context.drain and not self._targets:
                bounds = await subscription.bounds(await subscription.partitions(topics))
                self._targets.update((partition, end) for partition, (_, end) in bounds.items())
            await self._loop(connection, subscription)

    async def _loop(self, connection: Connection, subscription: Subscription) -> None:
        clock = asyncio.get_running_loop()
        probed = looked = used = clock.time()
        while not self._context.stopping.is_set():
            await self._seek_new(connection, subscription)
            drained = self._context.drain and await self._drained(connection, subscription)
            records = [] if drained else await subscription.poll()
            if subscription.rebalances != self._rebalances:
                continue
            if drained:
                return
            records = [record for record in records if record.topic_partition in self._held]
            if self._may_be_rewritten(records, subscription.links()):
                await self._seek_again(connection, subscription)
                continue
            if records:
                if clock.time() - used > _IDLE_S:
                    await look(connection)
                with BATCH_SECONDS.labels(self._consumer.name).time():
                    await self._apply(connection, subscription, records)
                if self._consumer.after is not None:
                    await self._consumer.after(connection)
                probed = used = clock.time()
                self._retry.progressed()
            elif clock.time() - probed > _PROBE_EVERY_S:
                await self._probe(subscription)
                probed = clock.time()
            if clock.time() - looked > _PROBE_EVERY_S:
                await look(connection)
                await self._look(connection, self._held)
                looked = used = clock.time()

    async def _probe(self, subscription: Subscription) -> None:
        """Ask something that fails when Kafka is away, or stays silent: a poll never does."""
        positions = {partition: await subscription.position(partition) for partition in self._held}
        if stalled := offsets.stalled(self._ends, positions):
            raise TimeoutError(f"{stalled} gives no records though it has more")
        bounds = await subscription.bounds({*self._held, *self._targets})
        self._ends = {partition: end for partition, (_, end) in bounds.items()}
        for partition, end in self._targets.items():
            # a log that became shorter is never as long again as it was to be read
            self._targets[partition] = min(end, self._ends[partition])

    def _may_be_rewritten(
        self, records: Sequence[ConsumerRecord], links: Mapping[TopicPartition, object]
    ) -> bool:
        """Return whether a leader was reached anew, or the client was put back, since the look."""
        if any(self._links.get(at) is not link for at, link in links.items() if at in self._held):
            return True
        next_ = dict(self._next)
        for record in records:
            if record.offset < next_[record.topic_partition]:
                return True
            next_[record.topic_partition] = record.offset + 1
        return False

    async def _seek_again(self, connection: Connection, subscription: Subscription) -> None:
        """Look, and go on from where we are: what was polled and prefetched is fetched anew."""
        self._links = subscription.links()
        await self._look(connection, self._held)
        for partition in self._held:
            subscription.seek(partition, self._next[partition])

    async def _look(
        self, connection: Connection, held: Mapping[TopicPartition, LogEnd | None]
    ) -> None:
        """Look whether the log is still the one that positions are of.

        Raises:
            MovedError: it isn't, and these positions were dropped: begin again.
        """
        positions = {partition: end for partition, end in held.items() if end is not None}
        now = await standings(self._context.kafka, positions)
        if await offsets.drop_rewritten(connection, self._consumer.name, positions, now):
            self._targets.clear()
            raise offsets.MovedError

    async def _seek_new(self, connection: Connection, subscription: Subscription) -> None:
        """Seek every partition that has become ours to where it begins; forget those lost."""
        if subscription.rebalances != self._rebalances:
            self._rebalances = subscription.rebalances
            self._held.clear()
        new = subscription.assigned() - self._held.keys()
        if not new:
            return
        stored = await offsets.stored(connection, self._consumer.name)
        bounds = await subscription.bounds(new)
        self._links |= subscription.links()  # before the look, as in `_seek_again`
        await self._look(connection, {partition: stored.get(partition) for partition in new})
        if self._consumer.begin is not None:
            await self._consumer.begin(connection)
        for partition in sorted(new):
            begin, end = bounds[partition]
            held, committed = stored.get(partition), await subscription.committed(partition)
            start = offsets.begins_at(held, committed, begin, end)
            if subscription.seek(partition, start):
                self._held[partition], self._next[partition] = held, start

    async def _drained(self, connection: Connection, subscription: Subscription) -> bool:
        others: dict[TopicPartition, int] = {}  # another member of the group has them
        for partition, end in self._targets.items():
            if partition not in self._held:
                others[partition] = end
                continue
            position = await subscription.position(partition)
            if position is None or position < end:
                return False
        return await self._others_drained(connection, others) if others else True

    async def _others_drained(
        self, connection: Connection, ends: Mapping[TopicPartition, int]
    ) -> bool:
        """Return whether other members have come so far, in the log that there is now (rule 6)."""
        positions = await offsets.stored(connection, self._consumer.name)
        if any(
            end and (at not in positions or positions[at].offset < end) for at, end in ends.items()
        ):
            return False
        known = {at: positions[at] for at in ends if at in positions}
        now = await standings(self._context.kafka, known)
        return all(standing == "there" for standing in now.values())

    async def _apply(
        self, connection: Connection, subscription: Subscription, records: list[ConsumerRecord]
    ) -> None:
        decoded, refused = self._decode(records)
        last = {record.topic_partition: record for record in records}
        ends = {partition: end_behind(record) for partition, record in last.items()}
        async with connection.transaction():
            if self._consumer.position_first:
                await self._advance(connection, ends)
            failpoints.point("consumer.apply.before")

            async def apply(
                connection: Connection, items: Sequence[tuple[ConsumerRecord, T]]
            ) -> None:
                await self._consumer.apply(connection, [item for _, item in items])

            for (record, _), error in await apply_isolating(connection, decoded, apply):
                reason = getattr(error, "sqlstate", None) or "refused"
                refused.append(RefusedRecord(record, f"postgres-{reason}", f"{error}"))
            failpoints.point("consumer.apply.after")
            self._limit.check(records, refused)
            await self._send_dead_letters(refused)
            if not self._consumer.position_first:
                await self._advance(connection, ends)
            failpoints.point("consumer.commit.before")
        failpoints.point("consumer.commit.after")
        self._held.update(ends)
        next_offsets = {partition: end.offset for partition, end in ends.items()}
        self._next.update(next_offsets)
        self._context.progress(self._consumer.name, len(records))
        await subscription.commit(next_offsets)
        failpoints.point("consumer.offset.after")

    async def _advance(self, connection: Connection, ends: Mapping[TopicPartition, LogEnd]) -> None:
        await offsets.advance(connection, self._consumer.name, self._held, ends)

    def _decode(
        self, records: list[ConsumerRecord]
    ) -> tuple[list[tuple[ConsumerRecord, T]], list[RefusedRecord]]:
        decoded: list[tuple[ConsumerRecord, T]] = []
        refused: list[RefusedRecord] = []
        for record in records:
            try:
                item = self._consumer.read(record)
            except UndecodableError as error:
                if error.reason == "version" and _is_ours(record):
                    raise PetstreamError(
                        f"{record.origin} isn't for this version ({error}): "
                        "update petstream, then start the consumer again"
                    ) from error
                refused.append(RefusedRecord(record, error.reason, str(error)))
            else:
                if item is not None:
                    decoded.append((record, item))
        return decoded, refused

    async def _send_dead_letters(self, refused: list[RefusedRecord]) -> None:
        if refused:
            topic = DEAD_LETTERS.full_name(self._context.prefix)
            now = datetime.now(UTC)
            letters = [dead_letters.encode(refusal, topic, self._group, now) for refusal in refused]
            await send_all(self._context.kafka, letters)
            LETTERS.labels("events").inc(len(letters))
            failpoints.point("consumer.parked")


def _is_ours(record: ConsumerRecord) -> bool:
    return dict(record.headers).get("ce_source") == SOURCE.encode()
