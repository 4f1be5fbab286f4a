"""The topics: names, keys, partitions and configs, as every subscriber may rely on them."""

from __future__ import annotations

from typing import Final, NamedTuple

MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024
OLDEST_S: Final = 600
"""The ingester's topics refuse what was stamped longer ago: a stopped one's last words."""

_DAY_MS: Final = 24 * 60 * 60 * 1000
_BOUNDED: Final = {"message.timestamp.before.max.ms": str(OLDEST_S * 1000)}
_COMPACTED: Final = _BOUNDED | {
    "cleanup.policy": "compact",
    "min.compaction.lag.ms": str(30 * _DAY_MS),
}
# a reader may be away for a month, and still learn who left
_TABLE: Final = _BOUNDED | {
    "cleanup.policy": "compact",
    "delete.retention.ms": str(30 * _DAY_MS),
}


class Topic(NamedTuple):
    """One topic; `name` is without the prefix (``PETSTREAM_TOPIC_PREFIX``).

    It's made with so many `partitions`; where that is more than one, another number is as good.
    """

    name: str
    key: str
    partitions: int
    configs: dict[str, str]

    def full_name(self, prefix: str) -> str:
        """Return the topic's name in Kafka, for example ``petstream.pets.v1``."""
        return f"{prefix}{self.name}"


def _topic(name: str, key: str, partitions: int, configs: dict[str, str]) -> Topic:
    common = {"max.message.bytes": str(MAX_MESSAGE_BYTES), "message.timestamp.type": "CreateTime"}
    return Topic(name, key, partitions, common | configs)


PETS: Final = _topic("pets.v1", "animalID", 12, _COMPACTED)
ORGS: Final = _topic("orgs.v1", "orgID", 1, _COMPACTED)
EXPORTS: Final = _topic("exports.v1", "export id", 1, _BOUNDED | {"retention.ms": "-1"})
PICTURES: Final = _topic("pictures.v1", "animalID", 12, {"retention.ms": str(30 * _DAY_MS)})
REQUESTS: Final = _topic("requests.v1", "asker", 1, {"retention.ms": str(30 * _DAY_MS)})
DEAD_LETTERS: Final = _topic("dead-letters.v1", "origin", 1, {"retention.ms": str(90 * _DAY_MS)})
PET_TABLE: Final = _topic("pet-table.v1", "animalID", 12, _TABLE)
ORGANIZATION_TABLE: Final = _topic("organization-table.v1", "orgID", 1, _TABLE)

ALL: Final = (PETS, ORGS, EXPORTS, PICTURES, REQUESTS, DEAD_LETTERS)
"""The topics that are always there."""

TABLES: Final = (PET_TABLE, ORGANIZATION_TABLE)
"""The table topics, made from those: there where ``PETSTREAM_TABLE_TOPICS=on``."""
