"""How `up` stands, told over HTTP: its servers, and whether all of its parts run.

Rule 1: it answers from the start, also while servers are waited for: then it isn't ready.
Rule 2: what a part had to tell is forgotten with it, where it was true of the living only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

from console.daemon import probes
from console.daemon.health import Health, Probe
from console.daemon.http import served
from console.embedded.endpoints import with_picture_store
from petstream.metrics import RESTARTS
from petstream.settings import Settings
from petstream.telemetry import forget_process


class Standing:
    """What is known of servers and parts by now."""

    def __init__(self, consumers: Sequence[str]) -> None:
        """Know nothing of the servers yet."""
        self._consumers = tuple(consumers)
        self._kafka: Probe | None = None
        self._postgres: Probe | None = None
        self._settings: Settings | None = None
        self.missing: Callable[[], list[str]] = lambda: ["the parts"]

    def found(self, settings: Settings) -> None:
        """Ask these servers from now on; the settings have both."""
        if settings.kafka is not None and settings.database_url is not None:
            self._settings = with_picture_store(settings)
            prefix = settings.topic_prefix
            self._kafka = probes.of_consumers(settings.kafka, prefix, self._consumers)
            self._postgres = probes.of_postgres(settings.database_url)

    def ended(self, part: str, pid: int, *, by_itself: bool) -> None:
        """Note that a part's process is dead."""
        if by_itself:
            RESTARTS.labels(part).inc()
        forget_process(pid)

    @asynccontextmanager
    async def told(
        self, address: tuple[str, int] | None, say: Callable[[str], None]
    ) -> AsyncGenerator[None]:
        """Tell it at PETSTREAM_CONSOLE while the block runs."""
        health = Health(
            [
                Probe("kafka", self._ask_kafka),
                Probe("postgres", self._ask_postgres),
                Probe("parts", self._ask_parts),
            ]
        )
        async with served(address, health, lambda: self._settings, say=say):
            yield

    async def _ask_kafka(self) -> str | None:
        return await self._kafka.ask() if self._kafka else "it is waited for"

    async def _ask_postgres(self) -> str | None:
        return await self._postgres.ask() if self._postgres else "it is waited for"

    async def _ask_parts(self) -> str | None:
        await asyncio.sleep(0)
        return f"not running now: {', '.join(self.missing())}" if self.missing() else None
