"""Why Kafka can't be reached: the address that is at fault is named."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from scripted_kafka import OF_3_5, scripted_kafka

from console.doctor.kafka import check_kafka
from petstream.errors import PetstreamError, UnreachableError
from petstream.kafka import client, diagnosis
from petstream.kafka.client import answers, ensure_topics
from petstream.settings import KafkaAccess

NOWHERE = "no-such-host.invalid"


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def said(bootstrap: str, *, probed: bool = True) -> set[str]:
    """Return what a command, a daemon, its probe, and doctor say of it."""
    access = KafkaAccess(bootstrap)
    lines = set()
    asked = [ensure_topics(access, "t."), ensure_topics(access, "t.", give_up_after_s=None)]
    for asking in [*asked, answers(access)] if probed else asked:
        with pytest.raises(PetstreamError) as caught:
            async with asyncio.timeout(20):
                await asking
        lines.add(str(caught.value))
    (result,) = await check_kafka(access, "t.")
    assert result.state == "fail"
    return {*lines, result.what}


async def test_o5_an_advertised_name_that_is_not_known_here_is_named_at_once_by_everybody() -> None:
    """O5: after 61 s it was "can't be reached: start it", though it was there."""
    began = time.monotonic()
    async with scripted_kafka([(NOWHERE, 9092)]) as port:
        (line,) = await said(f"127.0.0.1:{port}")
    assert line == (
        f"Kafka at 127.0.0.1:{port} sends us on to {NOWHERE}:9092, which has a name that isn't "
        "known here: mend advertised.listeners of the broker, or make that address known here"
    )
    assert time.monotonic() - began < 20


async def test_o5_an_advertised_address_where_nobody_listens_is_named() -> None:
    """O5: as ``localhost`` is from within a container."""
    nobody = closed_port()
    async with scripted_kafka([("127.0.0.1", nobody)]) as port:
        (line,) = await said(f"127.0.0.1:{port}")
    assert f"sends us on to 127.0.0.1:{nobody}, which can't be reached (Connection" in line


async def test_o5_an_advertised_address_that_is_silent_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """O5: as behind a firewall that drops what it doesn't know."""
    monkeypatch.setattr(diagnosis, "_KNOCK_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        at = silent.getsockname()[1]
        async with scripted_kafka([("127.0.0.1", at)]) as port:
            access = KafkaAccess(f"127.0.0.1:{port}")
            refusal = await diagnosis.refusal(access, client.client_options(access))
    assert refusal is not None
    assert f"sends us on to 127.0.0.1:{at}, which gives no answer within 1 s" in refusal.message


async def test_o5_one_broker_of_two_that_is_down_is_no_wrong_address() -> None:
    """O5: a cluster is there while a broker of it is."""
    async with (
        scripted_kafka() as other,
        scripted_kafka([("127.0.0.1", other), (NOWHERE, 9092)]) as port,
    ):
        access = KafkaAccess(f"127.0.0.1:{port}")
        assert await diagnosis.refusal(access, client.client_options(access)) is None


async def test_o5_a_broker_that_names_itself_and_is_just_gone_is_waited_for() -> None:
    """O5: else a daemon would end while its broker restarts."""
    async with scripted_kafka() as port:
        pass
    with pytest.raises(UnreachableError, match=rf"127.0.0.1:{port} can't be reached \(Connection"):
        await ensure_topics(KafkaAccess(f"127.0.0.1:{port}"), "t.", give_up_after_s=0.1)


async def test_o5_a_bootstrap_name_that_is_not_known_is_waited_for_and_named() -> None:
    """O5: a container's name isn't known before it has started."""
    bootstrap = KafkaAccess(f"{NOWHERE}:9092")
    with pytest.raises(UnreachableError, match=f"{NOWHERE}:9092 has a name that isn't known here"):
        await ensure_topics(bootstrap, "t.", give_up_after_s=0.1)


async def test_o5_of_several_bootstrap_servers_the_first_that_answers_counts() -> None:
    """O5: that is what the client does."""
    async with scripted_kafka([(NOWHERE, 9092)]) as port:
        access = KafkaAccess(f"127.0.0.1:{closed_port()}, 127.0.0.1:{port}")
        refusal = await diagnosis.refusal(access, client.client_options(access))
    assert refusal is not None
    assert "sends us on to" in refusal.message


def test_o10_what_was_idle_is_connected_anew_before_a_firewall_forgets_it() -> None:
    """O10: an AWS load balancer forgets after 350 s, others after 300 s."""
    options = client.client_options(KafkaAccess("127.0.0.1:9"))
    assert options["connections_max_idle_ms"] <= 120_000


@pytest.mark.parametrize("known", [OF_3_5, {}])
async def test_o4_a_kafka_that_is_too_old_is_told_at_once_what_it_lacks(
    known: dict[int, int],
) -> None:
    """O4: Kafka 3.5 said "give this user the right" for a config that it hasn't."""
    async with scripted_kafka(known=known) as port:
        (line,) = await said(f"127.0.0.1:{port}", probed=False)
    assert f"127.0.0.1:{port} is older than 3.6, and lacks message.timestamp.before.max.ms" in line


async def test_o4_a_server_that_is_no_kafka_is_told_so_and_no_bug() -> None:
    """O4: nor is one that speaks only later versions."""

    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes.fromhex("0000000a 00000001 0000 7fffffff"))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        access = KafkaAccess(f"127.0.0.1:{port}")
        with pytest.raises(PetstreamError, match=f"Kafka at 127.0.0.1:{port} "):
            await ensure_topics(access, "t.", give_up_after_s=0.1)
        (result,) = await check_kafka(access, "t.")
        assert f"Kafka at 127.0.0.1:{port} " in result.what


@pytest.mark.parametrize(
    ("error", "message", "line"),
    [
        ("TopicAuthorizationFailedError", "no", "give this user the right"),
        ("InvalidConfigurationError", "Unknown min.compaction.lag.ms", "its min.compaction.lag.ms"),
        ("InvalidReplicationFactorError", "User:secret", "doesn't take it so"),
        ("PolicyViolationError", "User:secret", "doesn't take it so"),
    ],
)
def test_o4_what_a_kafka_does_not_take_of_a_topic_is_named(
    error: str, message: str, line: str
) -> None:
    """O4: a right is asked for only where one is lacking."""
    why = client.not_made("t.pets.v1", error, message)
    assert line in why
    assert error in why
    assert "secret" not in why
