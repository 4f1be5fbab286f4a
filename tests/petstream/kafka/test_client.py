"""Clients that are stopped while Kafka is away."""

from __future__ import annotations

import asyncio

import pytest

from petstream.kafka import client
from petstream.kafka.client import stop


class Connections:
    """What a client holds: closed last of all."""

    closed = False

    async def close(self) -> None:
        """Close them."""
        self.closed = True


class Consumer:
    """Stops as aiokafka's consumer does where Kafka is gone and a fetch had not yet begun."""

    def __init__(self) -> None:
        """Hold connections."""
        self._client = self.connections = Connections()

    async def stop(self) -> None:
        """End the tasks it has, and then its connections."""
        pending = asyncio.create_task(asyncio.sleep(60))
        pending.cancel()
        await pending
        await self._client.close()


class Producer:
    """Waits for a Kafka that is gone, as a member of a group does; names its connections openly."""

    def __init__(self) -> None:
        """Hold connections."""
        self.client = self.connections = Connections()

    async def stop(self) -> None:
        """Never end."""
        await asyncio.Event().wait()


class Stuck(Consumer):
    """Is long in stopping."""

    async def stop(self) -> None:
        """Take a while."""
        await asyncio.sleep(0.2)
        await self._client.close()


async def test_a_fetch_that_had_not_begun_is_no_reason_to_end_whoever_stops_a_client() -> None:
    consumer = Consumer()
    await stop(consumer)
    assert consumer.connections.closed


async def test_whoever_is_cancelled_while_it_stops_a_client_ends_when_that_is_closed() -> None:
    consumer = Stuck()
    stopping = asyncio.create_task(stop(consumer))
    await asyncio.sleep(0.05)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert consumer.connections.closed


async def test_a_stop_that_never_ends_is_cut_off_and_its_connections_are_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "_STOP_S", 0.01)
    producer = Producer()
    async with asyncio.timeout(5):
        await stop(producer)
    assert producer.connections.closed
