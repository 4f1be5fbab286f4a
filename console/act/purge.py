"""`purge`: everything that came from the feed is deleted, as the API's terms ask at their end.

Rule 1: first it says what would go; then it wants the words that name it. Other words, or none:
        status 2, and nothing is touched.
Rule 2: a place that can't be reached is told, and the others are emptied: status 1 as long as
        something remains. Running it again goes on where it was.
Rule 3: no server is made, and no table or topic, for the sake of being deleted.
"""

from __future__ import annotations

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from console.embedded import servers
from console.embedded.endpoints import with_picture_store
from console.runtime import signals
from console.runtime.output import note, say
from petstream.errors import PetstreamError, UsageError
from petstream.settings import KafkaAccess, Settings, load

if TYPE_CHECKING:
    from console.act.purge_targets import Holding, Places


def arguments(one: ArgumentParser) -> None:
    """Add what `purge` takes."""
    one.add_argument(
        "--confirm", metavar="TEXT", help="the words it would ask for: 'purge ' and the prefix"
    )


def purge(options: Namespace) -> int:
    """Delete all that is held, once that is confirmed."""
    settings = load()
    words = f"purge {settings.topic_prefix}"
    if options.confirm is not None:
        check(options.confirm, words)
    places = _places(settings)
    found: list[Holding] = []

    async def look(_stopping: asyncio.Event) -> int:
        from console.act.purge_targets import survey  # noqa: PLC0415  commands import what they need

        found.extend(await survey(places, datetime.now(UTC)))
        return 0

    if signals.run(look, stopped_status=1):
        return 1
    for line in told(found):
        say(line)
    if any(one.empty for one in found):
        if options.confirm is None:
            check(_asked(words), words)
        return signals.run(lambda _: delete(found), stopped_status=1, within_s=None)
    return _remaining(found)


def check(text: str, words: str) -> None:
    """Make sure that these are the words.

    Raises:
        UsageError: they aren't.
    """
    if text.strip() != words:
        raise UsageError(f"that isn't {words!r}: nothing was deleted")


def told(found: Sequence[Holding]) -> list[str]:
    """Return what is held, in lines."""
    lines = []
    for one in found:
        lines.append(f"{one.place}:")
        lines += [f"  {line}" for line in one.found]
        if one.trouble:
            lines.append(f"  can't be looked at: {one.trouble}")
        elif not one.found:
            lines.append("  nothing")
    return lines


async def delete(found: Sequence[Holding]) -> int:
    """Empty every place that can be; say what was done and what remains. Return the status."""
    from console.act.purge_targets import RunningError  # noqa: PLC0415  commands import what they need

    remaining = 0
    for one in found:
        if one.empty is None:
            continue
        try:
            await one.empty()
        except RunningError:
            raise
        except PetstreamError as error:
            note(f"petstream: {error}")
            remaining += 1
        else:
            say(f"deleted: {one.place}")
    return max(_remaining(found), 1 if remaining else 0)


def _remaining(found: Sequence[Holding]) -> int:
    trouble = [one.place for one in found if one.trouble]
    if trouble:
        note(f"petstream: not looked at, and so not deleted: {'; '.join(trouble)}")
        note("petstream: see to that, and run petstream purge again")
        return 1
    say("what purge can't reach (subscribers, backups, mirrors) is listed in docs/privacy.md")
    return 0


def _asked(words: str) -> str:
    say("This can't be undone. Nothing of petstream may run meanwhile, nor be started by cron.")
    if not sys.stdin.isatty():
        raise UsageError(f"nothing was deleted: to do it, add --confirm '{words}'")
    with suppress(EOFError):
        return input(f"To delete all of it, type {words!r}: ")
    return ""


def _places(settings: Settings) -> Places:
    """Return where to look; servers of ours are started where they once were."""
    from console.act.purge_targets import Holding, Places  # noqa: PLC0415  commands import what they need

    data_dir, trouble = settings.data_dir, []
    kafka, database = settings.kafka, settings.database_url
    if kafka is None and _was_there(data_dir, "kafka"):
        try:
            kafka = KafkaAccess(servers.ensure_kafka(data_dir, say=note))
        except PetstreamError as error:
            trouble.append(Holding("the embedded Kafka", trouble=str(error)))
    if database is None and _was_there(data_dir, "postgres"):
        try:
            database = servers.ensure_postgres(data_dir, say=note)
        except PetstreamError as error:
            trouble.append(Holding("the embedded Postgres", trouble=str(error)))
    pictures = with_picture_store(settings).pictures
    return Places(
        prefix=settings.topic_prefix,
        archive=data_dir / "archive",
        kafka=kafka,
        database_url=database,
        pictures=None if pictures == "off" else pictures,
        trouble=tuple(trouble),
    )


def _was_there(data_dir: Path, name: str) -> bool:
    return (data_dir / f"{name}.json").exists()
