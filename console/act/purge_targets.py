"""What `purge` deletes: what each location holds of the feed, and how it is deleted.

Rule 1: each location is searched and emptied by itself: an error in one doesn't stop the rest.
Rule 2: deleting twice is harmless, and an interrupted purge resumes: only what is still there is
        found.
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

from console.inspect.export_history import published_exports
from consumers.admin import purge
from ingest.source.archive import Archive
from ingest.state.checkpoint import directory_of, files_of
from petstream.errors import PetstreamError, UnreachableError
from petstream.kafka import admin
from petstream.kafka.client import KAFKA_ERRORS, answers
from petstream.kafka.groups import InUseError
from petstream.kafka.reader import read_topic
from petstream.postgres import url as postgres_url
from petstream.settings import KafkaAccess
from petstream.topics import EXPORTS

_UNDER_WAY: Final = timedelta(hours=2)
"""So long after it was started, an export that didn't end is believed to be read still."""


class RunningError(PetstreamError):
    """Something of ours is running: nothing may be deleted anywhere."""


@dataclass(frozen=True)
class PurgeTarget:
    """A location: what is in it, in words, and what deletes that; `error`: it can't be searched."""

    name: str
    contents: tuple[str, ...] = ()
    error: str | None = None
    delete: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True)
class Locations:
    """Where to look; None: there is, and was, no such location. `unavailable` ones don't start."""

    prefix: str
    archive: Path
    kafka: KafkaAccess | None = None
    database_url: str | None = None
    pictures: str | None = None
    unavailable: tuple[PurgeTarget, ...] = ()


async def find_targets(locations: Locations, now: datetime) -> list[PurgeTarget]:
    """Return what every location holds, in the order in which it is to be deleted.

    Raises:
        RunningError: something of ours is running.
    """
    targets = list(locations.unavailable)
    if locations.kafka is not None:
        targets.append(await _on_kafka(locations.kafka, locations.prefix, now))
    if locations.database_url is not None:
        targets.append(await _in_tables(locations.database_url))
    if locations.pictures is not None:
        targets.append(await _pictures(locations.pictures))
    targets.append(await _archived(locations.archive))
    targets.append(_kept(locations.archive.parent, locations.prefix))
    return targets


async def _on_kafka(access: KafkaAccess, prefix: str, now: datetime) -> PurgeTarget:
    name = f"Kafka at {access.bootstrap}"
    try:
        await answers(access)
        held = await purge.count_kafka(access, prefix)
        if EXPORTS.full_name(prefix) in held.records:
            await _check_no_export(access, prefix, now)
    except InUseError as error:
        raise _in_use(error) from None
    except KAFKA_ERRORS as error:
        return PurgeTarget(name, error=f"it went away ({type(error).__name__})")
    except UnreachableError as error:
        return PurgeTarget(name, error=str(error))
    lines = [f"topic {topic}: up to {count:,} records" for topic, count in held.records.items()]
    lines += [f"group {group}" for group in held.groups]

    async def delete() -> None:
        try:
            await purge.count_kafka(access, prefix)  # a person may have thought for long
            await admin.delete_topics(access, list(held.records))
            await admin.delete_groups(access, held.groups)
        except InUseError as error:
            raise _in_use(error) from None
        except KAFKA_ERRORS as error:
            raise UnreachableError(f"{name} went away ({type(error).__name__})") from None

    return PurgeTarget(name, tuple(lines), delete=delete if held else None)


def _in_use(error: InUseError) -> RunningError:
    return RunningError(
        f"nothing is deleted while the group {error} has members: stop petstream everywhere (up, "
        "ingest, consume, cron), then purge. Kafka forgets one that was killed within seconds"
    )


async def _check_no_export(access: KafkaAccess, prefix: str, now: datetime) -> None:
    """An ingester that waits is in no group: an export that was begun and hasn't ended shows it."""
    published = published_exports(await read_topic(access, EXPORTS.full_name(prefix)))
    for export in published.exports[-1:]:
        begun = export.started_at
        if export.ended_at is None and begun is not None and now - begun < _UNDER_WAY:
            raise RunningError(
                f"nothing is deleted while export {export.export_id} is being read (begun at "
                f"{begun:%H:%M} UTC): stop petstream ingest, or let it end. If it was killed, "
                f"purge after {begun + _UNDER_WAY:%H:%M} UTC, or run petstream ingest once more"
            )


async def _in_tables(url: str) -> PurgeTarget:
    parts = postgres_url.read(url)
    name = f"Postgres at {parts}, schema petstream of {parts.database or 'the database'}"
    try:
        held = await purge.count_schema(url)
    except PetstreamError as error:
        return PurgeTarget(name, error=str(error))
    lines = [f"table {table}: {count:,} rows" for table, count in held.rows.items()]
    if held.views:
        lines.append(f"{len(held.views)} views: {', '.join(held.views)}")
    lines += [f"view {view}, which isn't ours, but shows our tables" for view in held.dependents]
    if held and not lines:
        lines.append("the schema, which is empty")

    async def delete() -> None:
        await purge.drop_schema(url)

    return PurgeTarget(name, tuple(lines), delete=delete if held else None)


async def _pictures(url: str) -> PurgeTarget:
    name = f"pictures in {url}"
    try:
        files = await purge.count_pictures(url)
    except OSError as error:
        return PurgeTarget(name, error=_reason(error))

    async def delete() -> None:
        try:
            await purge.delete_pictures(url)
        except OSError as error:
            raise PetstreamError(f"{name}: {_reason(error)}") from None

    lines = (f"{files:,} files of pictures and thumbnails",) if files else ()
    return PurgeTarget(name, lines, delete=delete if files else None)


async def _archived(directory: Path) -> PurgeTarget:
    name = f"archive of raw files in {directory}"
    archive = Archive(directory)
    exports = await archive.exports()

    async def delete() -> None:
        try:
            await archive.prune(0, datetime.max.replace(tzinfo=UTC))
        except OSError as error:
            raise PetstreamError(f"{name}: {_reason(error)}") from None
        with suppress(OSError):  # something of somebody else is in it
            await asyncio.to_thread(directory.rmdir)

    lines = (f"{len(exports):,} exports",) if exports else ()
    return PurgeTarget(name, lines, delete=delete if exports else None)


def _kept(data_dir: Path, prefix: str) -> PurgeTarget:
    name = f"checkpoint of the topics in {directory_of(data_dir)}"
    files = files_of(data_dir, prefix)

    async def delete() -> None:
        try:
            for file in files:
                file.unlink(missing_ok=True)
        except OSError as error:
            raise PetstreamError(f"{name}: {_reason(error)}") from None
        with suppress(OSError):  # that of another prefix is in it
            await asyncio.to_thread(directory_of(data_dir).rmdir)

    lines = (f"{len(files):,} files",) if files else ()
    return PurgeTarget(name, lines, delete=delete if files else None)


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
