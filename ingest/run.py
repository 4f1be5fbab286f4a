"""The ingester put together: look at the feed, fold the topics, read one export.

Rule 1: it leads, and then folds the topics, at the start of every run: what is remembered from
        the last, or was read before it led, counts for nothing.
Rule 2: a file that changes under us sends the run back to the listing, three times at the most.
Rule 3: an export that was completed with just these files costs a listing and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import Final, NamedTuple

from ingest.completed import nothing_new, refuse_older
from ingest.export import ExportRun
from ingest.leadership.election import Leadership, leading
from ingest.metrics import stage
from ingest.parse.rows import assert_backend
from ingest.publish.publisher import Publisher
from ingest.removals.held_plans import expire
from ingest.run_types import Assignment, Outcome, Progress, State
from ingest.source.archive import Archive
from ingest.source.archive_manifest import keep_listing
from ingest.source.arrival import settled_export, start_stamp
from ingest.source.ftp import FileChangedError
from ingest.source.listing import ExportSet
from ingest.source.reader import Reader, from_ftp
from ingest.state.export_history import Choice, Memory, Wanted
from ingest.state.log_ends import end_offsets, lost_since
from ingest.state.restore import fold_exports, fold_ledgers
from ingest.state.spill_file import FileShelf
from petstream.errors import NotReadyError, UsageError
from petstream.kafka.client import ensure_topics
from petstream.settings import FtpUrl, KafkaAccess, Settings

Say = Callable[[str], None]
_TRIES: Final = 3


class Result(NamedTuple):
    """What a run came to; `outcome` is None where there was nothing new to read."""

    export_id: str
    outcome: Outcome | None
    held: tuple[str, ...]

    @property
    def exit_status(self) -> int:
        """0 done, 4 done but removals are held."""
        return 4 if self.held else 0


class _Order(NamedTuple):
    """What `ingest` was told to do, and by which means."""

    settings: Settings
    ftp: FtpUrl
    kafka: KafkaAccess
    wanted: Wanted
    allow_older: bool
    progress: Progress
    say: Say
    clock: Callable[[], datetime]


async def ingest(  # noqa: PLR0913  the six things a run depends on, each by name
    settings: Settings,
    kafka: KafkaAccess,
    *,
    wanted: Wanted = "auto",
    allow_older: bool = False,
    progress: Progress = lambda _file, _rows: None,
    say: Say = lambda _line: None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Result:
    """Read the export that is on the FTP account, once.

    Args:
        settings: with `ftp` set.
        kafka: how to reach Kafka.
        wanted: the mode, or ``auto``.
        allow_older: read an export that is older than the newest completed one.
        progress: is told each file's rows as they are read.
        say: takes one line for a person at a time.
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
    order = _Order(settings, settings.ftp, kafka, wanted, allow_older, progress, say, clock)
    for attempt in range(1, _TRIES + 1):
        try:
            return await _look(order)
        except FileChangedError as error:
            if attempt == _TRIES:
                changing = NotReadyError(
                    f"files changed {_TRIES} times while the export was read: it is still being "
                    "written; run this again in some minutes"
                )
                changing.told = error.told
                raise changing from error
            say("a file changed while it was read: looking again")
    raise AssertionError("the last try has returned or raised")


async def _look(order: _Order) -> Result:
    """Look at what is there; only where there is something to say, lead and read it."""
    settings, kafka, prefix = order.settings, order.kafka, order.settings.topic_prefix
    with stage("listing"):
        files = await settled_export(order.ftp, settings.settle_s, order.say)
    await ensure_topics(kafka, prefix)
    memory = await fold_exports(kafka, prefix)
    if not memory.overdue(order.clock()):
        known = await _known(order, memory, files)
        if known is not None:
            return known
    async with leading(kafka, prefix, order.say) as lead:
        return await _read_export(order, files, lead)


async def _known(order: _Order, memory: Memory, files: ExportSet) -> Result | None:
    """Return what there is to say of files that were completed before; None: read them."""
    done = await nothing_new(
        order.kafka, order.settings.topic_prefix, memory, files, order.wanted,
        allow_older=order.allow_older,
    )  # fmt: skip
    if done is None:
        return None
    return Result(done.export_id, None, _still_held(memory, done.export_id))


async def _read_export(order: _Order, files: ExportSet, lead: Leadership) -> Result:
    settings, kafka, prefix = order.settings, order.kafka, order.settings.topic_prefix
    memory = await fold_exports(kafka, prefix)
    for plan_id in await expire(kafka, prefix, memory, order.clock(), lead):
        order.say(f"{plan_id} has expired: nobody decided about it")
    known = await _known(order, memory, files)
    if known is not None:
        return known
    missed = await lost_since(kafka, prefix, memory.newest)
    stamp = await start_stamp(order.ftp, files)
    start = stamp or files.newest_modified_at.replace(microsecond=0)
    identity = memory.identify(start, files.fingerprint, files.newest_modified_at)
    if not order.allow_older:
        refuse_older(memory, identity.export_id, identity.base)
    choice = memory.choose(order.wanted, identity.base, settings.scrub)
    if missed and order.wanted == "auto":
        choice = Choice("scrub", missed)
    assignment = Assignment(
        identity,
        choice,
        stamp,
        again=identity.export_id in memory.completed and not missed,
        older=memory.newest is not None and identity.base < memory.newest.base,
    )
    archive = Archive(settings.data_dir / "archive") if settings.archive_days else None
    if archive is not None and not assignment.again:
        await keep_listing(archive, assignment, files)
    reader = Reader(from_ftp(order.ftp), archive, identity.export_id, order.say)
    result = await carry_out(
        settings, kafka, memory, assignment, files, reader, order.progress, order.say, lead
    )
    if archive is not None:
        await archive.prune(settings.archive_days, order.clock())
    return result


async def carry_out(  # noqa: PLR0913, PLR0917  all that a run depends on
    settings: Settings,
    kafka: KafkaAccess,
    memory: Memory,
    assignment: Assignment,
    files: ExportSet,
    reader: Reader,
    progress: Progress,
    say: Say,
    lead: Leadership,
) -> Result:
    """Fold the topics, and read an export on top of them."""
    prefix = settings.topic_prefix
    with closing(FileShelf(settings.data_dir)) as shelf:
        with stage("folding"):
            state = State(memory, *(await fold_ledgers(kafka, prefix, shelf, say)))
        known = f"{len(state.pets):,} pets and {len(state.orgs):,} orgs known"
        say(f"export {assignment.identity.export_id}: {known}")
        async with Publisher(kafka, lead) as publisher:
            run = ExportRun(
                assignment=assignment,
                files=files,
                state=state,
                reader=reader,
                publisher=publisher,
                settings=settings,
                measure=partial(end_offsets, kafka, prefix),
                progress=progress,
            )
            with stage("reading"):
                outcome = await run.run()
    return Result(outcome.export_id, outcome, outcome.held)


def _still_held(memory: Memory, export_id: str) -> tuple[str, ...]:
    return tuple(one.plan_id for one in memory.held() if one.event.export_id == export_id)
