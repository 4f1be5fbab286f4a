"""Where petstream holds what came from the feed: what is there, and how it is deleted.

Rule 1: each place is looked at and emptied by itself: trouble with one keeps nobody from the rest.
Rule 2: deleting twice is harmless, and what was cut off goes on where it was: only what is still
        there is found.
Rule 3: nothing is deleted while one of our groups has members, or an export is being read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from console.inspect.export_history import tell
from console.inspect.kafka_reader import read_topic
from consumers.admin import purge_pictures, purge_tables, purge_topics
from consumers.admin.groups import InUseError
from consumers.engine.subscription import TROUBLE
from ingest.source.archive import Archive
from petstream.errors import PetstreamError, UnreachableError
from petstream.kafka.client import answers
from petstream.settings import KafkaAccess
from petstream.topics import EXPORTS

_UNDER_WAY: Final = timedelta(hours=2)
"""So long after it was started, an export that didn't end is believed to be read still."""


class RunningError(PetstreamError):
    """Something of ours is running: nothing may be deleted, in no place."""


@dataclass(frozen=True)
class Holding:
    """One place: what is in it, in words, and what empties it; `trouble`: it can't be looked at."""

    place: str
    found: tuple[str, ...] = ()
    trouble: str | None = None
    empty: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True)
class Places:
    """Where to look; None: there is, and was, no such place. `trouble`: they don't start."""

    prefix: str
    archive: Path
    kafka: KafkaAccess | None = None
    database_url: str | None = None
    pictures: str | None = None
    trouble: tuple[Holding, ...] = ()


async def survey(places: Places, now: datetime) -> list[Holding]:
    """Return what is held everywhere, in the order in which it is to be deleted.

    Raises:
        RunningError: something of ours is running.
    """
    found = list(places.trouble)
    if places.kafka is not None:
        found.append(await _on_kafka(places.kafka, places.prefix, now))
    if places.database_url is not None:
        found.append(await _in_tables(places.database_url))
    if places.pictures is not None:
        found.append(await _pictures(places.pictures))
    found.append(await _archived(places.archive))
    return found


async def _on_kafka(access: KafkaAccess, prefix: str, now: datetime) -> Holding:
    place = f"Kafka at {access.bootstrap}"
    try:
        await answers(access)
        held = await purge_topics.survey(access, prefix)
        if EXPORTS.full_name(prefix) in held.records:
            await _check_no_export(access, prefix, now)
    except InUseError as error:
        raise _in_use(error) from None
    except TROUBLE as error:
        return Holding(place, trouble=f"it went away ({type(error).__name__})")
    except UnreachableError as error:
        return Holding(place, trouble=str(error))
    lines = [f"topic {name}: up to {count:,} records" for name, count in held.records.items()]
    lines += [f"group {name}" for name in held.groups]

    async def empty() -> None:
        try:
            await purge_topics.survey(access, prefix)  # a person may have thought for long
            await purge_topics.delete_topics(access, list(held.records))
            await purge_topics.delete_groups(access, held.groups)
        except InUseError as error:
            raise _in_use(error) from None
        except TROUBLE as error:
            raise UnreachableError(f"{place} went away ({type(error).__name__})") from None

    return Holding(place, tuple(lines), empty=empty if held else None)


def _in_use(error: InUseError) -> RunningError:
    return RunningError(
        f"nothing is deleted while the group {error} has members: stop petstream everywhere (up, "
        "ingest, consume, cron), then purge. Kafka forgets one that was killed within seconds"
    )


async def _check_no_export(access: KafkaAccess, prefix: str, now: datetime) -> None:
    """An ingester that waits is in no group: an export that was begun and hasn't ended shows it."""
    for one in tell(await read_topic(access, EXPORTS.full_name(prefix))).exports[-1:]:
        begun = one.started_at
        if one.ended_at is None and begun is not None and now - begun < _UNDER_WAY:
            raise RunningError(
                f"nothing is deleted while export {one.export_id} is being read (begun at "
                f"{begun:%H:%M} UTC): stop petstream ingest, or let it end. If it was killed, "
                f"purge after {begun + _UNDER_WAY:%H:%M} UTC, or run petstream ingest once more"
            )


async def _in_tables(url: str) -> Holding:
    parts = urlsplit(url)
    place = f"Postgres at {parts.hostname or 'localhost'}, schema petstream of {parts.path[1:]}"
    try:
        held = await purge_tables.survey(url)
    except PetstreamError as error:
        return Holding(place, trouble=str(error))
    lines = [f"table {name}: {count:,} rows" for name, count in held.rows.items()]
    if held.views:
        lines.append(f"{len(held.views)} views: {', '.join(held.views)}")
    lines += [f"view {name}, which isn't ours, but shows our tables" for name in held.dependents]
    if held and not lines:
        lines.append("the schema, which is empty")

    async def empty() -> None:
        await purge_tables.drop(url)

    return Holding(place, tuple(lines), empty=empty if held else None)


async def _pictures(url: str) -> Holding:
    place = f"pictures in {url}"
    try:
        files = await purge_pictures.survey(url)
    except OSError as error:
        return Holding(place, trouble=_why(error))

    async def empty() -> None:
        try:
            await purge_pictures.empty(url)
        except OSError as error:
            raise PetstreamError(f"{place}: {_why(error)}") from None

    lines = (f"{files:,} files of pictures and thumbnails",) if files else ()
    return Holding(place, lines, empty=empty if files else None)


async def _archived(directory: Path) -> Holding:
    place = f"archive of raw files in {directory}"
    archive = Archive(directory)
    exports = await archive.exports()

    async def empty() -> None:
        try:
            await archive.prune(0, datetime.max.replace(tzinfo=UTC))
        except OSError as error:
            raise PetstreamError(f"{place}: {_why(error)}") from None
        with suppress(OSError):  # something of somebody else is in it
            await asyncio.to_thread(directory.rmdir)

    lines = (f"{len(exports):,} exports",) if exports else ()
    return Holding(place, lines, empty=empty if exports else None)


def _why(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
