"""The ground that the topics stand on: what of them must be so, or pets are lost or never leave.

Rule 1: pets.v1 and orgs.v1 keep each key's newest event for ever: compacted, and nothing else.
Rule 2: exports.v1 keeps every record for ever, in one order: one partition, no retention.
Rule 3: what isn't so ends the run before it publishes anything, with the command that mends it; no
        topic is altered by us. What we may not look at is believed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

from petstream import topics
from petstream.errors import PetstreamError
from petstream.kafka.admin import DescribedTopic, describe_topics
from petstream.kafka.client import KAFKA_ERRORS, unreachable
from petstream.settings import KafkaAccess
from petstream.waiting import Backoff, Delays

_DELAYS: Final = Delays(0.5, longest_s=2.0)
_GIVE_UP_AFTER_S: Final = 15.0
_KEYS_KEPT: Final = {"cleanup.policy": "compact"}
_ALL_KEPT: Final = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
TRUTH: Final = (topics.PETS, topics.ORGS, topics.EXPORTS)
"""The topics that hold the truth."""


async def require_ground(access: KafkaAccess, prefix: str) -> None:
    """See that the topics are fit to hold the truth.

    Raises:
        PetstreamError: one isn't; the message names the command that mends it.
        UnreachableError: Kafka went away.
    """
    names = {topic.full_name(prefix): topic for topic in TRUTH}
    async with unreachable(access, "its topics were looked at"):
        described = await _described(access, list(names))
    wrong = [
        line
        for name, topic in names.items()
        if name in described
        for line in unfit(topic, name, described[name], access.bootstrap)
    ]
    if wrong:
        raise PetstreamError("\n".join(wrong))


async def _described(access: KafkaAccess, names: list[str]) -> dict[str, DescribedTopic]:
    """Describe topics; a broker that has just come up isn't ready for a moment."""
    backoff = Backoff(_DELAYS, give_up_after_s=_GIVE_UP_AFTER_S)
    while True:
        try:
            return await describe_topics(access, names)
        except KAFKA_ERRORS:
            wait_s = backoff.failed()
            if wait_s is None:
                raise
            await asyncio.sleep(wait_s)


def unfit(
    topic: topics.Topic, name: str, described: DescribedTopic, bootstrap: str
) -> Iterator[str]:
    """Say what of a topic breaks the ledger's ground, and how to mend it; nothing if it's fit."""
    if topic is topics.EXPORTS and described.partitions != 1:
        yield (
            f"{name} has {described.partitions} partitions, and an order over all its records is "
            "relied on: make it anew with one, as docs/operating.md says under A Kafka of your own"
        )
    wrong = {
        key: wanted
        for key, wanted in (_ALL_KEPT if topic is topics.EXPORTS else _KEYS_KEPT).items()
        if described.configs.get(key, wanted) != wanted
    }
    if wrong:
        have = ", ".join(f"{key}={described.configs[key]}" for key in wrong)
        what = "every record of it" if topic is topics.EXPORTS else "the newest record of each key"
        yield (
            f"{name} has {have}, so Kafka deletes what must stay for ever ({what}); nothing is "
            f"published before that is mended: {alter_command(name, wrong, bootstrap)}"
        )


def alter_command(name: str, configs: dict[str, str], bootstrap: str) -> str:
    """Return the command of Kafka's own tools that sets configs of a topic."""
    pairs = ",".join(f"{key}={value}" for key, value in configs.items())
    return (
        f"kafka-configs.sh --bootstrap-server {bootstrap} --alter --entity-type topics "
        f"--entity-name {name} --add-config {pairs}"
    )
