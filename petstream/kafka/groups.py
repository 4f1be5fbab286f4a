"""Consumer groups seen from outside: their members, and what they committed.

Rule 1: a group's offsets are moved as Kafka's own tools do it: by a commit from outside the group,
        which Kafka refuses while the group has members.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as ClientPartition
from aiokafka.errors import CommitFailedError, GroupCoordinatorNotAvailableError

from petstream.kafka import client
from petstream.kafka.records import TopicPartition
from petstream.settings import KafkaAccess

_DEADLINE_S: Final = 40.0
_BEGAN: Final = int(time.time())
_NAME: Final = re.compile(
    r"(?P<host>.+):(?P<process>[0-9]{1,9})(?:@(?P<began>[0-9]{1,10}))?(?:/.*)?"
)

T = TypeVar("T")


class InUseError(Exception):
    """A group has members: its offsets are theirs; the message is its name."""


class MemberName(NamedTuple):
    """What a member's name says: its machine, its process, and when it began, if it says so."""

    host: str
    process: int | None
    since: datetime | None


class Committed(NamedTuple):
    """What a group committed for a partition."""

    offset: int
    metadata: str


class GroupMember(NamedTuple):
    """A member of a group: what it calls itself, and the address that Kafka sees it at."""

    name: str
    address: str


class Group(NamedTuple):
    """A group: its members, and what was committed."""

    members: tuple[GroupMember, ...]
    committed: dict[TopicPartition, Committed]


def own_name() -> str:
    """Return what this process calls itself in a group, so that others see who is there."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}@{_BEGAN}"


def read_name(name: str) -> MemberName:
    """Return what a member's name says; of a client that isn't ours, the name itself.

    >>> read_name("attic:4711/0f3c9a1e"), read_name("another-client").process
    (MemberName(host='attic', process=4711, since=None), None)
    >>> read_name("attic:4711@1795421524").since.isoformat()
    '2026-11-23T08:12:04+00:00'
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return MemberName(name, None, None)
    began = match["began"]
    since = None if began is None else datetime.fromtimestamp(int(began), UTC)
    return MemberName(match["host"], int(match["process"]), since)


async def describe(access: KafkaAccess, group: str) -> Group:
    """Return a group, one that never was as an empty one; raises as aiokafka does."""

    async def ask(admin: Any) -> Group:
        return Group(await _members(admin, group), await _committed(admin, group))

    return await _asked(access, ask)


async def describe_each(access: KafkaAccess, groups: Iterable[str]) -> dict[str, Group]:
    """Return several groups by name, over one connection; raises as aiokafka does."""

    async def ask(admin: Any) -> dict[str, Group]:
        return {
            group: Group(await _members(admin, group), await _committed(admin, group))
            for group in groups
        }

    return await _asked(access, ask)


async def check_idle(access: KafkaAccess, *groups: str) -> None:
    """Make sure that nobody is in these groups; one that never was has nobody.

    Raises:
        InUseError: a group has members.
    """

    async def ask(admin: Any) -> None:
        for group in groups:  # one at a time: aiokafka misreads an answer about more
            if await _members(admin, group):
                raise InUseError(group)

    await _asked(access, ask)


async def names(access: KafkaAccess, prefix: str) -> list[str]:
    """Return the names of the groups that begin with `prefix`; raises as aiokafka does."""
    return await _asked(access, lambda admin: _names(admin, prefix))


async def group_offsets(access: KafkaAccess, group: str) -> dict[TopicPartition, int]:
    """Return the offsets that a group has committed; raises as aiokafka does."""
    committed = await _asked(access, lambda admin: _committed(admin, group))
    return {partition: entry.offset for partition, entry in committed.items()}


async def offsets_by_group(
    access: KafkaAccess, prefix: str, partition: TopicPartition
) -> dict[str, int]:
    """Return what the groups that begin with `prefix` have committed for a partition.

    Raises:
        UnreachableError: Kafka went away.
    """

    async def ask(admin: Any) -> dict[str, int]:
        groups = await _names(admin, prefix)
        committed = {group: await _committed(admin, group) for group in groups}
        return {group: of[partition].offset for group, of in committed.items() if partition in of}

    async with client.unreachable(access, "its groups were read"):
        return await _asked(access, ask)


async def set_offsets(
    access: KafkaAccess, group: str, offsets: Mapping[TopicPartition, int]
) -> None:
    """Set a group's offsets, all at once; raises as aiokafka does.

    Raises:
        InUseError: the group has members.
    """
    theirs = {ClientPartition(*partition): offset for partition, offset in offsets.items()}
    consumer = AIOKafkaConsumer(
        **client.client_options(access), group_id=group, enable_auto_commit=False
    )
    consumer.assign(list(theirs))  # by hand: it joins no group
    try:
        await client.start(consumer)
        async with asyncio.timeout(_DEADLINE_S):
            await consumer.commit(theirs)
    except CommitFailedError as error:
        raise InUseError(group) from error
    finally:
        await client.stop(consumer)


async def _asked(access: KafkaAccess, question: Callable[[Any], Awaitable[T]]) -> T:
    async with asyncio.timeout(_DEADLINE_S), client.admin_client(access) as admin:
        while True:
            try:
                return await question(admin)
            except GroupCoordinatorNotAvailableError:  # while Kafka makes its first group
                await asyncio.sleep(0.2)


async def _names(admin: Any, prefix: str) -> list[str]:
    listed = {name for name, *_ in await admin.list_consumer_groups()}
    return sorted(name for name in listed if name.startswith(prefix))


async def _members(admin: Any, group: str) -> tuple[GroupMember, ...]:
    responses = await admin.describe_consumer_groups([group])
    # a group is (error, group, state, protocol type, protocol, members, …), a member (id, name,
    # address, …)
    return tuple(
        GroupMember(name, address.removeprefix("/"))
        for response in responses
        for _, _, _, _, _, members, *_ in response.groups
        for _, name, address, *_ in members
    )


async def _committed(admin: Any, group: str) -> dict[TopicPartition, Committed]:
    answer = await admin.list_consumer_group_offsets(group)
    return {
        TopicPartition(*partition): Committed(entry.offset, entry.metadata)
        for partition, entry in answer.items()
        if entry.offset >= 0
    }
