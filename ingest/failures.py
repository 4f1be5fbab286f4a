"""Exports that were looked at and couldn't be read: said in exports.v1, for `status` to show.

Rule 1: it is said as `failed` and marked `unread`: no file was read, so the next run owes nothing
        to it (a run that broke off makes the next one a scrub; this doesn't).
Rule 2: the same reason for the same export is said once.
Rule 3: nothing is said of an export that was completed: an old one put back stays what it was.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ingest.leadership.election import leading
from ingest.publish.lifecycle import export_record
from ingest.publish.publisher import Publisher
from ingest.run import Result, ingest
from ingest.source.arrival import start_stamp
from ingest.source.ftp import listing
from ingest.source.listing import export_set
from ingest.state.restore import fold_exports
from petstream import topics
from petstream.errors import NotReadyError, UnreachableError
from petstream.events import Counts, ExportCounts, ExportEvent, FileRead
from petstream.kafka.client import ensure_topics
from petstream.settings import KafkaAccess, Settings


async def looked_at(
    settings: Settings, kafka: KafkaAccess, *, say: Callable[[str], None], **options: Any
) -> Result:
    """Read the export on the server as `ingest` does (and raise what it raises), and say if not."""
    try:
        return await ingest(settings, kafka, say=say, **options)
    except NotReadyError as error:
        try:
            await tell_unread(settings, kafka, error)
        except UnreachableError as trouble:
            say(f"exports.v1 doesn't say that this export can't be read: {trouble}")
        raise


async def tell_unread(settings: Settings, kafka: KafkaAccess, error: NotReadyError) -> str | None:
    """Say that the export on the server can't be read, unless that was said; return its id.

    Args:
        settings: with `ftp` set.
        kafka: how to reach Kafka.
        error: what `ingest` raised.

    Raises:
        UnreachableError: the FTP server or Kafka is away.
    """
    if error.told or settings.ftp is None:
        return None
    files = export_set(await listing(settings.ftp))
    if not files.parts:
        return None  # there is nothing to name it by
    try:
        stamp = await start_stamp(settings.ftp, files)
    except NotReadyError:
        stamp = None  # the very file is broken
    start = stamp or files.newest_modified_at.replace(microsecond=0)
    await ensure_topics(kafka, settings.topic_prefix)
    memory = await fold_exports(kafka, settings.topic_prefix)
    export_id, base, _ = memory.identify(start, files.fingerprint, files.newest_modified_at)
    if export_id in memory.completed or memory.unread.get(export_id) == str(error):
        return None
    event = ExportEvent(
        export_id=export_id,
        mode=memory.choose("auto", base, settings.scrub).mode,
        state="failed",
        at=datetime.now(UTC).replace(microsecond=0),
        files=tuple(
            FileRead(part.name, part.remote.size_bytes, part.remote.modified_at, 0)
            for part in files.parts
        ),
        counts=ExportCounts(pets=Counts(), orgs=Counts()),
        reason=str(error),
        fingerprint=files.fingerprint,
        base=base,
        unread=True,
    )
    one = export_record(event)
    async with leading(kafka, settings.topic_prefix) as lead, Publisher(kafka, lead) as publisher:
        if export_id in (await fold_exports(kafka, settings.topic_prefix)).completed:
            return None  # while we waited for the lead
        name = topics.EXPORTS.full_name(settings.topic_prefix)
        await publisher.send(name, one.key, one.value, one.headers)
    return export_id
