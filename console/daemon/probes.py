"""The probes of `console.daemon.health`: Kafka, Postgres, and consumers that stand still.

Rule 1: a consumer that has work before it and commits nothing for five minutes stands still, also
        while every server answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Final

from console.daemon.health import Probe
from consumers.admin.lag import GroupLag, lag
from consumers.engine.postgres import TROUBLE, connected
from consumers.engine.queries import query
from consumers.pictures.wanted import STATUSES
from petstream.errors import UnreachableError
from petstream.kafka.client import answers
from petstream.metrics import LAG, PICTURES_WAITING
from petstream.settings import KafkaAccess

STANDS_STILL_S: Final = 300.0
_COUNT_EVERY: Final = 6  # probes: counting pictures looks at all of them


def of_kafka(access: KafkaAccess) -> Probe:
    """Return a probe of Kafka alone."""

    async def ask() -> None:
        await answers(access)

    return Probe("kafka", ask)


def of_consumers(access: KafkaAccess, prefix: str, names: Collection[str]) -> Probe:
    """Return a probe of Kafka by the lag of some consumers, which it also writes down."""
    standing = Standing()

    async def ask() -> str | None:
        lags = [one for one in await lag(access, prefix) if one.consumer in names]
        return standing.problem(lags, asyncio.get_running_loop().time())

    return Probe("kafka", ask)


def of_postgres(database_url: str) -> Probe:
    """Return a probe of Postgres; now and then it counts the pictures, too."""
    asked = 0

    async def ask() -> None:
        nonlocal asked
        try:
            async with connected(database_url) as connection:
                await connection.fetchval("SELECT 1")
                if asked % _COUNT_EVERY == 0:
                    rows = await connection.fetch(query("pictures_by_status"))
                    counts = {row["status"]: row["pictures"] for row in rows}
                    for status in STATUSES:
                        PICTURES_WAITING.labels(status).set(counts.get(status, 0))
        except TimeoutError:
            raise
        except TROUBLE as error:
            raise UnreachableError(
                f"it can't be reached or refuses ({type(error).__name__}): start it, or mend "
                "PETSTREAM_DATABASE_URL"
            ) from None  # the cause may name the user
        asked += 1

    return Probe("postgres", ask)


class Standing:
    """Since when each consumer has committed nothing although there is work."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._since: dict[str, tuple[int, float]] = {}

    def problem(self, lags: Sequence[GroupLag], now: float) -> str | None:
        """Write the lags down; return who stands still, in words."""
        said = []
        for name in sorted({one.consumer for one in lags}):
            own = [one for one in lags if one.consumer == name]
            behind = sum(one.lag for one in own)
            committed = sum(one.committed or 0 for one in own)
            LAG.labels(name).set(behind)
            before, since = self._since.get(name, (committed, now))
            if behind == 0 or committed != before:
                before, since = committed, now
            self._since[name] = (before, since)
            if now - since >= STANDS_STILL_S:
                said.append(
                    f"consumer {name} has committed nothing for {now - since:.0f} s, with "
                    f"{behind:,} records before it"
                )
        return "; ".join(said) or None
