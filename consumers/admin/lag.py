"""How far each consumer is behind its topics."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from consumers.registry import NAMES, Name, group_of, topics_of
from petstream.errors import UnreachableError
from petstream.kafka.client import KAFKA_ERRORS
from petstream.kafka.groups import group_offsets
from petstream.kafka.reader import bounds
from petstream.kafka.records import TopicPartition
from petstream.settings import KafkaAccess


class GroupLag(NamedTuple):
    """Where a consumer's group is in a partition; `committed` is None before its first commit."""

    consumer: str
    topic: str
    partition: int
    committed: int | None
    end: int
    lag: int


async def lag(access: KafkaAccess, prefix: str, names: Collection[Name] = NAMES) -> list[GroupLag]:
    """Return the lag of these consumers in every partition.

    Raises:
        UnreachableError: Kafka is away.
    """
    topics = {consumer: topics_of(consumer, prefix) for consumer in names}
    try:
        measured = await bounds(access, sorted(set().union(*topics.values())))
        lags = []
        for consumer in names:
            offsets = await group_offsets(access, group_of(consumer, prefix))
            for (topic, number), (begin, end) in sorted(measured.items()):
                if topic in topics[consumer]:
                    committed = offsets.get(TopicPartition(topic, number))
                    behind = max(0, end - max(begin, committed or 0))
                    lags.append(GroupLag(consumer, topic, number, committed, end, behind))
    except KAFKA_ERRORS as error:
        raise UnreachableError(
            f"Kafka at {access.bootstrap} can't be reached ({type(error).__name__}): "
            "start it, or mend PETSTREAM_KAFKA"
        ) from error
    return lags
