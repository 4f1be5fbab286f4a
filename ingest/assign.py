"""What is to be read, and how: decided under the lead, before an export is read.

Rule 1: an export that was completed with just these files isn't read again, unless something is
        owed that reading it again pays.
Rule 2: an older export than the newest completed one isn't read, nor one that is older than what
        the log holds; unless somebody wants it.
Rule 3: what is found to be owed is published before the run begins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ingest.export import Assignment
from ingest.leadership.election import Leadership
from ingest.publish.debts import record
from ingest.source.leftovers import without_leftovers
from ingest.source.listing import ExportSet, misfits, missing, refuse_incomplete
from ingest.state import debts, log_check
from ingest.state.debts import Offer, Wanted
from ingest.state.export_history import ExportHistory, start_of, started_at
from ingest.state.restore import Ledgers, fold_requests
from petstream.errors import NotReadyError
from petstream.events import ExportEvent
from petstream.settings import FtpUrl, KafkaAccess


@dataclass(frozen=True)
class ReadRequest:
    """Which export `ingest` is to read from which feed, and how."""

    kafka: KafkaAccess
    prefix: str

    ftp: FtpUrl
    settle_s: float
    archive_days: int
    scrub: str
    wanted: Wanted
    allow_older: bool
    allow_growth: bool
    publish_failure_if: Callable[[str], bool]
    clock: Callable[[], datetime]
    say: Callable[[str], None]

    def offer(self, files: ExportSet, start: datetime, stamp: datetime | None) -> Offer:
        """Return what the server offers: can all of the export be read now?"""
        whole = not (missing(files, "scrub") or misfits(files, "scrub", stamp))
        return Offer(start, files.fingerprint, whole)


async def completed_before(
    request: ReadRequest, history: ExportHistory, files: ExportSet
) -> ExportEvent | None:
    """Return when these files were completed, if nothing is left to do (rule 1); else None.

    Raises:
        NotReadyError: they were, but a newer export was completed since.
    """
    own = without_leftovers(files, history.completed.values())
    prints = {files.fingerprint, own.fingerprint}
    same = (event for event in history.completed.values() if event.fingerprint in prints)
    completed = max(same, key=lambda event: event.base, default=None)
    if completed is None or request.wanted != "auto":
        return None
    offer = request.offer(own, start_of(completed.export_id), None)
    asked = await _asked(request)
    owed = debts.debts_of(history, offer, scrub="", asked=asked)
    if owed and offer.whole:
        return None
    if not owed and await log_check.lost_since(request.kafka, history.last_completed):
        return None
    if not request.allow_older:
        _refuse_older(history, completed.export_id)
    return completed


async def _asked(request: ReadRequest) -> int:
    """Return the highest sequence that somebody asks for a snapshot above; 0: nobody does."""
    requests, now = await fold_requests(request.kafka, request.prefix), request.clock()
    for who in requests.unbelieved(now):
        request.say(f"{who!r} asks on requests.v1 for what lies more than 31 days ahead: ignored")
    return requests.highest(now)


async def assign(  # noqa: PLR0913, PLR0917  what a run is decided by
    request: ReadRequest,
    history: ExportHistory,
    ledgers: Ledgers,
    files: ExportSet,
    stamp: datetime | None,
    lead: Leadership,
) -> Assignment:
    """Decide what is to be read, and how; publish what was found to be owed.

    Raises:
        NotReadyError: the export isn't whole, or an older one was put back.
    """
    start = stamp or files.newest_modified_at.replace(microsecond=0)
    name = history.identify(start, files.fingerprint).export_id
    if not request.allow_older:
        _refuse_older(history, name)
        _refuse_before(history, ledgers, start)
    owed = debts.debts_of_fold(history, ledgers.late, ledgers.highest_base, name)
    for debt in owed:
        history.fold(debt)
    asked = await _asked(request)
    offer = request.offer(files, start, stamp)
    choice = debts.choose(history, request.wanted, offer, request.scrub, asked)
    if choice.unpaid is not None:
        owed += debts.unrecorded(history, offer, name)
    refuse_incomplete(files, choice.mode, stamp)
    identity = history.identify(
        start,
        files.fingerprint,
        restating=choice.restating,
        known_base=ledgers.highest_base,
        asked_base=debts.base_asked(asked) if choice.restating else -1,
        now=request.clock(),
    )
    await record(request.kafka, request.prefix, history, lead, owed)
    newest = history.newest
    pays = choice.restating or (request.wanted == "auto" and choice.mode != "daily")
    return Assignment(
        identity,
        choice,
        files,
        stamp,
        again=identity.export_id in history.completed and not pays,
        older=newest is not None and start < started_at(newest),
        allow_growth=request.allow_growth,
    )


def _refuse_older(history: ExportHistory, export_id: str) -> None:
    """Refuse an export that is older than the newest completed one (rule 2)."""
    newest = history.newest
    if newest is not None and start_of(export_id) < started_at(newest):
        raise NotReadyError(
            f"the export on the server started {export_id}, before {newest.export_id}, "
            "which was completed: an older one was put back; wait for the next, or read it "
            "with --allow-older"
        )


def _refuse_before(history: ExportHistory, ledgers: Ledgers, start: datetime) -> None:
    """Refuse an export that is older than what the log holds of pets and organisations (rule 2).

    (An export of which they hold, and that was named for a time to come, makes nothing older.)
    """
    if not ledgers.newest_start:
        return
    newest_start = datetime.fromisoformat(ledgers.newest_start)
    if start < newest_start and not history.names_ahead(newest_start):
        raise NotReadyError(
            f"the export on the server started {start:%Y-%m-%dT%H:%M:%SZ}, before that of "
            f"{ledgers.newest_start}, of which there are events: an older one was put back; wait "
            "for the next, or read it with --allow-older"
        )
