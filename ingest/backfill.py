"""An export read once more, from the archive: into empty topics the same events with the same ids.

Rule 1: where the topics have it already, nothing new is published; a newer one stays on top of it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from ingest.export import Assignment, Progress, RestoredState
from ingest.leadership.election import leading
from ingest.parse.rows import assert_backend
from ingest.publish.debts import check_log
from ingest.run import IngestContext, Result, Say, carry_out, restored
from ingest.source.archive import Archive
from ingest.source.archive_manifest import Manifest, read_manifest
from ingest.source.listing import Part, refuse_incomplete
from ingest.source.reader import ByteMeter, Reader, ReportBytes, Source
from ingest.state.debts import Choice
from ingest.state.export_history import ExportHistory, Identity, started_at
from ingest.state.restore import fold_exports
from petstream.kafka.client import ensure_topics
from petstream.kafka.ground import require_ground
from petstream.settings import KafkaAccess, Settings


async def ingest_again(  # noqa: PLR0913  the things a run depends on, each by name
    settings: Settings,
    kafka: KafkaAccess,
    export_id: str,
    *,
    progress: Progress = lambda _file, _rows: None,
    report_bytes: ReportBytes = lambda _read, _total: None,
    say: Say = lambda _line: None,
) -> Result:
    """Read an archived export in the mode in which it was read first.

    Args:
        settings: where the archive is, and the rest of what a run needs but FTP.
        kafka: how to reach Kafka.
        export_id: as `petstream status` shows it.
        progress: is called with each file's rows as they are read.
        report_bytes: is called with the bytes that are read so far, and with those of all files.
        say: takes one line for a person at a time.

    Raises:
        UsageError: the archive doesn't have it.
        NotReadyError: a file of it is missing or damaged there.
    """
    assert_backend()
    context = IngestContext.of(settings, kafka, progress, say, report_bytes)
    manifest = await read_manifest(context.archive, export_id)
    meter = ByteMeter(manifest.export_set().bytes_of(manifest.mode), report_bytes)
    reader = Reader(from_archive(context.archive, export_id, meter), None, export_id, say)
    await ensure_topics(kafka, context.prefix)
    await require_ground(kafka, context.prefix)
    async with leading(kafka, context.prefix, say) as lead:
        history = await fold_exports(kafka, context.prefix)
        await check_log(kafka, context.prefix, history, lead)
        assignment = _assignment(manifest, history)
        refuse_incomplete(assignment.files, manifest.mode, manifest.stamp)
        async with restored(context, history) as (ledgers, checkpoint):
            state = RestoredState(history, ledgers)
            return await carry_out(context, assignment, state, reader, lead, checkpoint)


def _assignment(manifest: Manifest, history: ExportHistory) -> Assignment:
    newest = history.newest
    return Assignment(
        Identity(manifest.export_id, manifest.base, manifest.start),
        Choice(manifest.mode),
        manifest.export_set(),
        manifest.stamp,
        again=manifest.export_id in history.completed,
        older=newest is not None and manifest.start < started_at(newest),
    )


def from_archive(archive: Archive, export_id: str, meter: ByteMeter) -> Source:
    """Return the source that an archived export is; `meter` counts what is read of it."""

    def read(part: Part) -> AsyncGenerator[bytes, None]:
        return meter.counted(archive.read(export_id, part.name))

    return read
