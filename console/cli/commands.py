"""What each command does: settings, the servers it needs, then the work.

Rule 1: a command imports what it needs when it runs, so that one never waits for another's parts.
Rule 2: servers are started before the event loop runs; `console.runtime.signals` minds signals.
"""

# ruff: noqa: PLC0415  rule 1

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from console.embedded.endpoints import database_of, kafka_of, with_picture_store
from console.runtime import signals
from console.runtime.output import note, print_document, say
from console.runtime.progress import ReportProgress, adding_up, has_bars, shown
from consumers.registry import names_of
from petstream.errors import UsageError
from petstream.settings import SETTLED, KafkaAccess, Settings, load, texts

FromOptions = Callable[[Namespace], int]


def up(_options: Namespace) -> int:
    """Run the daemon."""

    def read() -> dict[str, str]:
        values = texts()
        _need_ftp(load({**values, SETTLED: "1"}))
        return values

    values = read()
    from console.daemon import daemon

    def work(stopping: asyncio.Event) -> Coroutine[Any, Any, int]:
        return daemon.up(values, stopping=stopping, reread=read)

    # the children have less time than that, and then are killed
    return signals.run(work, stopped_status=0, patient=True, within_s=18.0)


def down(options: Namespace) -> int:
    """Stop the embedded servers."""
    from console.embedded import servers

    stopped = servers.down(load().data_dir, say=note)
    if options.json:
        print_document({"stopped": stopped})
        return 0
    say(f"stopped {' and '.join(stopped)}" if stopped else "nothing was running")
    return 0


def ingest(options: Namespace) -> int:
    """Read one export, or every one as it comes."""
    settings = load()
    archived: str | None = options.from_archive
    _refuse_together(options)
    if archived is None:
        _need_ftp(settings)
    kafka = kafka_of(settings, note)
    if options.watch:
        return _watch(options, settings, kafka)
    say_line = note if options.json else say

    async def work(_stopping: asyncio.Event) -> int:
        from console.inspect import summary
        from ingest.backfill import ingest_again
        from ingest.run import ingest as read_export

        with shown("rows", for_program=options.json) as progress:
            watched: Any = {"progress": progress, "report_bytes": of_all_files(progress)}
            if archived is not None:
                result = await ingest_again(settings, kafka, archived, say=say_line, **watched)
            else:
                result = await read_export(
                    settings, kafka, wanted=options.mode, allow_older=options.allow_older,
                    allow_growth=options.allow_growth, say=say_line, **watched,
                )  # fmt: skip
        for line in summary.lines(result):
            say_line(line)
        if options.json:
            print_document(summary.document(result))
        return result.exit_status

    status = signals.run(work, stopped_status=-1)
    if status < 0:
        note("interrupted: what was published is whole; run it again for the rest")
        return 1
    return status


def _refuse_together(options: Namespace) -> None:
    once = options.allow_older or options.allow_growth
    if options.from_archive is not None and (options.watch or once or options.mode != "auto"):
        raise UsageError("--from-archive goes alone: it reads the export as it was read first")
    if options.watch and once:
        raise UsageError("--allow-older and --allow-growth are for one run, not for --watch")
    if options.watch and options.json:
        raise UsageError("--json is for one run; of a daemon, PETSTREAM_LOG=json writes the lines")


def _watch(options: Namespace, settings: Settings, kafka: KafkaAccess) -> int:
    from console.daemon.feed_watch import PollIntervals, watch
    from console.daemon.health import Health, of_kafka
    from console.daemon.http import served
    from console.daemon.watch_presence import WatchPresence, present

    known = replace(settings, kafka=kafka)
    presence = WatchPresence(lambda: datetime.now(UTC))
    every = {} if options.every is None else dict.fromkeys(PollIntervals._fields, options.every)

    async def work(stopping: asyncio.Event) -> int:
        health = Health([of_kafka(kafka)])
        with shown("rows") as progress:
            async with (
                served(
                    settings.console, health, lambda: known, say=note, hosts=known.console_hosts
                ),
                present(kafka, settings.topic_prefix, presence, note),
            ):
                await watch(
                    settings, kafka, wanted=options.mode, stopping=stopping, say=say,
                    progress=progress, intervals=PollIntervals(**every), presence=presence,
                )  # fmt: skip
        return 0

    return signals.run(work, stopped_status=0, patient=True)


def consume(options: Namespace) -> int:
    """Apply what the topics say, for ever or until all is applied."""
    settings = with_picture_store(load())
    kafka, database = kafka_of(settings, note), database_of(settings, note)
    every = names_of(table_topics=settings.table_topics)
    names = every if options.consumer == "all" else (options.consumer,)
    known = replace(settings, kafka=kafka, database_url=database)

    async def work(stopping: asyncio.Event) -> int:
        from console.cli.work_left import look_at, reporting
        from console.daemon.health import Health, of_consumers, of_postgres
        from console.daemon.http import served
        from consumers.app import consume as apply

        looks = look_at(names, kafka=kafka, prefix=settings.topic_prefix, database_url=database)
        reading = of_consumers(kafka, settings.topic_prefix, names)
        health = Health([reading, of_postgres(database)])
        address = None if options.drain else settings.console
        with shown("events") as progress:
            async with (
                served(address, health, lambda: known, say=note, hosts=known.console_hosts),
                reporting(looks, progress) if has_bars(sys.stderr) else nullcontext(),
            ):
                await apply(
                    names,
                    settings,
                    kafka=kafka,
                    database_url=database,
                    drain=options.drain,
                    stopping=stopping,
                    progress=_unseen if has_bars(sys.stderr) else adding_up(progress),
                )
        return 0

    return signals.run(work, stopped_status=1 if options.drain else 0, patient=True)


def of_all_files(report: ReportProgress) -> Callable[[int, int], None]:
    """Return a function that reports how many bytes of an export's files are read."""
    return lambda done, total: report("all files", done, total, "bytes")


def _unseen(_name: str, _records: int) -> None:
    """Report to nobody: bars tell what is left."""


def migrate(options: Namespace) -> int:
    """Bring the database to this version."""
    settings = load()
    say_line = note if options.json else say
    database = database_of(settings, say_line)

    async def work(_stopping: asyncio.Event) -> int:
        from consumers.engine.migrate import migrate as bring_up

        names = await bring_up(database, say=say_line)
        for name in names:
            say_line(f"migrated: {name}")
        say_line("the database is at this version")
        if options.json:
            print_document({"applied": list(names)})
        return 0

    return signals.run(work, stopped_status=1)


def _need_ftp(settings: Settings) -> None:
    """Refuse before any server is started."""
    if settings.ftp is None:
        raise UsageError(
            "PETSTREAM_FTP_URL: it isn't set; for example "
            "PETSTREAM_FTP_URL=ftp://apikey-KEY:PASSWORD@ftp.rescuegroups.org/"
        )
