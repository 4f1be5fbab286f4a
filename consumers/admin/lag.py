"""How far each consumer is behind its topics."""

from __future__ import annotations

from typing import Final, NamedTuple

from consumers.admin.groups import group_offsets
from consumers.engine import subscription
from consumers.pets import history, removals
from petstream import topics
from petstream.errors import UnreachableError
from petstream.settings import KafkaAccess

TOPICS: Final = {
    "pets": history.CONSUMER.topics,
    "deletions": removals.CONSUMER.topics,
    "images": (topics.PETS,),
}
"""Which topics each consumer reads."""


class GroupLag(NamedTuple):
    """Where a consumer's group is in a partition; `committed` is None before its first commit."""

    consumer: str
    topic: str
    partition: int
    committed: int | None
    end: int
    lag: int


async def lag(access: KafkaAccess, prefix: str) -> list[GroupLag]:
    """Return the lag of every consumer in every partition.

    Raises:
        UnreachableError: Kafka is away.
    """
    names = sorted({topic.full_name(prefix) for some in TOPICS.values() for topic in some})
    try:
        bounds = await subscription.ends(access, names)
        found = []
        for consumer, some in TOPICS.items():
            offsets = await group_offsets(access, f"{prefix}{consumer}")
            own = {topic.full_name(prefix) for topic in some}
            for place, (begin, end) in sorted(bounds.items()):
                if place.topic in own:
                    committed = offsets.get(place)
                    behind = max(0, end - max(begin, committed or 0))
                    found.append(GroupLag(consumer, *place, committed, end, behind))
    except subscription.TROUBLE as error:
        raise UnreachableError(
            f"Kafka at {access.bootstrap} can't be reached ({type(error).__name__}): "
            "start it, or mend PETSTREAM_KAFKA"
        ) from error
    return found
