"""The ingester's door to its consumer group: who is in it, and the claim its leader leaves there.

Rule 1: a claim is the metadata of a committed offset: Kafka takes it from members of the group's
        present generation only, and keeps it when they are gone.
Rule 2: whoever was thrown out and let in again learns it here: `shaken` is set before the client
        joins anew, so that a claim is never repeated blindly.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka import TopicPartition as ClientPartition
from aiokafka.errors import CommitFailedError, GroupAuthorizationFailedError, IllegalStateError
from aiokafka.structs import OffsetAndMetadata

from petstream.errors import PetstreamError
from petstream.kafka import client, groups
from petstream.kafka.records import TopicPartition
from petstream.settings import KafkaAccess

_DEADLINE_S: Final = 20.0
_DAY_MS: Final = 24 * 60 * 60 * 1000


class NotMemberError(Exception):
    """The group didn't take the claim: it is being formed anew, or we aren't in it any more."""


class ObservedGroup(NamedTuple):
    """A group from outside: its claim (empty: there is none), and its members' names."""

    claim: str
    members: tuple[str, ...]


async def observe(access: KafkaAccess, group: str, topic: str) -> ObservedGroup:
    """Ask Kafka for a group's members and claim; raises as aiokafka does."""
    try:
        described = await groups.describe(access, group)
    except GroupAuthorizationFailedError as error:
        raise _forbidden(group) from error
    committed = described.committed.get(TopicPartition(topic, 0))
    names = tuple(member.name for member in described.members)
    return ObservedGroup("" if committed is None else committed.metadata, names)


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """Our place in the group; `join` once, `leave` at the end."""

    def __init__(
        self, access: KafkaAccess, group: str, topic: str, *, name: str, session_s: float
    ) -> None:
        """Prepare a member; `name` is what others see of it."""
        self.shaken = False
        self._group, self._topic = group, topic
        self._partition = ClientPartition(topic, 0)
        self._consumer: Any = AIOKafkaConsumer(
            **client.client_options(access),
            client_id=name,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            session_timeout_ms=int(session_s * 1000),
            heartbeat_interval_ms=int(session_s * 200),
            max_poll_interval_ms=_DAY_MS,  # it is never polled: it is there to be there
            rebalance_timeout_ms=int(session_s * 1000),
            max_partition_fetch_bytes=1024,
        )

    async def join(self, within_s: float) -> bool:
        """Join; return whether the group's one partition is ours."""
        try:
            async with asyncio.timeout(within_s):
                await self._consumer.start()
                self._consumer.subscribe([self._topic], listener=self)
                self._assigned = asyncio.Event()
                await self._assigned.wait()
        except GroupAuthorizationFailedError as error:
            raise _forbidden(self._group) from error
        self.shaken = False
        return self.owns

    @property
    def owns(self) -> bool:
        """Return whether the partition is ours, as far as we know."""
        return self._partition in self._consumer.assignment()

    async def claim(self, text: str) -> None:
        """Leave a claim in the group.

        Raises:
            NotMemberError: the group doesn't take it from us.
        """
        try:
            async with asyncio.timeout(_DEADLINE_S):
                await self._consumer.commit({self._partition: OffsetAndMetadata(0, text)})
        except (CommitFailedError, IllegalStateError) as error:
            raise NotMemberError from error

    async def leave(self) -> None:
        """Leave the group, if Kafka is there to hear it."""
        await client.stop(self._consumer)

    def on_partitions_revoked(self, revoked: object) -> None:  # noqa: ARG002  the client's interface
        """Learn that the group is formed anew."""
        self.shaken = True

    def on_partitions_assigned(self, assigned: Any) -> None:
        """Learn what is ours; nothing is ever read of it."""
        self._consumer.pause(*assigned)
        self._assigned.set()


def _forbidden(group: str) -> PetstreamError:
    return PetstreamError(
        f"Kafka doesn't let this user into the group {group}: give it the right to read that "
        "group, as docs/kafka-security.md says"
    )
