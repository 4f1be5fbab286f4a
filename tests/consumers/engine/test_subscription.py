"""How much is taken at once: what comes alone soon, and of a flood much."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition as ClientPartition

from consumers.engine.subscription import Rebalances, Subscription

HERE = ClientPartition("t.pets.v1", 0)
THERE = ClientPartition("t.pets.v1", 1)


def message(offset: int) -> Any:
    """Return a record as the client gives it."""
    return SimpleNamespace(
        offset=offset, key=b"1", value=b"{}", headers=(), timestamp=0, topic=HERE.topic
    )


class FakeConsumer:
    """Gives what has arrived by each look, and tells how it was asked."""

    def __init__(self, *arrivals: dict[ClientPartition, list[Any]]) -> None:
        """Give these, one after the other."""
        self.arrivals = [*arrivals]
        self.waits_ms: list[int] = []
        self.asked_for: list[int] = []

    async def getmany(
        self, *, timeout_ms: int, max_records: int
    ) -> dict[ClientPartition, list[Any]]:
        """Return the next of them; then nothing."""
        self.waits_ms.append(timeout_ms)
        self.asked_for.append(max_records)
        return self.arrivals.pop(0) if self.arrivals else {}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited for more, without waiting."""
    waited: list[float] = []

    async def sleep(delay_s: float) -> None:
        waited.append(delay_s)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return waited


def subscription(consumer: Any) -> Subscription:
    return Subscription(consumer, Rebalances())


async def test_what_comes_alone_is_given_after_a_few_milliseconds(pauses: list[float]) -> None:
    consumer = FakeConsumer({HERE: [message(7)]})
    assert [record.offset for record in await subscription(consumer).poll()] == [7]
    assert consumer.waits_ms == [500, 0]
    assert pauses == [0.004]


async def test_nothing_is_waited_for_behind_nothing(pauses: list[float]) -> None:
    consumer = FakeConsumer()
    assert await subscription(consumer).poll() == []
    assert (consumer.waits_ms, pauses) == ([500], [])


async def test_what_keeps_coming_goes_together_in_the_order_of_its_partitions(
    pauses: list[float],
) -> None:
    consumer = FakeConsumer(
        {HERE: [message(1), message(2)]}, {THERE: [message(5)]}, {HERE: [message(3)]}
    )
    records = await subscription(consumer).poll()
    places = [(record.topic_partition.partition, record.offset) for record in records]
    assert places == [(0, 1), (0, 2), (1, 5), (0, 3)]
    assert len(pauses) == 3


async def test_a_full_batch_waits_for_nothing_and_is_never_more(pauses: list[float]) -> None:
    consumer = FakeConsumer({HERE: [message(1), message(2)]}, {HERE: [message(3)]})
    records = await subscription(consumer).poll(max_records=2)
    assert [record.offset for record in records] == [1, 2]
    assert pauses == []
    consumer = FakeConsumer({HERE: [message(1)]}, {HERE: [message(2)]}, {HERE: [message(3)]})
    records = await subscription(consumer).poll(max_records=2)
    assert [record.offset for record in records] == [1, 2]
    assert consumer.asked_for == [2, 1]


async def test_a_stream_without_an_end_is_cut_after_a_tenth_of_a_second(
    pauses: list[float],
) -> None:
    consumer = FakeConsumer(*({HERE: [message(offset)]} for offset in range(100)))
    records = await subscription(consumer).poll()
    assert [record.offset for record in records] == list(range(6))
    assert sum(pauses) == pytest.approx(0.1)
