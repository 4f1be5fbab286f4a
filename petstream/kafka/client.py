"""Kafka as every part reaches it: client options, and the declared topics.

Rule 1: topics are made as declared, or left alone: an existing one is never altered.
Rule 2: a one-shot command gives up on an unreachable broker in time; a daemon waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    TopicAlreadyExistsError,
    for_code,
)

from petstream import topics
from petstream.backoff import Backoff, Delays
from petstream.errors import PetstreamError, UnreachableError
from petstream.kafka import diagnosis
from petstream.settings import KafkaAccess

_DELAYS: Final = Delays(0.2, longest_s=1.0, factor=1.1)
_COPIES: Final = 3  # of each topic, where there are so many brokers

PATIENCE_S: Final = 60.0
"""How long a one-shot command waits for a server."""


def client_options(access: KafkaAccess) -> dict[str, Any]:
    """Return the options that every aiokafka client takes to reach this Kafka."""
    options: dict[str, Any] = {
        "bootstrap_servers": access.bootstrap,
        "security_protocol": access.security_protocol,
    }
    if access.security_protocol.endswith("SSL"):
        options["ssl_context"] = diagnosis.tls(access)
    if access.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = access.sasl_mechanism
        options["sasl_plain_username"] = access.sasl_username
        options["sasl_plain_password"] = access.sasl_password
    return options


async def ensure_topics(
    access: KafkaAccess,
    prefix: str,
    *,
    patience_s: float | None = PATIENCE_S,
    wanted: Sequence[topics.Topic] = topics.ALL,
) -> None:
    """Make the topics that aren't there yet; wait for the broker (`None`: for ever)."""
    backoff = Backoff(_DELAYS, give_up_after_s=patience_s)
    while True:
        try:
            await _create(access, prefix, wanted)
        except (KafkaError, OSError, TimeoutError) as error:
            if isinstance(error, KafkaError) and not error.retriable and not _away(error):
                raise PetstreamError(
                    f"Kafka at {access.bootstrap} refuses ({type(error).__name__}): check user, "
                    "rights and version in PETSTREAM_KAFKA and PETSTREAM_KAFKA_*"
                ) from error
            refusal = await diagnosis.refusal(access, client_options(access))
            if refusal is not None and refusal.for_good:
                raise PetstreamError(refusal.words) from error
            wait_s = backoff.failed()
            if wait_s is None:
                raise UnreachableError(_why(access, error, refusal)) from error
            await asyncio.sleep(wait_s)
        else:
            return


async def answers(access: KafkaAccess) -> None:
    """Ask the broker something, over a new connection.

    Raises:
        UnreachableError: it is away, or doesn't let us in.
    """
    admin = AIOKafkaAdminClient(**client_options(access), request_timeout_ms=10_000)
    try:
        await admin.start()
        await admin.list_topics()
    except (KafkaError, OSError) as error:
        refusal = await diagnosis.refusal(access, client_options(access))
        raise UnreachableError(_why(access, error, refusal)) from error
    finally:
        await admin.close()


def _why(access: KafkaAccess, error: Exception, refusal: diagnosis.Refusal | None) -> str:
    if refusal is not None:
        return refusal.words
    return (
        f"Kafka at {access.bootstrap} can't be reached ({type(error).__name__}): "
        "start it, or mend PETSTREAM_KAFKA"
    )


def _away(error: KafkaError) -> bool:
    return isinstance(error, KafkaConnectionError | NodeNotReadyError)


async def _create(access: KafkaAccess, prefix: str, wanted: Sequence[topics.Topic]) -> None:
    admin = AIOKafkaAdminClient(**client_options(access), request_timeout_ms=10_000)
    try:
        async with asyncio.timeout(15):
            await admin.start()
            there = set(await admin.list_topics())
            lacking = [topic for topic in wanted if topic.full_name(prefix) not in there]
            if not lacking:
                return
            brokers = len((await admin.describe_cluster())["brokers"])
            new = [_new(topic, prefix, min(brokers, _COPIES)) for topic in lacking]
            response = await admin.create_topics(new)
            for name, code, *_ in response.topic_errors:
                if code and for_code(code) is not TopicAlreadyExistsError:
                    raise PetstreamError(
                        f"topic {name} can't be made: {for_code(code).__name__}; make it by hand "
                        "as docs/kafka-security.md says, or give this user the right to"
                    )
            await _until_led(admin, [topic.full_name(prefix) for topic in lacking])
    finally:
        await admin.close()


async def _until_led(admin: AIOKafkaAdminClient, names: list[str]) -> None:
    """Wait until every new partition has a leader: before that, clients stumble over it."""
    while True:
        told = await admin.describe_topics(names)
        partitions = [one for topic in told for one in topic["partitions"]]
        led = all(one["leader"] >= 0 and not one["error_code"] for one in partitions)
        if led and not any(topic["error_code"] for topic in told):
            return
        await asyncio.sleep(0.05)


def _new(topic: topics.Topic, prefix: str, copies: int) -> NewTopic:
    name = topic.full_name(prefix)
    return NewTopic(name, topic.partitions, copies, topic_configs=topic.configs)
