"""Topics and groups as a whole: listed, described, deleted.

Rule 1: what isn't there (any more) is deleted.
Rule 2: Kafka itself refuses to delete a group that has members, whatever was seen before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    GroupIdNotFound,
    NonEmptyGroup,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int16, Int32, Schema, String

from petstream.errors import PetstreamError
from petstream.kafka.client import admin_client
from petstream.kafka.groups import InUseError
from petstream.settings import KafkaAccess

_DEADLINE_S: Final = 40.0
_GONE: Final = (UnknownTopicOrPartitionError, GroupIdNotFound)


class DescribedTopic(NamedTuple):
    """A topic as it is: how many partitions, its configs, and on how many brokers it lies.

    `configs` is empty where we have no right to read them; `replicas` is the fewest of a partition.
    """

    partitions: int
    configs: dict[str, str]
    replicas: int = 1


class DescribedCluster(NamedTuple):
    """How many brokers there are, and the configs of one; none without the right to read them.

    One that isn't set, and has no default, is None.
    """

    brokers: int
    configs: Mapping[str, str | None]


async def topic_names(access: KafkaAccess) -> set[str]:
    """Return the names of all topics; raises as aiokafka does."""
    async with asyncio.timeout(_DEADLINE_S), admin_client(access) as admin:
        return set(await admin.list_topics())


async def describe_topics(access: KafkaAccess, names: Sequence[str]) -> dict[str, DescribedTopic]:
    """Return those of the topics that there are; raises as aiokafka does."""
    async with asyncio.timeout(_DEADLINE_S), admin_client(access) as admin:
        existing = sorted(set(names) & set(await admin.list_topics()))
        if not existing:
            return {}
        topics: list[Any] = await admin.describe_topics(existing)
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in existing]
        answers: list[Any] = await admin.describe_configs(resources)
    configs = _configs(answers)
    return {
        topic["topic"]: DescribedTopic(
            len(topic["partitions"]),
            configs.get(topic["topic"], {}),
            min((len(partition["replicas"]) for partition in topic["partitions"]), default=0),
        )
        for topic in topics
    }


async def describe_cluster(access: KafkaAccess) -> DescribedCluster:
    """Return the brokers; raises as aiokafka does."""
    async with asyncio.timeout(_DEADLINE_S), admin_client(access) as admin:
        brokers: list[Any] = (await admin.describe_cluster())["brokers"]
        broker = str(brokers[0]["node_id"])
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, broker)])
    return DescribedCluster(len(brokers), _configs(answers).get(broker, {}))


def _configs(answers: list[Any]) -> dict[str, dict[str, str]]:
    """Return the configs of each resource."""
    # a resource is (error, message, type, name, entries), an entry (name, value, …)
    return {
        name: {key: value for key, value, *_ in entries}
        for answer in answers
        for _, _, _, name, entries in answer.resources
    }


async def delete_topics(access: KafkaAccess, names: Sequence[str]) -> None:
    """Delete topics, and see that they are gone.

    Raises:
        PetstreamError: Kafka refuses.
    """
    if not names:
        return
    async with asyncio.timeout(_DEADLINE_S), admin_client(access) as admin:
        answer = await admin.delete_topics(list(names))
        for name, code in answer.topic_error_codes:
            _check(f"topic {name}", code)
        while set(names) & set(await admin.list_topics()):  # noqa: ASYNC110  Kafka tells nobody
            await asyncio.sleep(0.1)


async def delete_groups(access: KafkaAccess, names: Sequence[str]) -> None:
    """Delete groups and their offsets.

    Raises:
        InUseError: one has members by now; the message is its name.
        PetstreamError: Kafka refuses.
    """
    async with asyncio.timeout(_DEADLINE_S), admin_client(access) as admin:
        for name in names:
            coordinator = await admin.find_coordinator(name)
            answer = await admin._send_request(_DeleteGroups([name]), coordinator)  # noqa: SLF001  aiokafka has no public way to
            for _, code in answer.results:
                if code and for_code(code) is NonEmptyGroup:
                    raise InUseError(name)
                _check(f"group {name}", code)


def _check(what: str, code: int) -> None:
    error = for_code(code) if code else None
    if error is None or error in _GONE:
        return
    if error.retriable:
        raise error
    raise PetstreamError(
        f"Kafka refuses to delete {what} ({error.__name__}): give this user the right to, or see "
        "that the brokers have delete.topic.enable=true, and run this again"
    )


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
