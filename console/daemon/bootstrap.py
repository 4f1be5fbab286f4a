"""What must be there before a part of `up` begins: Kafka and its topics, Postgres and its tables.

A process of its own, so that whoever waits for it stays small and can end it at any moment. It
prints what the parts need to know as a line of JSON: settings by name. The rest goes to stderr.

Rule 1: what is away is waited for, and said once; with ``--patience SECONDS``, not for ever.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable

from console.embedded.endpoints import database_of, kafka_of
from console.runtime import lifeline
from console.runtime.exit import ended_well
from console.runtime.output import note, say
from consumers.engine.migrate import migrate
from petstream.errors import UnreachableError
from petstream.kafka.client import ensure_topics
from petstream.settings import Settings, load

_LOOK_EVERY_S = 2.0


def main() -> None:
    """Prepare everything, and exit."""
    lifeline.hold()
    options = ArgumentParser(prog="petstream up")
    options.add_argument("--patience", type=float, metavar="SECONDS")
    patience_s: float | None = options.parse_args().patience
    sys.exit(ended_well(lambda: _prepare(load(), patience_s), daemon=False))


def _prepare(settings: Settings, patience_s: float | None) -> int:
    found = {}
    kafka, database_url = kafka_of(settings, note), _database(settings)
    if settings.kafka is None:
        found["PETSTREAM_KAFKA"] = kafka.bootstrap
    if settings.database_url is None:
        found["PETSTREAM_DATABASE_URL"] = database_url

    async def work() -> None:
        async def topics() -> None:
            await ensure_topics(kafka, settings.topic_prefix, patience_s=_LOOK_EVERY_S)

        async def tables() -> None:
            for name in await migrate(database_url):
                note(f"migrated the database: {name}")

        await _waited_for(topics, patience_s)
        await _waited_for(tables, patience_s)

    asyncio.run(work())
    say(json.dumps(found))
    return 0


def _database(settings: Settings) -> str:
    return settings.database_url or database_of(settings, note)


async def _waited_for(work: Callable[[], Awaitable[None]], patience_s: float | None) -> None:
    began, said = time.monotonic(), False
    while True:
        try:
            await work()
        except UnreachableError as error:
            if patience_s is not None and time.monotonic() - began >= patience_s:
                raise
            if not said:
                note(f"waiting: {error}")
            said = True
            await asyncio.sleep(_LOOK_EVERY_S)
        else:
            return


if __name__ == "__main__":
    main()
