"""The ingester put together: list the feed, restore what the topics hold, read one export.

Rule 1: it leads, and then restores its state from the topics, at the start of every run: what is
        known from the last, or was read before it led, counts for nothing.
Rule 2: a file that changes under us sends the run back to the listing, three times at the most.
Rule 3: an export that was completed with just these files costs a listing and nothing else, unless
        something is owed that reading it again pays.
Rule 4: an older export than the newest completed one isn't read, unless somebody wants it.
Rule 5: an export that is there and can't be read is published as a failed attempt.
Rule 6: what is kept of the topics beside the data may be damaged: it is thrown away, and the run
        begins again without.
Rule 7: before anything is published, the log is checked against the last completed export: what it
        lost is owed for (`ingest.state.debts`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, Self

from ingest import compiled
from ingest.assign import ReadRequest, assign, completed_before
from ingest.export import (
    Assignment,
    ExportContext,
    ExportRun,
    Outcome,
    Progress,
    RestoredState,
)
from ingest.failed_attempt import FailedAttempt, lead_and_publish, publish, unless_unreachable
from ingest.leadership.election import Leadership, leading
from ingest.metrics import stage
from ingest.parse.rows import assert_backend
from ingest.publish.debts import check_log
from ingest.publish.publisher import Publisher
from ingest.removals.held_plans import complete_decisions, expire
from ingest.source.archive import Archive
from ingest.source.archive_manifest import Manifest, archived_files, keep_manifest
from ingest.source.arrival import list_export, start_stamp
from ingest.source.ftp import FileChangedError
from ingest.source.leftovers import without_leftovers
from ingest.source.listing import ExportSet
from ingest.source.reader import ByteMeter, Reader, ReportBytes, from_ftp
from ingest.state import log_check
from ingest.state.checkpoint import Checkpoint, opened
from ingest.state.debts import Wanted
from ingest.state.export_history import ExportHistory
from ingest.state.restore import Ledgers, fold_exports, restore_ledgers
from ingest.state.spill_file import DamagedValuesError
from petstream.errors import NotReadyError, UsageError
from petstream.events import ExportEvent
from petstream.kafka.client import ensure_topics
from petstream.kafka.ground import require_ground
from petstream.kafka.kept import kept_connected
from petstream.setting_values import RemovalLimits
from petstream.settings import KafkaAccess, Settings

Say = Callable[[str], None]
_TRIES: Final = 3
_CHANGING: Final = (
    f"files changed {_TRIES} times while the export was read: it is still being written; run this "
    "again in some minutes"
)


class Result(NamedTuple):
    """What a run came to; `outcome` is None where there was nothing new to read."""

    export_id: str
    outcome: Outcome | None
    held: tuple[str, ...]

    @property
    def exit_status(self) -> int:
        """0 done, 4 done but removals are held."""
        return 4 if self.held else 0


@dataclass(frozen=True)
class IngestContext:
    """What every run depends on, whether its files come from FTP or from the archive."""

    kafka: KafkaAccess
    prefix: str
    data_dir: Path
    limits: RemovalLimits
    publish_contacts: bool
    progress: Progress
    say: Say
    report_bytes: ReportBytes = lambda _read, _total: None

    @classmethod
    def of(
        cls, settings: Settings, kafka: KafkaAccess, progress: Progress, say: Say,
        report_bytes: ReportBytes,
    ) -> Self:  # fmt: skip
        """Take from the settings what every run needs."""
        return cls(
            kafka=kafka,
            prefix=settings.topic_prefix,
            data_dir=settings.data_dir,
            limits=RemovalLimits(settings.removal_max_share, settings.removal_max_count),
            publish_contacts=settings.publish_contacts,
            progress=progress,
            say=say,
            report_bytes=report_bytes,
        )

    @property
    def archive(self) -> Archive:
        """The archive of raw files, whether or not anything is kept in it."""
        return Archive(self.data_dir / "archive")


async def ingest(  # noqa: PLR0913  the things a run depends on, each by name
    settings: Settings,
    kafka: KafkaAccess,
    *,
    wanted: Wanted = "auto",
    allow_older: bool = False,
    allow_growth: bool = False,
    progress: Progress = lambda _file, _rows: None,
    report_bytes: ReportBytes = lambda _read, _total: None,
    say: Say = lambda _line: None,
    publish_failure_if: Callable[[str], bool] = lambda _reason: True,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Result:
    """Read the export that is on the FTP account, once.

    Args:
        settings: with `ftp` set.
        kafka: how to reach Kafka.
        wanted: the mode, or ``auto``.
        allow_older: read an export that is older than the newest completed one.
        allow_growth: believe it, however many more pets or organisations it brings.
        progress: is called with each file's rows as they are read.
        report_bytes: is called with the bytes that are read so far, and with those of all files.
        say: takes one line for a person at a time.
        publish_failure_if: whether exports.v1 is to say that an export can't be read, for a reason.
        clock: tells the time, in UTC.

    Raises:
        NotReadyError: there is no whole export yet.
        UnreachableError: the FTP server or Kafka was away for too long.
        UsageError: ``PETSTREAM_FTP_URL`` isn't set.
    """
    assert_backend()
    if settings.ftp is None:
        raise UsageError(
            "PETSTREAM_FTP_URL: it isn't set; for example "
            "PETSTREAM_FTP_URL=ftp://apikey-KEY:PASSWORD@ftp.rescuegroups.org/"
        )
    context = IngestContext.of(settings, kafka, progress, say, report_bytes)
    request = ReadRequest(
        kafka=kafka,
        prefix=context.prefix,
        ftp=settings.ftp,
        settle_s=settings.settle_s,
        archive_days=settings.archive_days,
        scrub=settings.scrub,
        wanted=wanted,
        allow_older=allow_older,
        allow_growth=allow_growth,
        publish_failure_if=publish_failure_if,
        clock=clock,
        say=say,
    )
    for attempt in range(1, _TRIES + 1):
        try:
            async with kept_connected(kafka):
                return await _attempt(context, request, last=attempt == _TRIES)
        except FileChangedError as error:
            if attempt == _TRIES:
                raise NotReadyError(_CHANGING) from error
            say("a file changed while it was read: looking again")
        except DamagedValuesError as error:
            if attempt == _TRIES:
                raise
            say(f"{error}: looking again")
    raise AssertionError("the last try has returned or raised")


async def _attempt(context: IngestContext, request: ReadRequest, *, last: bool) -> Result:
    """List what is there; only where it is anything new, lead and read it."""
    with stage("listing"):
        listed = await list_export(request.ftp, request.settle_s, context.say, clock=request.clock)
    if listed.unready is not None:
        if listed.files.parts and request.publish_failure_if(listed.unready):
            await _publish_unsettled(context, request, listed.files, listed.unready)
        raise NotReadyError(listed.unready)
    await ensure_topics(context.kafka, context.prefix)
    await require_ground(context.kafka, context.prefix)
    history = await fold_exports(context.kafka, context.prefix)
    if not history.overdue(request.clock()) and not history.half_decided():
        completed = await completed_before(request, history, listed.files)
        if completed is not None:
            return _nothing_new(completed, history)
    async with leading(context.kafka, context.prefix, context.say) as lead:
        return await _read_export(context, request, listed.files, lead, last=last)


async def _read_export(
    context: IngestContext, request: ReadRequest, files: ExportSet, lead: Leadership, *, last: bool
) -> Result:
    kafka, prefix = context.kafka, context.prefix
    history = await fold_exports(kafka, prefix)
    await check_log(kafka, prefix, history, lead)
    await complete_decisions(kafka, prefix, history, lead)
    for plan_id in await expire(kafka, prefix, history, request.clock(), lead):
        context.say(f"{plan_id} has expired: nobody decided about it")
    completed = await completed_before(request, history, files)
    if completed is not None:
        return _nothing_new(completed, history)
    files = without_leftovers(files, history.completed.values())
    async with restored(context, history) as (ledgers, checkpoint):
        stamp = None
        try:
            stamp = await start_stamp(request.ftp, files, clock=request.clock)
            assignment = await assign(request, history, ledgers, files, stamp, lead)
        except NotReadyError as error:
            changed = isinstance(error, FileChangedError)
            reason = _CHANGING if changed else str(error)
            if (last or not changed) and request.publish_failure_if(reason):
                failed = FailedAttempt(files, stamp, reason, request.scrub)
                with unless_unreachable(context.say):
                    await publish(kafka, prefix, failed, history, lead)
            raise
        archive = context.archive if request.archive_days else None
        export_id = assignment.identity.export_id
        if archive is not None and not assignment.again:
            await keep_manifest(archive, _manifest(assignment))
        meter = ByteMeter(files.bytes_of(assignment.choice.mode), context.report_bytes)
        reader = Reader(from_ftp(request.ftp, meter), archive, export_id, context.say)
        state = RestoredState(history, ledgers)
        result = await carry_out(context, assignment, state, reader, lead, checkpoint)
        if archive is not None:
            await archive.prune(request.archive_days, request.clock())
        return result


def _nothing_new(completed: ExportEvent, history: ExportHistory) -> Result:
    """Return the result of an export that was completed before (rule 3)."""
    held = (plan for plan in history.held() if plan.event.export_id == completed.export_id)
    return Result(completed.export_id, None, tuple(plan.plan_id for plan in held))


async def _publish_unsettled(
    context: IngestContext, request: ReadRequest, files: ExportSet, reason: str
) -> None:
    """Publish that files are still being written; nobody leads for them so far."""
    with unless_unreachable(context.say):
        try:
            stamp = await start_stamp(request.ftp, files, clock=request.clock)
        except NotReadyError:
            stamp = None  # that file is broken or changes, too
        failed = FailedAttempt(files, stamp, reason, request.scrub)
        await ensure_topics(context.kafka, context.prefix)
        await lead_and_publish(context.kafka, context.prefix, failed)


@asynccontextmanager
async def restored(
    context: IngestContext, history: ExportHistory
) -> AsyncGenerator[tuple[Ledgers, Checkpoint]]:
    """Restore what the topics hold of pets and organisations, for as long as the block lasts."""
    with opened(context.data_dir, context.prefix) as checkpoint:
        with stage("folding"):
            ledgers = await restore_ledgers(
                context.kafka, context.prefix, history, checkpoint, context.say
            )
        try:
            yield ledgers, checkpoint
        except DamagedValuesError:
            checkpoint.discard()
            raise


async def carry_out(  # noqa: PLR0913, PLR0917  what a run is about, and what it goes on from
    context: IngestContext,
    assignment: Assignment,
    state: RestoredState,
    reader: Reader,
    lead: Leadership,
    checkpoint: Checkpoint,
) -> Result:
    """Read an export on top of what was restored; keep what the ledgers are by then."""
    ledgers = state.ledgers
    known = f"{len(ledgers.pets):,} pets and {len(ledgers.orgs):,} orgs known"
    context.say(f"export {assignment.identity.export_id}: {known}")
    if compiled.FORM.is_broken:
        context.say(f"{compiled.FORM.what}: run scripts/compile again")
    async with Publisher(context.kafka, lead) as publisher, aclosing(reader):
        run = ExportRun(
            assignment,
            state,
            ExportContext(
                reader=reader,
                publisher=publisher,
                find_lost=partial(log_check.lost_behind, context.kafka),
                progress=context.progress,
                prefix=context.prefix,
                limits=context.limits,
                publish_contacts=context.publish_contacts,
            ),
        )
        with stage("reading"):
            outcome = await run.run()
    kept = run.kept()
    if kept is not None:
        checkpoint.save(kept)
    return Result(outcome.export_id, outcome, outcome.held)


def _manifest(assignment: Assignment) -> Manifest:
    identity = assignment.identity
    return Manifest(
        identity.export_id,
        identity.base,
        identity.start,
        assignment.choice.mode,
        assignment.stamp,
        archived_files(assignment.files),
    )
