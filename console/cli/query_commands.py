"""The commands that look at what is there, and the decisions made on it.

Rule 1: a command imports what it needs when it runs, so that one never waits for another's parts.
"""

# ruff: noqa: PLC0415  rule 1

from __future__ import annotations

import asyncio
import shlex
from argparse import ArgumentParser, Namespace
from collections.abc import Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from console.embedded.endpoints import (
    database_of,
    kafka_of,
    known_database,
    pages_database_of,
    with_picture_store,
)
from console.runtime import signals
from console.runtime.output import note, print_document, say
from consumers.registry import EVERY, names_of
from petstream.errors import PetstreamError, UsageError
from petstream.settings import load


def status(options: Namespace) -> int:
    """Print how everything stands."""
    settings = load()
    kafka, database = kafka_of(settings, note), known_database(settings, note)

    def work(_stopping: asyncio.Event) -> Coroutine[Any, Any, int]:
        from console.inspect.status import status as tell

        return tell(settings, kafka=kafka, database_url=database, as_json=options.json)

    return signals.run(work, stopped_status=1)


def console(_options: Namespace) -> int:
    """Serve the pages until a signal; starts no consumer."""
    settings = load()
    if settings.console is None:
        raise UsageError(
            "PETSTREAM_CONSOLE is off: set an address, such as PETSTREAM_CONSOLE=127.0.0.1:8642"
        )
    kafka, database = kafka_of(settings, note), known_database(settings, note)
    pages = pages_database_of(settings, database)
    known = with_picture_store(
        replace(settings, kafka=kafka, database_url=database, console_database_url=pages)
    )

    async def work(stopping: asyncio.Event) -> int:
        from console.daemon.health import Health, of_consumers, of_postgres
        from console.daemon.http import served

        asked = [
            of_consumers(kafka, settings.topic_prefix, names_of(table_topics=settings.table_topics))
        ]
        asked += [of_postgres(database)] if database else []
        async with served(
            settings.console, Health(asked), lambda: known, say=note, hosts=settings.console_hosts
        ):
            await stopping.wait()
        return 0

    return signals.run(work, stopped_status=0, patient=True)


def doctor(options: Namespace) -> int:
    """Check everything, start nothing."""
    from console.doctor.doctor import doctor as examine

    return signals.run(lambda _: examine(as_json=options.json), stopped_status=1)


def diff(options: Namespace) -> int:
    """Compare two exports."""
    settings = load()
    kafka = kafka_of(settings, note)

    def work(_stopping: asyncio.Event) -> Coroutine[Any, Any, int]:
        from console.inspect.diff import diff as compare

        return compare(settings, kafka, options.older, options.newer, as_json=options.json)

    return signals.run(work, stopped_status=1)


def explain(options: Namespace) -> int:
    """Print one pet's whole life; of a name that several have, whose it is."""
    settings = load()
    words = " ".join(options.pet)
    kafka, database = kafka_of(settings, note), known_database(settings, note)

    async def work(_stopping: asyncio.Event) -> int:
        from console.find import names
        from console.find.criteria import parse_id
        from console.inspect.database_reader import Unavailable
        from console.inspect.explain import explain as tell

        animal_id = parse_id(words)
        if animal_id is None:
            named = await names.pets_called(database, words)
            if isinstance(named, Unavailable):
                raise PetstreamError(f"a name is looked for in Postgres: it is {named.reason}")
            if len(named.pets) != 1:
                if options.json:
                    print_document(names.document(named))
                else:
                    say("\n".join(names.lines(named, datetime.now(UTC))))
                return 0 if named.pets else 1
            animal_id = named.pets[0].animal_id
        return await tell(
            settings, kafka=kafka, database_url=database, animal_id=animal_id,
            as_json=options.json,
        )  # fmt: skip

    return signals.run(work, stopped_status=1)


def tail(options: Namespace) -> int:
    """Print a topic's events as they come."""
    settings = load()
    kafka = kafka_of(settings, note)

    def work(stopping: asyncio.Event) -> Coroutine[Any, Any, int]:
        from console.inspect.tail import tail as follow

        return follow(
            settings,
            kafka=kafka,
            topic=options.topic,
            from_beginning=options.from_beginning,
            as_json=options.json,
            stopping=stopping,
        )

    return signals.run(work, stopped_status=0, patient=True)


def removals(options: Namespace) -> int:
    """Print held removals, or decide about them."""
    from console.act.removals import decide

    settings = load()
    kafka, database = kafka_of(settings, note), known_database(settings, note)
    reason, by = getattr(options, "reason", None), getattr(options, "by", None)

    def work(_stopping: asyncio.Event) -> Coroutine[Any, Any, int]:
        return decide(
            settings,
            kafka,
            options.action,
            options.ident,
            database_url=database,
            reason=reason,
            by=by,
            as_json=options.json,
        )

    return signals.run(work, stopped_status=1)


def dead_letters(options: Namespace) -> int:
    """Print refused rows and events, or send events back."""
    from console.act.redrive import redrive
    from console.inspect import dead_letters as letters

    settings = load()
    kafka = kafka_of(settings, note)

    def work(_stopping: asyncio.Event) -> Coroutine[Any, Any, int]:
        if options.action == "replay":
            return redrive(
                settings, kafka=kafka, idents=options.ident, every=options.all,
                as_json=options.json,
            )  # fmt: skip
        return letters.dead_letters(
            settings, kafka=kafka, action=options.action, ident=options.ident,
            as_json=options.json,
        )  # fmt: skip

    return signals.run(work, stopped_status=1)


def pictures(options: Namespace) -> int:
    """Make pictures due again that couldn't be had."""
    from console.act.pictures import retry, selection

    settings = load()
    selection(options)
    database = database_of(settings, note)

    def work(_stopping: asyncio.Event) -> Coroutine[Any, Any, int]:
        return retry(options, database_url=database, pictures=settings.pictures)

    return signals.run(work, stopped_status=1)


def table_topics(options: Namespace) -> int:
    """Make the table topics anew."""
    settings = load()
    kafka = kafka_of(settings, note)

    def work(_stopping: asyncio.Event) -> Coroutine[Any, Any, int]:
        from console.act.table_topics import rebuild

        return rebuild(settings, kafka=kafka, dry_run=options.dry_run, as_json=options.json)

    return signals.run(work, stopped_status=1)


def replay(options: Namespace) -> int:
    """Rewind a consumer, or say what that would read."""
    settings = load()
    kafka, database = kafka_of(settings, note), database_of(settings, note)

    def work(_stopping: asyncio.Event) -> Coroutine[Any, Any, int]:
        from console.act.replay import rewind_consumer

        return rewind_consumer(options, settings, kafka=kafka, database_url=database)

    return signals.run(work, stopped_status=1)


def replay_arguments(parser: ArgumentParser) -> None:
    """Add what `replay` takes."""
    parser.add_argument("consumer", choices=EVERY)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--from-beginning", action="store_true")
    where.add_argument("--from-time", metavar="T", help="when published: 2026-11-20T08:00Z")
    where.add_argument(
        "--from-offset", nargs="+", metavar="PARTITION:OFFSET", help="3:120, orgs.v1/0:40"
    )
    where.add_argument("--from-export", metavar="ID", help="its first event: 2026-11-20T08:12:04Z")
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be read, move nothing"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def env(options: Namespace) -> int:
    """Print where the embedded servers are, for a shell."""
    from console.embedded.shell_environment import variables

    settings = load()
    values = variables(settings.data_dir, settings.topic_prefix)
    if options.json:
        print_document(values)
    else:
        for name, text in values.items():
            say(f"export {name}={shlex.quote(text)}")
    return 0


def schemas(options: Namespace) -> int:
    """Write the contract as documents."""
    from console.documents.schemas import write

    return write(options.out)
