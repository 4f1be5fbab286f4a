"""What `doctor` asks of Kafka: is it there, and are the topics as declared? Makes nothing."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from console.doctor.check_result import CheckResult
from petstream import topics
from petstream.kafka.client import client_options
from petstream.settings import KafkaAccess

_DEADLINE_S: Final = 20.0


async def check_kafka(access: KafkaAccess, prefix: str) -> list[CheckResult]:
    """Look at the broker and at every topic."""
    try:
        async with asyncio.timeout(_DEADLINE_S):
            partitions, configs = await _topics(access, prefix)
    except (KafkaError, OSError, TimeoutError) as error:
        what = f"can't be asked at {access.bootstrap} ({type(error).__name__})"
        mend = "start it, or mend PETSTREAM_KAFKA and PETSTREAM_KAFKA_*"
        return [CheckResult("kafka", "fail", what, mend)]
    found = [CheckResult("kafka", "pass", f"answers at {access.bootstrap}")]
    for topic in topics.ALL:
        name = topic.full_name(prefix)
        found += compared(topic, name, partitions.get(name), configs.get(name, {}))
    return found


def compared(
    topic: topics.Topic, name: str, partitions: int | None, configs: dict[str, str]
) -> list[CheckResult]:
    """Compare a topic with its declaration; `partitions` is None where there is no such topic."""
    if partitions is None:
        return [CheckResult("kafka", "warn", f"no topic {name} yet", "'petstream ingest' makes it")]
    found = []
    if partitions != topic.partitions:
        what = f"{name} has {partitions} partitions, not {topic.partitions}"
        found.append(CheckResult("kafka", "fail", what, "make it anew as docs/operating.md says"))
    for key, wanted in topic.configs.items():
        if configs.get(key) != wanted:
            what = f"{name} has {key}={configs.get(key)}, not {wanted}"
            mend = f"kafka-configs.sh --alter --topic {name} --add-config {key}={wanted}"
            found.append(CheckResult("kafka", "fail", what, mend))
    return found or [CheckResult("kafka", "pass", f"{name} is as declared")]


async def _topics(
    access: KafkaAccess, prefix: str
) -> tuple[dict[str, int], dict[str, dict[str, str]]]:
    admin = AIOKafkaAdminClient(**client_options(access), request_timeout_ms=10_000)
    try:
        await admin.start()
        declared = {topic.full_name(prefix) for topic in topics.ALL}
        there = sorted(declared & set(await admin.list_topics()))
        if not there:
            return {}, {}
        told: list[Any] = await admin.describe_topics(there)
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in there]
        answers: list[Any] = await admin.describe_configs(asked)
    finally:
        await admin.close()
    partitions = {one["topic"]: len(one["partitions"]) for one in told}
    configs = {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
    }
    return partitions, configs
