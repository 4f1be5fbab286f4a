"""How every part reaches Kafka: client options, clients started and stopped, the declared topics.

Rule 1: topics are made as declared, or left alone: an existing one is never altered.
Rule 2: a one-shot command gives up on an unreachable broker in time; a daemon waits.
Rule 3: a start or a stop is awaited to its end, cancelled or not: cut off, it leaks connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
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
from petstream.errors import PetstreamError, UnreachableError
from petstream.kafka import diagnosis, tokens
from petstream.kafka.kept import lent
from petstream.settings import KafkaAccess
from petstream.waiting import Backoff, Delays

KAFKA_ERRORS: Final = (KafkaError, OSError, TimeoutError)
"""What a client raises while Kafka is away: try again, with a new client."""

GIVE_UP_AFTER_S: Final = 60.0
"""How long a one-shot command waits for a server."""

FETCH_BYTES: Final = 2 * 1024 * 1024
"""How much a fetch brings, as it is packed: ten times as much once it is unpacked, and the client
keeps it all. A larger record comes all the same, alone."""

_PARTITION_SHARE: Final = 4  # of a fetch, at most, for one partition
_DELAYS: Final = Delays(0.2, longest_s=1.0, factor=1.1)
_REPLICAS: Final = 3  # of each topic, where there are so many brokers
_IDLE_MS: Final = 60_000
"""What was idle for so long is connected anew: a firewall may have forgotten it (after 5 minutes or
so), and the client would wait 40 s for an answer."""
_START_S: Final = 40.0
_STOP_S: Final = 5.0  # and once more, before it is cut off
_CANCEL_S: Final = 1.0


def client_options(access: KafkaAccess) -> dict[str, Any]:
    """Return the options that every aiokafka client takes to reach this Kafka."""
    options: dict[str, Any] = {
        "bootstrap_servers": access.bootstrap,
        "security_protocol": access.security_protocol,
        "connections_max_idle_ms": _IDLE_MS,
    }
    if access.security_protocol.endswith("SSL"):
        options["ssl_context"] = diagnosis.tls(access)
    if access.security_protocol.startswith("SASL") and access.sasl_mechanism in tokens.MECHANISMS:
        options["sasl_mechanism"] = tokens.OAUTHBEARER
        options["sasl_oauth_token_provider"] = tokens.tokens(access)
    elif access.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = access.sasl_mechanism
        options["sasl_plain_username"] = access.sasl_username
        options["sasl_plain_password"] = access.sasl_password
    return options


def reading_options(access: KafkaAccess) -> dict[str, Any]:
    """Return the options that every aiokafka client takes which reads records."""
    return {
        **client_options(access),
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "fetch_max_bytes": FETCH_BYTES,
        "max_partition_fetch_bytes": FETCH_BYTES // _PARTITION_SHARE,
    }


def producer_options(access: KafkaAccess) -> dict[str, Any]:
    """Return the options that every aiokafka producer takes: durable, compressed as is wanted."""
    compression = None if access.compression == "none" else access.compression
    return {**client_options(access), "acks": "all", "compression_type": compression}


async def start(client: Any) -> None:
    """Connect an aiokafka client."""
    await _to_its_end(client.start(), _START_S)


async def stop(client: Any) -> None:
    """Disconnect an aiokafka client, whatever state it and Kafka are in."""
    with suppress(*KAFKA_ERRORS):
        try:
            await _to_its_end(client.stop(), _STOP_S)
        except (asyncio.CancelledError, *KAFKA_ERRORS):
            if _is_cancelled():
                raise
            # a stop closes connections last, and then has not: it waits for a Kafka that is gone,
            # or passes on that it cancelled a fetch which had not begun
            connections = getattr(client, "client", None) or client._client  # noqa: SLF001  a producer's has no underscore
            await _to_its_end(connections.close(), _STOP_S)


async def _to_its_end(work: Coroutine[Any, Any, None], deadline_s: float) -> None:
    task = asyncio.create_task(work)
    try:
        async with asyncio.timeout(deadline_s):
            await asyncio.shield(task)
    finally:
        if not task.done():
            await asyncio.wait({task}, timeout=_STOP_S)
        if task.cancel():
            await asyncio.wait({task}, timeout=_CANCEL_S)
        if task.done() and not task.cancelled():
            task.exception()  # whoever cancelled us doesn't want it


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@asynccontextmanager
async def admin_client(access: KafkaAccess) -> AsyncIterator[Any]:
    """Hold a connected admin client."""

    async def start_admin() -> Any:
        admin = AIOKafkaAdminClient(**client_options(access), request_timeout_ms=10_000)
        try:
            await admin.start()
        except BaseException:
            await admin.close()
            raise
        return admin

    async with lent(access, "admin", start_admin, _close) as admin:
        yield admin


async def _close(admin: Any) -> None:
    with suppress(*KAFKA_ERRORS):  # it was answered: its goodbye isn't needed
        await admin.close()


@asynccontextmanager
async def unreachable(access: KafkaAccess, meanwhile: str) -> AsyncIterator[None]:
    """Raise `UnreachableError` where Kafka goes away; `meanwhile` says what was being done."""
    try:
        yield
    except KAFKA_ERRORS as error:
        raise UnreachableError(await why_away(access, error, meanwhile)) from error


async def why_away(access: KafkaAccess, error: Exception, meanwhile: str = "it was asked") -> str:
    """Return the line about a Kafka that is away or doesn't let us in: it is asked why."""
    refusal = await diagnosis.refusal(access, client_options(access))
    return _line(access, error, refusal, meanwhile)


async def ensure_topics(
    access: KafkaAccess,
    prefix: str,
    *,
    give_up_after_s: float | None = GIVE_UP_AFTER_S,
    wanted: Sequence[topics.Topic] = topics.ALL,
) -> None:
    """Make the topics that aren't there yet; wait for the broker (`None`: for ever)."""
    backoff = Backoff(_DELAYS, give_up_after_s=give_up_after_s)
    while True:
        refusal = await diagnosis.refusal(access, client_options(access))
        if refusal is not None and refusal.for_good:
            raise PetstreamError(refusal.message)
        error: Exception | None = None
        if refusal is None:
            try:
                await _create(access, prefix, wanted)
            except (*KAFKA_ERRORS, NotImplementedError) as caught:
                if _is_refusal(caught):
                    raise PetstreamError(
                        f"Kafka at {access.bootstrap} refuses ({type(caught).__name__}): check "
                        "user, rights and version in PETSTREAM_KAFKA and PETSTREAM_KAFKA_*"
                    ) from caught
                error = caught
            else:
                return
        wait_s = backoff.failed()
        if wait_s is None:
            raise UnreachableError(_line(access, error, refusal)) from error
        await asyncio.sleep(wait_s)


async def answers(access: KafkaAccess) -> None:
    """Ask the broker something, over a new connection.

    Raises:
        UnreachableError: it is away, or doesn't let us in.
    """
    try:
        await ping(access)
    except (KafkaError, OSError) as error:
        raise UnreachableError(await why_away(access, error)) from error


async def ping(access: KafkaAccess) -> None:
    """Let the broker list its topics, over a new connection; raises as aiokafka does."""
    async with admin_client(access) as admin:
        await admin.list_topics()


def _line(
    access: KafkaAccess,
    error: Exception | None,
    refusal: diagnosis.Refusal | None,
    meanwhile: str = "it was asked",
) -> str:
    if refusal is not None:
        return refusal.message
    return (
        f"Kafka at {access.bootstrap} went away while {meanwhile} ({type(error).__name__}): "
        "start it and run this again"
    )


def _is_refusal(error: Exception) -> bool:
    """Tell whether waiting is no use; aiokafka can't speak to what it has no request for."""
    if isinstance(error, KafkaError):
        is_away = isinstance(error, KafkaConnectionError | NodeNotReadyError)
        return not error.retriable and not is_away
    return isinstance(error, NotImplementedError)


async def _create(access: KafkaAccess, prefix: str, wanted: Sequence[topics.Topic]) -> None:
    async with asyncio.timeout(15), admin_client(access) as admin:
        existing = set(await admin.list_topics())
        missing = [topic for topic in wanted if topic.full_name(prefix) not in existing]
        if not missing:
            return
        brokers = len((await admin.describe_cluster())["brokers"])
        new = [_new(topic, prefix, min(brokers, _REPLICAS)) for topic in missing]
        response = await admin.create_topics(new)
        for name, code, *said in response.topic_errors:
            if code and for_code(code) is not TopicAlreadyExistsError:
                raise PetstreamError(not_made(name, for_code(code).__name__, str(said)))
        await _until_led(admin, [topic.full_name(prefix) for topic in missing])


def not_made(name: str, error: str, said: str) -> str:
    """Return why a topic can't be made; of what the broker said, only configs of ours are named.

    >>> not_made("pets.v1", "InvalidConfigurationError", "unknown: min.compaction.lag.ms")
    "topic pets.v1 can't be made: this Kafka doesn't take its min.compaction.lag.ms \
(InvalidConfigurationError); make it by hand, as docs/operating.md says"
    """
    if "Authorization" in error:
        return (
            f"topic {name} can't be made: {error}; make it by hand as docs/kafka-security.md says, "
            "or give this user the right to"
        )
    configs = {key for topic in topics.ALL for key in topic.configs if key in said}
    what = f"its {', '.join(sorted(configs))}" if configs else "it so"
    return (
        f"topic {name} can't be made: this Kafka doesn't take {what} ({error}); make it by hand, "
        "as docs/operating.md says"
    )


async def _until_led(admin: Any, names: list[str]) -> None:
    """Wait until every new partition has a leader: before that, clients stumble over it."""
    while True:
        described = await admin.describe_topics(names)
        parts = [*described, *(part for topic in described for part in topic["partitions"])]
        if all(part.get("leader", 0) >= 0 and not part["error_code"] for part in parts):
            return
        await asyncio.sleep(0.05)


def _new(topic: topics.Topic, prefix: str, replicas: int) -> NewTopic:
    name = topic.full_name(prefix)
    return NewTopic(name, topic.partitions, replicas, topic_configs=topic.configs)
