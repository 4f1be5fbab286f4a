"""What must be there before the children of `up` start: Kafka with its topics, Postgres migrated.

A process of its own, so that whoever waits for it stays small and can end it at any moment. Its
stdout is one JSON object: what the children need beyond the settings it was given, by setting's
name. Everything else goes to stderr.

Rule 1: what is away is waited for, and said once; with ``--wait SECONDS``, not for ever.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable

from console.embedded.endpoints import address_of, database_of, kafka_of
from console.embedded.postgres_logins import logins
from console.runtime import lifeline
from console.runtime.exit import ended_well
from console.runtime.output import note, say
from consumers.engine.migrate import migrate
from petstream.errors import UnreachableError
from petstream.kafka.client import ensure_topics
from petstream.kafka.ground import require_ground
from petstream.settings import Settings, kafka_variables, load
from petstream.waiting import Backoff, Delays

_DELAYS = Delays(2.0, factor=1.0)


def main() -> None:
    """Prepare everything, and exit."""
    lifeline.hold()
    parser = ArgumentParser(prog="petstream up")
    parser.add_argument("--wait", type=float, metavar="SECONDS")
    wait_s: float | None = parser.parse_args().wait
    sys.exit(ended_well(lambda: _prepare(load(), wait_s), daemon=False))


def _prepare(settings: Settings, wait_s: float | None) -> int:
    usual = not os.environ.get("PETSTREAM_TEST_FREE_PORTS")
    kafka = kafka_of(settings, note, usual_port=usual)
    database_url = settings.database_url or database_of(settings, note, usual_port=usual)
    note(f"Kafka is at {kafka.bootstrap}, Postgres at {address_of(database_url)}")
    embedded = kafka_variables(kafka) if settings.kafka is None else {}
    if settings.database_url is None:
        known = asyncio.run(logins(settings.data_dir, database_url))
        embedded["PETSTREAM_DATABASE_URL"] = known.writer
        embedded["PETSTREAM_CONSOLE_DATABASE_URL"] = known.console

    async def work() -> None:
        async def topics() -> None:
            await ensure_topics(kafka, settings.topic_prefix, give_up_after_s=_DELAYS.first_s)
            await require_ground(kafka, settings.topic_prefix)

        async def tables() -> None:
            for name in await migrate(database_url, say=note):
                note(f"migrated the database: {name}")

        await _until_reachable(topics, wait_s)
        await _until_reachable(tables, wait_s)

    asyncio.run(work())
    say(json.dumps(embedded))
    return 0


async def _until_reachable(work: Callable[[], Awaitable[None]], wait_s: float | None) -> None:
    backoff, said = Backoff(_DELAYS, give_up_after_s=wait_s), False
    while True:
        try:
            await work()
        except UnreachableError as error:
            delay_s = backoff.failed()
            if delay_s is None:
                raise
            if not said:
                note(f"waiting: {error}")
            said = True
            await asyncio.sleep(delay_s)
        else:
            return


if __name__ == "__main__":
    main()
