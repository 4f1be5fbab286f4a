"""`purge`: deletes everything that came from the feed, as the API's terms ask at their end.

Rule 1: first it says what would go; then it asks for the words that confirm it. Other words, or
        none: status 2, and nothing is touched.
Rule 2: a place that can't be reached is reported, and the others are emptied: status 1 as long as
        something remains. Running it again resumes.
Rule 3: no server is made, and no table or topic, for the sake of being deleted.
"""

from __future__ import annotations

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.embedded.endpoints import with_picture_store
from console.runtime import signals
from console.runtime.output import note, print_document, say
from petstream.errors import PetstreamError, UsageError
from petstream.settings import Settings, load

if TYPE_CHECKING:
    from console.act.purge_targets import Locations, PurgeTarget


def arguments(parser: ArgumentParser) -> None:
    """Add what `purge` takes."""
    parser.add_argument(
        "--confirm", metavar="TEXT", help="the words it would ask for: 'purge ' and the prefix"
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON object on stdout; nothing is asked"
    )


def purge(options: Namespace) -> int:
    """Delete all that is held, once that is confirmed."""
    settings = load()
    words = f"purge {settings.topic_prefix}"
    if options.confirm is not None:
        check(options.confirm, words)
    locations = _locations(settings)
    targets: list[PurgeTarget] = []

    async def search(_stopping: asyncio.Event) -> int:
        from console.act.purge_targets import find_targets  # noqa: PLC0415  commands import what they need

        targets.extend(await find_targets(locations, datetime.now(UTC)))
        return 0

    if signals.run(search, stopped_status=1):
        return 1
    say_line = note if options.json else say
    for line in report(targets):
        say_line(line)
    deleted: list[str] = []
    if not any(target.delete for target in targets):
        status = _remaining(targets, say_line)
    elif options.json and options.confirm is None:
        note(f"nothing was deleted: to do it, add --confirm '{words}'")
        status = UsageError.exit_status
    else:
        if options.confirm is None:
            check(_typed_words(words), words)
        status = signals.run(
            lambda _: delete(targets, deleted, say_line), stopped_status=1, within_s=None
        )
    if options.json:
        print_document(purge_document(targets, deleted))
    return status


def purge_document(targets: Sequence[PurgeTarget], deleted: Sequence[str]) -> dict[str, Any]:
    """Return what there was, and what of it was deleted, as plain JSON types."""
    return {
        "targets": [
            {
                "name": target.name,
                "contents": list(target.contents),
                "error": target.error,
                "deleted": target.name in deleted,
            }
            for target in targets
        ]
    }


def check(text: str, words: str) -> None:
    """Make sure that these are the words.

    Raises:
        UsageError: they aren't.
    """
    if text.strip() != words:
        raise UsageError(f"that isn't {words!r}: nothing was deleted")


def report(targets: Sequence[PurgeTarget]) -> list[str]:
    """Return what would be deleted, in lines."""
    lines = []
    for target in targets:
        lines.append(f"{target.name}:")
        lines += [f"  {line}" for line in target.contents]
        if target.error:
            lines.append(f"  can't be looked at: {target.error}")
        elif not target.contents:
            lines.append("  nothing")
    return lines


async def delete(
    targets: Sequence[PurgeTarget],
    deleted: list[str] | None = None,
    say_line: Callable[[str], None] = say,
) -> int:
    """Delete every target that can be; say what was done and what remains. Return the status.

    Args:
        targets: what was found.
        deleted: takes the name of each that was deleted.
        say_line: takes a line of what was done.
    """
    from console.act.purge_targets import RunningError  # noqa: PLC0415  commands import what they need

    remaining = 0
    for target in targets:
        if target.delete is None:
            continue
        try:
            await target.delete()
        except RunningError:
            raise
        except PetstreamError as error:
            note(f"petstream: {error}")
            remaining += 1
        else:
            if deleted is not None:
                deleted.append(target.name)
            say_line(f"deleted: {target.name}")
    return max(_remaining(targets, say_line), 1 if remaining else 0)


def _remaining(targets: Sequence[PurgeTarget], say_line: Callable[[str], None]) -> int:
    unreachable = [target.name for target in targets if target.error]
    if unreachable:
        note(f"petstream: not looked at, and so not deleted: {'; '.join(unreachable)}")
        note("petstream: see to that, and run petstream purge again")
        return 1
    say_line("what purge can't reach (subscribers, backups, mirrors) is listed in docs/privacy.md")
    return 0


def _typed_words(words: str) -> str:
    say("This can't be undone. Nothing of petstream may run meanwhile, nor be started by cron.")
    if not sys.stdin.isatty():
        raise UsageError(f"nothing was deleted: to do it, add --confirm '{words}'")
    with suppress(EOFError):
        return input(f"To delete all of it, type {words!r}: ")
    return ""


def _locations(settings: Settings) -> Locations:
    """Return where to look; embedded servers are started if they ever were."""
    from console.act.purge_targets import Locations, PurgeTarget  # noqa: PLC0415  commands import what they need
    from console.embedded import servers  # noqa: PLC0415  the same

    data_dir, unavailable = settings.data_dir, []
    kafka, database = settings.kafka, settings.database_url
    if kafka is None and _was_there(data_dir, "kafka"):
        try:
            kafka = servers.ensure_kafka(data_dir, say=note)
        except PetstreamError as error:
            unavailable.append(PurgeTarget("the embedded Kafka", error=str(error)))
    if database is None and _was_there(data_dir, "postgres"):
        try:
            database = servers.ensure_postgres(data_dir, say=note)
        except PetstreamError as error:
            unavailable.append(PurgeTarget("the embedded Postgres", error=str(error)))
    pictures = with_picture_store(settings).pictures
    return Locations(
        prefix=settings.topic_prefix,
        archive=data_dir / "archive",
        kafka=kafka,
        database_url=database,
        pictures=None if pictures == "off" else pictures,
        unavailable=tuple(unavailable),
    )


def _was_there(data_dir: Path, name: str) -> bool:
    return (data_dir / f"{name}.json").exists()
