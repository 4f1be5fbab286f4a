"""A log written by hand, a Kafka that loses what it is told to, and the tables made of both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from handmade_events import Log
from lossy_kafka import LossyKafka
from members import until

from consumers.app import consume
from consumers.registry import NAMES, Name
from petstream.kafka.records import TopicPartition
from petstream.settings import Settings
from petstream.topics import ORGS


class House:
    """A log written by hand, and the tables that consumers make of it."""

    def __init__(self, kafka: LossyKafka, database_url: str, prefix: str) -> None:
        """Know where everything is."""
        self.kafka, self.url, self.prefix = kafka, database_url, prefix
        self.log = Log(kafka.access, prefix)
        self.settings = Settings(topic_prefix=prefix, pictures="off")
        self.pets0 = TopicPartition(self.log.pets, 0)
        self.orgs0 = TopicPartition(ORGS.full_name(prefix), 0)

    async def drain(self, *names: Name) -> None:
        """Let consumers, all or some, apply all there is."""
        await consume(
            names or NAMES, self.settings, kafka=self.kafka.access, database_url=self.url,
            drain=True, stopping=asyncio.Event(),
        )  # fmt: skip

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let all consumers run meanwhile, as a daemon's do."""
        stopping = asyncio.Event()
        daemon = asyncio.create_task(consume(
            NAMES, self.settings, kafka=self.kafka.access, database_url=self.url, stopping=stopping,
        ))  # fmt: skip
        try:
            yield
        finally:
            stopping.set()
            await daemon

    async def sql(self, statement: str, *values: Any) -> Sequence[asyncpg.Record]:
        """Run a statement."""
        connection = await asyncpg.connect(self.url)
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    async def names(self) -> dict[int, str]:
        """Return the names of the listed pets."""
        rows = await self.sql("SELECT animal_id, name FROM petstream.pets")
        return {row["animal_id"]: row["name"] for row in rows}

    async def shows(self, names: dict[int, str]) -> None:
        """Wait until just these pets are listed."""

        async def so() -> bool:
            return await self.names() == names

        await until(f"the tables show {names}", so)

    async def all_are_at(self, offset: int) -> None:
        """Wait until every consumer has come as far in partition 0 of the pets."""

        async def so() -> bool:
            return {await self.offset(name) for name in NAMES} == {offset}

        await until(f"every consumer is at {offset}", so)

    async def has_rewritten(self, places: set[tuple[str, str, int]]) -> None:
        """Wait until consumers found just this."""

        async def so() -> bool:
            return await self.rewritten() == places

        await until(f"consumers find {places}", so)

    async def rewritten(self) -> set[tuple[str, str, int]]:
        """Return where consumers found another log than they knew, and what they made of it."""
        rows = await self.sql("SELECT * FROM petstream.rewritten_position")
        return {(row["consumer"], row["standing"], row["next_offset"]) for row in rows}

    async def offset(self, consumer: str) -> int | None:
        """Return how far a consumer is in partition 0 of the pets."""
        rows = await self.sql(
            "SELECT next_offset FROM petstream.consumer_position "
            "WHERE consumer = $1 AND topic = $2 AND partition = 0", consumer, self.log.pets,
        )  # fmt: skip
        return rows[0]["next_offset"] if rows else None
