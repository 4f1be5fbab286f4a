"""What `doctor` asks of Kafka: is it there, and are the topics as declared? Makes nothing."""

from __future__ import annotations

import asyncio
from typing import Final

from console.doctor.check_result import CheckResult
from petstream import topics
from petstream.kafka.admin import DescribedTopic, describe_topics
from petstream.kafka.client import KAFKA_ERRORS
from petstream.settings import KafkaAccess

_DEADLINE_S: Final = 20.0


async def check_kafka(access: KafkaAccess, prefix: str) -> list[CheckResult]:
    """Look at the broker and at every topic."""
    names = [topic.full_name(prefix) for topic in topics.ALL]
    try:
        async with asyncio.timeout(_DEADLINE_S):
            described = await describe_topics(access, names)
    except KAFKA_ERRORS as error:
        what = f"can't be asked at {access.bootstrap} ({type(error).__name__})"
        mend = "start it, or mend PETSTREAM_KAFKA and PETSTREAM_KAFKA_*"
        return [CheckResult("kafka", "fail", what, mend)]
    results = [CheckResult("kafka", "pass", f"answers at {access.bootstrap}")]
    for topic in topics.ALL:
        name = topic.full_name(prefix)
        results += compared(topic, name, described.get(name))
    return results


def compared(topic: topics.Topic, name: str, described: DescribedTopic | None) -> list[CheckResult]:
    """Compare a topic with its declaration; `described` is None where there is no such topic."""
    if described is None:
        return [CheckResult("kafka", "warn", f"no topic {name} yet", "'petstream ingest' makes it")]
    results = []
    if topic.partitions == 1 != described.partitions:  # an order that is relied on
        what = f"{name} has {described.partitions} partitions, not {topic.partitions}"
        results.append(CheckResult("kafka", "fail", what, "make it anew as docs/operating.md says"))
    for key, wanted in topic.configs.items():
        if described.configs.get(key) != wanted:
            what = f"{name} has {key}={described.configs.get(key)}, not {wanted}"
            mend = f"kafka-configs.sh --alter --topic {name} --add-config {key}={wanted}"
            results.append(CheckResult("kafka", "fail", what, mend))
    return results or [CheckResult("kafka", "pass", f"{name} is as declared")]
