"""Clients kept connected for who asks Kafka one thing after another, as a run of the ingester does.

Rule 1: within `kept_connected`, who asks is lent the client that the one before has given back, and
        not a new one: to connect (twice, with a proof of the password) takes longer than to ask.
Rule 2: one at a time has it: who asks meanwhile connects anew. It keeps no state for the next.
Rule 3: a client is lent again only if all went well, and it was given back a moment ago: what
        failed, was broken off or has been idle is stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, Final, Literal

from petstream.settings import KafkaAccess

Kind = Literal["admin", "reader"]

Start = Callable[[], Awaitable[Any]]
"""Returns a client that is connected."""

Stop = Callable[[Any], Awaitable[None]]

_IDLE_S: Final = 20.0
"""Brokers and firewalls forget connections later than that."""


class _KeptClients:
    """The clients that were given back, by kind: when, and how to stop them."""

    def __init__(self, access: KafkaAccess) -> None:
        self.access = access
        self._is_over = False
        self._idle: dict[Kind, tuple[Any, float, Stop]] = {}

    async def take(self, kind: Kind) -> Any | None:
        """Return the client that is idle, if it was given back a moment ago."""
        idle = self._idle.pop(kind, None)
        if idle is None:
            return None
        client, since_s, stop = idle
        if _now_s() - since_s <= _IDLE_S:
            return client
        await stop(client)
        return None

    async def give_back(self, kind: Kind, client: Any, stop: Stop) -> None:
        """Keep a client for the next, or stop it where there is one, or nobody asks any more."""
        if self._is_over or kind in self._idle:
            await stop(client)
        else:
            self._idle[kind] = client, _now_s(), stop

    async def stop(self) -> None:
        """Stop what is kept, and keep nothing from now on."""
        self._is_over = True
        while self._idle:
            _, (client, _, stop) = self._idle.popitem()
            await stop(client)


_KEPT: Final[ContextVar[_KeptClients | None]] = ContextVar("_KEPT", default=None)


@asynccontextmanager
async def kept_connected(access: KafkaAccess) -> AsyncIterator[None]:
    """Keep clients of this Kafka connected between questions, for as long as the block lasts."""
    kept = _KeptClients(access)
    before = _KEPT.set(kept)
    try:
        yield
    finally:
        _KEPT.reset(before)
        await kept.stop()


@asynccontextmanager
async def lent(access: KafkaAccess, kind: Kind, start: Start, stop: Stop) -> AsyncIterator[Any]:
    """Hold a client: the one that is kept (rule 1), or one that is started."""
    kept = _KEPT.get()
    if kept is not None and kept.access != access:
        kept = None
    client = None if kept is None else await kept.take(kind)
    if client is None:
        client = await start()
    is_well = False
    try:
        yield client
        is_well = True
    finally:
        if kept is None or not is_well:
            await stop(client)
        else:
            await kept.give_back(kind, client, stop)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
