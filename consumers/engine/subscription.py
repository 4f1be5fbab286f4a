"""A member of a consumer group: its partitions, polls and commits.

Rule 1: the group's offset is committed by hand, and last; it's a lower bound, never the truth.
Rule 2: topics are looked at every 15 s: partitions that come and go are dealt out anew.
Rule 3: aiokafka hands out records before a rebalance callback has finished, and swallows what it
        raises: callbacks only count. Whose a partition is, is asked between two polls.
Rule 4: few large transactions cost Postgres less than many small ones: while more keeps coming, it
        is waited for, a tenth of a second at most. What comes alone waits for 4 ms.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka import TopicPartition as ClientPartition
from aiokafka.client import ConnectionGroup
from aiokafka.errors import IllegalStateError

from petstream.kafka import client
from petstream.kafka.client import KAFKA_ERRORS, reading_options
from petstream.kafka.groups import own_name
from petstream.kafka.reader import bounds_of, records_of
from petstream.kafka.records import Bounds, ConsumerRecord, TopicPartition
from petstream.settings import KafkaAccess

_DEADLINE_S: Final = 40.0
_COMMIT_S: Final = 5.0
_TOPICS_EVERY_MS: Final = 15_000
_PAUSES_S: Final = (0.004, 0.008, 0.016, 0.032, 0.04)
"""How long it is waited for more, as long as each wait brought some."""


class Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Counts rebalances: each puts all partitions back to the group's offsets, kept ones too."""

    def __init__(self) -> None:
        """Begin with none."""
        self.count = 0

    def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ARG002  aiokafka's interface
        """Count."""
        self.count += 1

    def on_partitions_assigned(self, assigned: Any) -> None:  # noqa: ARG002  aiokafka's interface
        """Count; called before the first record of the new assignment is fetched."""
        self.count += 1


class Subscription:
    """A member of a consumer group."""

    def __init__(self, consumer: Any, rebalances: Rebalances) -> None:
        """Wrap a started consumer; use `subscribed`."""
        self._consumer, self._rebalances = consumer, rebalances

    @property
    def rebalances(self) -> int:
        """How often partitions were taken or given: if it changed, seek all of them again."""
        return self._rebalances.count

    def assigned(self) -> frozenset[TopicPartition]:
        """Return the partitions that are ours now."""
        return frozenset(TopicPartition(*partition) for partition in self._consumer.assignment())

    def links(self) -> dict[TopicPartition, object]:
        """Return the connection to the leader of each of our partitions, as far as there is one.

        Another one than before: its leader was reached anew, and may have another log.
        """
        client = self._consumer._client  # noqa: SLF001  in public nothing tells of a reconnection
        links = {
            partition: client._conns.get(  # noqa: SLF001  as above
                (client.cluster.leader_for_partition(partition), ConnectionGroup.DEFAULT)
            )
            for partition in self.assigned()
        }
        return {
            partition: link
            for partition, link in links.items()
            if link is not None and link.connected()
        }

    async def poll(self, timeout_ms: int = 500, max_records: int = 1_000) -> list[ConsumerRecord]:
        """Return the next records of our partitions; each one's in order (rule 4)."""
        records = await self._fetched(timeout_ms, max_records)
        pauses_s = iter(_PAUSES_S)
        more = records
        while more and len(records) < max_records and (pause_s := next(pauses_s, None)) is not None:
            await asyncio.sleep(pause_s)
            more = await self._fetched(0, max_records - len(records))
            records += more
        return records

    async def _fetched(self, timeout_ms: int, max_records: int) -> list[ConsumerRecord]:
        batches = await self._consumer.getmany(timeout_ms=timeout_ms, max_records=max_records)
        records: list[ConsumerRecord] = []
        for partition, batch in batches.items():
            records += records_of(TopicPartition(*partition), batch)
        return records

    async def committed(self, partition: TopicPartition) -> int | None:
        """Return the group's offset."""
        async with asyncio.timeout(_DEADLINE_S):
            offset = await self._consumer.committed(ClientPartition(*partition))
        return None if offset is None else int(offset)

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Bounds]:
        """Return where each partition begins and ends now; raises if Kafka is away."""
        return await bounds_of(self._consumer, partitions)

    def seek(self, partition: TopicPartition, offset: int) -> bool:
        """Go to an offset; False if the partition was taken from us meanwhile."""
        try:
            self._consumer.seek(ClientPartition(*partition), offset)
        except IllegalStateError:
            return False
        return True

    async def position(self, partition: TopicPartition) -> int | None:
        """Return the offset of the next record; None if the partition isn't ours."""
        try:
            async with asyncio.timeout(_DEADLINE_S):
                return int(await self._consumer.position(ClientPartition(*partition)))
        except IllegalStateError:
            return None

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit the group's offsets if that can be; the next commit makes up for a failed one."""
        with suppress(*KAFKA_ERRORS):
            async with asyncio.timeout(_COMMIT_S):
                await self._consumer.commit(
                    {ClientPartition(*partition): offset for partition, offset in offsets.items()}
                )

    async def partitions(self, topics: Sequence[str]) -> list[TopicPartition]:
        """Return all partitions of the topics; one just made takes a moment to be known."""
        known = self._consumer.partitions_for_topic
        async with asyncio.timeout(_DEADLINE_S):
            while not all(map(known, topics)):  # noqa: ASYNC110  aiokafka has no event for it
                await asyncio.sleep(0.05)
        return [
            TopicPartition(topic, number) for topic in topics for number in sorted(known(topic))
        ]


@asynccontextmanager
async def subscribed(
    access: KafkaAccess, group: str, topics: Sequence[str]
) -> AsyncGenerator[Subscription, None]:
    """Be a member of a group."""
    rebalances = Rebalances()
    consumer = AIOKafkaConsumer(
        **reading_options(access),
        client_id=own_name(),  # whoever looks sees which process of which machine it is
        group_id=group,
        fetch_max_wait_ms=300,
        metadata_max_age_ms=_TOPICS_EVERY_MS,
    )
    consumer.subscribe(topics, listener=rebalances)
    try:
        await client.start(consumer)
        yield Subscription(consumer, rebalances)
    finally:
        await client.stop(consumer)
