"""What a purge deletes from Kafka: our topics and groups, counted.

Rule 1: only the topics that `petstream.topics` declares and the groups of our own parts: what
        somebody else named with the same prefix stays.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from consumers.registry import NAMES
from petstream import topics
from petstream.kafka import groups
from petstream.kafka.admin import topic_names
from petstream.kafka.reader import bounds
from petstream.settings import KafkaAccess

PARTS: Final = (*NAMES, "ingest")
"""Whose groups are ours: the prefix and one of these."""


class OnKafka(NamedTuple):
    """What there is: records by topic (at the most: compaction leaves gaps), and groups."""

    records: dict[str, int]
    groups: list[str]

    def __bool__(self) -> bool:
        """Tell whether anything is left."""
        return bool(self.records or self.groups)


async def survey(access: KafkaAccess, prefix: str) -> OnKafka:
    """Return what there is to delete; raises as aiokafka does.

    Raises:
        InUseError: a group under the prefix has members; the message is its name.
    """
    existing = await topic_names(access)
    under = await groups.names(access, prefix)
    await groups.check_idle(access, *under)
    declared = [topic.full_name(prefix) for topic in topics.ALL]
    names = [name for name in declared if name in existing]
    records = dict.fromkeys(names, 0)
    if names:
        for partition, (begin, end) in (await bounds(access, names)).items():
            records[partition.topic] += end - begin
    ours = {f"{prefix}{part}" for part in PARTS}
    return OnKafka(records, [name for name in under if name in ours])
