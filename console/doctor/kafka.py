"""What `doctor` asks of Kafka: is it there, are the topics as declared, can it lose anything?

Rule 1: it makes and alters nothing; what a config should be is said as the command that sets it.
Rule 2: what this Kafka lacks against losses is a warning: a loss is mended, at the price of a
        snapshot and of what none brings back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Final

from console.doctor.check_result import CheckResult
from petstream import topics
from petstream.kafka import diagnosis
from petstream.kafka.admin import (
    DescribedCluster,
    DescribedTopic,
    describe_cluster,
    describe_topics,
)
from petstream.kafka.client import KAFKA_ERRORS, client_options, why_away
from petstream.kafka.ground import TRUTH, alter_command
from petstream.settings import KafkaAccess

_DEADLINE_S: Final = 20.0
_REPLICAS: Final = 3
_IN_SYNC: Final = 2
_FLUSHING: Final = ("log.flush.interval.ms", "log.flush.scheduler.interval.ms")
"""Kafka flushes by time only where it has both: the second is how often it looks for the first."""
_FLUSHED_MS: Final = 10_000


async def check_kafka(
    access: KafkaAccess, prefix: str, *, table_topics: bool = False
) -> list[CheckResult]:
    """Look at the broker and at every topic."""
    declared = (*topics.ALL, *topics.TABLES) if table_topics else topics.ALL
    names = [topic.full_name(prefix) for topic in declared]
    refusal = await diagnosis.refusal(access, client_options(access))
    if refusal is not None:
        return [_failed(refusal.message)]
    try:
        async with asyncio.timeout(_DEADLINE_S):
            described = await describe_topics(access, names)
            cluster = await describe_cluster(access)
    except KAFKA_ERRORS as error:
        return [_failed(await why_away(access, error))]
    results = [CheckResult("kafka", "pass", f"answers at {access.bootstrap}")]
    for topic in declared:
        name = topic.full_name(prefix)
        results += compared(topic, name, described.get(name), access.bootstrap)
    truth = {topic.full_name(prefix) for topic in TRUTH}
    held = {name: topic for name, topic in described.items() if name in truth}
    return results + against_loss(held, cluster, access.bootstrap)


def who_comes_in(access: KafkaAccess) -> list[CheckResult]:
    """Say that Kafka asks nobody who they are, if we come in without being asked."""
    if access.security_protocol != "PLAINTEXT":
        return []
    what = f"whoever reaches {access.bootstrap} may write events: it asks nobody who they are"
    mend = "give it users, or see that only petstream reaches it: docs/kafka-security.md"
    return [CheckResult("kafka", "warn", what, mend)]


def _failed(what: str) -> CheckResult:
    return CheckResult("kafka", "fail", what, "mend what the line names")


def against_loss(
    described: Mapping[str, DescribedTopic], cluster: DescribedCluster, bootstrap: str
) -> list[CheckResult]:
    """Say what this Kafka lacks against losing what it acknowledged (rule 2).

    Args:
        described: the topics that hold the truth, by their full names.
        cluster: the brokers.
        bootstrap: their addresses, for the commands.
    """
    lacks: list[tuple[str, str]] = []
    for name, topic in described.items():
        lacks += _of_topic(name, topic, cluster.brokers, bootstrap)
    # one that isn't set has no value: then records are flushed when the system likes
    set_ms = [cluster.configs.get(key) for key in _FLUSHING if key in cluster.configs]
    is_flushed = all(ms is not None and int(ms) <= _FLUSHED_MS for ms in set_ms)
    if cluster.brokers == 1 and not is_flushed:
        pairs = " and ".join(f"{key}=1000" for key in _FLUSHING)
        what = "the only broker leaves it to the system when records reach the disk: a power cut "
        lacks.append((f"{what}loses the last half minute", f"set {pairs} in its server.properties"))
    if lacks:
        return [CheckResult("kafka", "warn", what, mend) for what, mend in lacks]
    only = ", but there is one broker only" if cluster.brokers == 1 else ""
    return [CheckResult("kafka", "pass", f"keeps what it acknowledges{only}")] if described else []


def _of_topic(
    name: str, topic: DescribedTopic, brokers: int, bootstrap: str
) -> Iterator[tuple[str, str]]:
    if brokers > 1 and topic.replicas < min(brokers, _REPLICAS):
        what = f"{name} lies on {topic.replicas} of {brokers} brokers (replication.factor)"
        yield what, f"kafka-reassign-partitions.sh, to {min(brokers, _REPLICAS)} of them"
    in_sync = topic.configs.get("min.insync.replicas")
    if topic.replicas > _IN_SYNC and in_sync is not None and int(in_sync) < _IN_SYNC:
        what = f"{name} is acknowledged with {in_sync} replica in sync (min.insync.replicas)"
        wanted = {"min.insync.replicas": str(_IN_SYNC)}
        yield what, alter_command(name, wanted, bootstrap)
    if topic.configs.get("unclean.leader.election.enable") == "true":
        what = f"{name} may be led by a broker that lacks records (unclean.leader.election.enable)"
        wanted = {"unclean.leader.election.enable": "false"}
        yield what, alter_command(name, wanted, bootstrap)


def compared(
    topic: topics.Topic, name: str, described: DescribedTopic | None, bootstrap: str
) -> list[CheckResult]:
    """Compare a topic with its declaration; `described` is None where there is no such topic."""
    if described is None:
        maker = "consume tables" if topic in topics.TABLES else "ingest"
        mend = f"'petstream {maker}' makes it"
        return [CheckResult("kafka", "warn", f"no topic {name} yet", mend)]
    results = []
    if topic in topics.TABLES and topic.partitions != described.partitions:
        what = f"{name} has {described.partitions} partitions, and is made with {topic.partitions}"
        mend = "if they were raised: 'petstream table-topics rebuild' (docs/tables.md)"
        results.append(CheckResult("kafka", "warn", what, mend))
    if topic.partitions == 1 != described.partitions:  # an order that is relied on
        what = f"{name} has {described.partitions} partitions, not {topic.partitions}"
        results.append(CheckResult("kafka", "fail", what, "make it anew as docs/operating.md says"))
    for key, wanted in topic.configs.items():
        if described.configs.get(key) != wanted:
            what = f"{name} has {key}={described.configs.get(key)}, not {wanted}"
            mend = alter_command(name, {key: wanted}, bootstrap)
            results.append(CheckResult("kafka", "fail", what, mend))
    return results or [CheckResult("kafka", "pass", f"{name} is as declared")]
