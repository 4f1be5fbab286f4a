"""Clients that are lent on: to whom, for how long, and which ones are not."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from petstream.kafka import kept
from petstream.kafka.kept import Kind, kept_connected, lent
from petstream.settings import KafkaAccess

HERE, ELSEWHERE = KafkaAccess("127.0.0.1:9092"), KafkaAccess("127.0.0.1:9093")


class Clients:
    """Clients that are numbers: those that were started, and those of them that run."""

    def __init__(self) -> None:
        """Begin without any."""
        self.started = 0
        self.running: set[int] = set()

    async def start(self) -> int:
        """Start the next."""
        self.started += 1
        self.running.add(self.started)
        return self.started

    async def stop(self, client: int) -> None:
        """Stop one."""
        self.running.remove(client)

    async def ask(
        self, *, access: KafkaAccess = HERE, kind: Kind = "reader", error: str = ""
    ) -> int:
        """Be lent a client, and return which."""
        async with lent(access, kind, self.start, self.stop) as client:
            assert client in self.running
            if error:
                raise TimeoutError(error)
            return int(client)


@pytest.fixture
def clients() -> Clients:
    """Return clients of which none was started."""
    return Clients()


def run(work: Coroutine[Any, Any, None], clients: Clients) -> None:
    """Do some work, after which no client may run."""
    asyncio.run(work)
    assert not clients.running, "a connection leaks"


def test_who_asks_next_is_lent_the_client_of_the_one_before(clients: Clients) -> None:
    async def work() -> None:
        async with kept_connected(HERE):
            assert [await clients.ask() for _ in range(3)] == [1, 1, 1]
            assert await clients.ask(kind="admin") == 2, "another kind"
            assert await clients.ask(access=ELSEWHERE) == 3, "of another Kafka"
            assert clients.running == {1, 2}

    run(work(), clients)


def test_outside_each_has_its_own(clients: Clients) -> None:
    async def work() -> None:
        async with kept_connected(HERE):
            assert await clients.ask() == 1
        assert [await clients.ask(), await clients.ask()] == [2, 3]

    run(work(), clients)


def test_who_asks_meanwhile_has_another(clients: Clients) -> None:
    async def work() -> None:
        async with kept_connected(HERE):
            async with lent(HERE, "reader", clients.start, clients.stop) as first:
                assert await clients.ask() != first
            assert len(clients.running) == 1, "one of a kind is kept"
            together = await asyncio.gather(*(clients.ask() for _ in range(4)))
            assert len(clients.running) == 1, together

    run(work(), clients)


def test_what_failed_is_never_lent_again(clients: Clients) -> None:
    async def work() -> None:
        async with kept_connected(HERE):
            assert await clients.ask() == 1
            with pytest.raises(TimeoutError):
                await clients.ask(error="it gives no answer")
            assert not clients.running
            assert await clients.ask() == 2

    run(work(), clients)


def test_what_has_been_idle_for_long_is_connected_anew(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While an export is read for an hour, the network may forget a connection."""
    times = iter([0.0, 15.0, 15.0, 40.0, 40.0])
    monkeypatch.setattr(kept, "_now_s", lambda: next(times))

    async def work() -> None:
        async with kept_connected(HERE):
            assert [await clients.ask() for _ in range(3)] == [1, 1, 2]

    run(work(), clients)


def test_what_is_kept_is_stopped_also_where_the_block_fails(clients: Clients) -> None:
    async def work() -> None:
        async with kept_connected(HERE):
            await clients.ask()
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        asyncio.run(work())
    assert not clients.running, "a connection leaks"


def test_what_is_given_back_behind_the_end_is_stopped(clients: Clients) -> None:
    """A task may have begun within the block, and ask for longer than it lasts."""

    async def work() -> None:
        over = asyncio.Event()

        async def ask() -> None:
            async with lent(HERE, "reader", clients.start, clients.stop):
                await over.wait()

        async with kept_connected(HERE):
            task = asyncio.create_task(ask())
            await asyncio.sleep(0)
        over.set()
        await task

    run(work(), clients)
