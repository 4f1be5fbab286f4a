"""An export read once more, from the archive: into empty topics the same events with the same ids.

Rule 1: where the topics have it already, nothing new is said; a newer one stays on top of it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from ingest.leadership.election import Leadership, leading
from ingest.parse.rows import assert_backend
from ingest.run import Result, carry_out
from ingest.run_types import Progress
from ingest.source.archive import Archive
from ingest.source.archive_manifest import Listing, archived_listing
from ingest.source.listing import Part
from ingest.source.reader import Reader, Source
from ingest.state.restore import fold_exports
from petstream.kafka.client import ensure_topics
from petstream.settings import KafkaAccess, Settings


async def ingest_again(
    settings: Settings,
    kafka: KafkaAccess,
    export_id: str,
    *,
    progress: Progress = lambda _file, _rows: None,
    say: Callable[[str], None] = lambda _line: None,
) -> Result:
    """Read an archived export in the mode in which it was read first.

    Args:
        settings: where the archive is, and the rest of what a run needs but FTP.
        kafka: how to reach Kafka.
        export_id: as `petstream status` shows it.
        progress: is told each file's rows as they are read.
        say: takes one line for a person at a time.

    Raises:
        UsageError: the archive doesn't have it.
        NotReadyError: a file of it is missing or damaged there.
    """
    assert_backend()
    archive = Archive(settings.data_dir / "archive")
    listing = await archived_listing(archive, export_id)
    await ensure_topics(kafka, settings.topic_prefix)
    async with leading(kafka, settings.topic_prefix, say) as lead:
        return await _again(settings, kafka, archive, listing, progress, say, lead)


async def _again(  # noqa: PLR0913, PLR0917  `ingest_again`, leading
    settings: Settings,
    kafka: KafkaAccess,
    archive: Archive,
    listing: Listing,
    progress: Progress,
    say: Callable[[str], None],
    lead: Leadership,
) -> Result:
    export_id = listing.export_id
    memory = await fold_exports(kafka, settings.topic_prefix)
    newest = memory.newest
    assignment = listing.assignment(
        again=export_id in memory.completed,
        older=newest is not None and listing.base < newest.base,
    )
    reader = Reader(from_archive(archive, export_id), None, export_id, say)
    files = listing.export_set()
    return await carry_out(settings, kafka, memory, assignment, files, reader, progress, say, lead)


def from_archive(archive: Archive, export_id: str) -> Source:
    """Return the source that an archived export is."""

    def read(part: Part) -> AsyncGenerator[bytes, None]:
        return archive.read(export_id, part.name)

    return read
