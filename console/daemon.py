"""`up`: the watch and all consumers in one process.

Rule 1: a part that ends by itself ends the whole, loudly: half a daemon looks like a whole one.
Rule 2: a signal ends it well: the consumers finish their batch, the watch stops where it waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from console.commands import CONSUMERS
from console.watch import Pace, watch
from consumers.app import consume
from consumers.migrate import migrate
from contracts.cluster import ensure_topics
from contracts.errors import PetstreamError
from contracts.settings import KafkaAccess, Settings


async def up(  # noqa: PLR0913  what a daemon depends on, each by name
    settings: Settings,
    kafka: KafkaAccess,
    database_url: str,
    *,
    stopping: asyncio.Event,
    say: Callable[[str], None],
    pace: Pace = Pace(),  # noqa: B008  frozen
) -> int:
    """Run everything until `stopping`; return the exit status.

    Raises:
        ExceptionGroup: of what ended a part.
    """

    def silent(_name: str, _total: int) -> None:
        """A daemon has no bars."""

    for name in await migrate(database_url):
        say(f"migrated the database: {name}")
    await ensure_topics(kafka, settings.topic_prefix, patience_s=None)
    say("petstream is up: watching the feed, and consuming pets, deletions and images")
    watching = watch(settings, kafka, stopping=stopping, say=say, progress=silent, pace=pace)
    consuming = consume(
        CONSUMERS,
        settings,
        kafka=kafka,
        database_url=database_url,
        stopping=stopping,
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(_lasting("the watch of the feed", watching, stopping))
        group.create_task(_lasting("the consumers", consuming, stopping))
    say("stopped")
    return 0


async def _lasting(what: str, part: Coroutine[Any, Any, None], stopping: asyncio.Event) -> None:
    await part
    if not stopping.is_set():
        raise PetstreamError(f"{what} ended by itself: that is a bug, and everything is stopped")
