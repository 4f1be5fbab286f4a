"""The door to Kafka for a purge: our topics and groups counted, then deleted.

Rule 1: only the topics that `petstream.topics` declares and the groups of our own parts: what
        somebody else named with the same prefix stays.
Rule 2: what isn't there (any more) is done.
Rule 3: Kafka itself refuses to delete a group that has members, whatever was seen before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupIdNotFound,
    NonEmptyGroup,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int16, Int32, Schema, String

from consumers.admin.groups import InUseError
from consumers.engine.subscription import ends
from consumers.registry import NAMES
from petstream import topics
from petstream.errors import PetstreamError
from petstream.kafka.client import client_options
from petstream.settings import KafkaAccess

PARTS: Final = (*NAMES, "ingest")
"""Whose groups are ours: the prefix and one of these."""

_DEADLINE_S: Final = 40.0
_GONE: Final = (UnknownTopicOrPartitionError, GroupIdNotFound)


class OnKafka(NamedTuple):
    """What there is: records by topic (at the most: compaction leaves gaps), and groups."""

    records: dict[str, int]
    groups: list[str]

    def __bool__(self) -> bool:
        """Tell whether anything is left."""
        return bool(self.records or self.groups)


async def survey(access: KafkaAccess, prefix: str) -> OnKafka:
    """Return what there is to delete.

    Raises:
        InUseError: a group under the prefix has members; the message is its name.
    """
    async with _admin(access) as admin, asyncio.timeout(_DEADLINE_S):
        there = set(await admin.list_topics())
        under = sorted(
            name for name, *_ in await admin.list_consumer_groups() if name.startswith(prefix)
        )
        await _check_idle(admin, under)
    names = [one.full_name(prefix) for one in topics.ALL if one.full_name(prefix) in there]
    bounds = await ends(access, names) if names else {}
    records = dict.fromkeys(names, 0)
    for place, (begin, end) in bounds.items():
        records[place.topic] += end - begin
    ours = {f"{prefix}{part}" for part in PARTS}
    return OnKafka(records, [name for name in under if name in ours])


async def delete_topics(access: KafkaAccess, names: Sequence[str]) -> None:
    """Delete topics, and see that they are gone.

    Raises:
        PetstreamError: Kafka refuses.
    """
    if not names:
        return
    async with _admin(access) as admin, asyncio.timeout(_DEADLINE_S):
        answer = await admin.delete_topics(list(names))
        for name, code in answer.topic_error_codes:
            _see(f"topic {name}", code)
        while set(names) & set(await admin.list_topics()):  # noqa: ASYNC110  Kafka tells nobody
            await asyncio.sleep(0.1)


async def delete_groups(access: KafkaAccess, names: Sequence[str]) -> None:
    """Delete groups and their offsets.

    Raises:
        InUseError: one has members by now; the message is its name.
        PetstreamError: Kafka refuses.
    """
    async with _admin(access) as admin, asyncio.timeout(_DEADLINE_S):
        for name in names:
            coordinator = await admin.find_coordinator(name)
            answer = await admin._send_request(_DeleteGroups([name]), coordinator)  # noqa: SLF001  aiokafka has no public way to
            for _, code in answer.results:
                if code and for_code(code) is NonEmptyGroup:
                    raise InUseError(name)
                _see(f"group {name}", code)


def _see(what: str, code: int) -> None:
    error = for_code(code) if code else None
    if error is None or error in _GONE:
        return
    if error.retriable:
        raise error
    raise PetstreamError(
        f"Kafka refuses to delete {what} ({error.__name__}): give this user the right to, or see "
        "that the brokers have delete.topic.enable=true, and run this again"
    )


async def _check_idle(admin: Any, groups: Sequence[str]) -> None:
    for group in groups:  # one at a time: aiokafka misreads an answer about more
        for response in await admin.describe_consumer_groups([group]):
            # a group is (error, group, state, protocol type, protocol, members, …)
            if any(found[5] for found in response.groups):
                raise InUseError(group)


@asynccontextmanager
async def _admin(access: KafkaAccess) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(**client_options(access), request_timeout_ms=10_000)
    try:
        async with asyncio.timeout(_DEADLINE_S):
            await admin.start()
        yield admin
    finally:
        await admin.close()


class _Deleted(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 42
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("results", Array(("group", String("utf-8")), ("error_code", Int16))),
    )


class _Delete(RequestStruct):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 42
    API_VERSION = 0
    RESPONSE_TYPE = _Deleted
    SCHEMA = Schema(("groups", Array(String("utf-8"))))


class _DeleteGroups(Request[_Delete]):  # type: ignore[misc]  # aiokafka ships no types
    """Kafka's request to delete groups, which aiokafka doesn't know."""

    API_KEY = 42

    def __init__(self, groups: list[str]) -> None:
        self._groups = groups

    def build(self, request_struct_class: type[_Delete]) -> _Delete:
        return request_struct_class(self._groups)
