"""Kafka as every part reaches it: client options, and the declared topics.

Rule 1: topics are made as declared, or left alone: an existing one is never altered.
Rule 2: a one-shot command gives up on an unreachable broker in time; a daemon waits.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from contracts import topics
from contracts.errors import PetstreamError, UnreachableError
from contracts.settings import KafkaAccess

PATIENCE_S: Final = 60.0
"""How long a one-shot command waits for a server."""


def client_options(access: KafkaAccess) -> dict[str, Any]:
    """Return the options that every aiokafka client takes to reach this Kafka."""
    options: dict[str, Any] = {
        "bootstrap_servers": access.bootstrap,
        "security_protocol": access.security_protocol,
    }
    if access.security_protocol.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context(cafile=access.ssl_cafile)
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
    started = asyncio.get_running_loop().time()
    while True:
        try:
            await _create(access, prefix, wanted)
        except (KafkaError, OSError, TimeoutError) as error:
            waited_s = asyncio.get_running_loop().time() - started
            if patience_s is not None and waited_s >= patience_s:
                raise UnreachableError(
                    f"Kafka at {access.bootstrap} can't be reached ({type(error).__name__}): "
                    "start it, or mend PETSTREAM_KAFKA"
                ) from error
            await asyncio.sleep(min(1.0, max(0.2, waited_s / 10)))
        else:
            return


async def _create(access: KafkaAccess, prefix: str, wanted: Sequence[topics.Topic]) -> None:
    admin = AIOKafkaAdminClient(**client_options(access), request_timeout_ms=10_000)
    try:
        async with asyncio.timeout(15):
            await admin.start()
            there = set(await admin.list_topics())
            new = [_new(topic, prefix) for topic in wanted if topic.full_name(prefix) not in there]
            if not new:
                return
            response = await admin.create_topics(new)
    finally:
        await admin.close()
    for name, code, *_ in response.topic_errors:
        if code and for_code(code) is not TopicAlreadyExistsError:
            raise PetstreamError(
                f"topic {name} can't be made: {for_code(code).__name__}; "
                "make it by hand as docs/operating.md says, or give this user the right to"
            )


def _new(topic: topics.Topic, prefix: str) -> NewTopic:
    return NewTopic(topic.full_name(prefix), topic.partitions, -1, topic_configs=topic.configs)
