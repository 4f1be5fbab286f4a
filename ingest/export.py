"""One export, from its listing to `export.completed`. Read this module first.

Rule 1: the order is: rows of organisations and pets, flush, petlist, gate, removals, flush,
        `completed`. Anything before `completed` may be done again, harmlessly.
Rule 2: nothing is removed unless every file of the set was whole and the gate has passed.
Rule 3: a broken or missing file ends the run with `export.failed`: what was published stays true.
Rule 4: `completed` comes only if the log still holds what was acknowledged: else the run ends as
        failed, and owes a snapshot.
Rule 5: a snapshot states each key again by its good row. What has none keeps what is held of it,
        and stands in `unstated`; it is stated at its next good row.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec import structs

from ingest.changes import gaps, schema_drift
from ingest.changes.comparison import BatchObserver, Comparison
from ingest.changes.event import ORGS, PETS, Facts, Kind
from ingest.changes.file_check import FileCheck
from ingest.changes.growth_check import GrowthCheck
from ingest.changes.schema_drift import SchemaDrift, Vocabulary
from ingest.publish.lifecycle import Lifecycle
from ingest.publish.publisher import Publisher
from ingest.publish.snapshot import Snapshots
from ingest.removals import decide
from ingest.removals.gate import ChangeRate
from ingest.removals.petlist import PetList
from ingest.source.listing import PET_FAMILIES, ExportSet, Part, misfits, missing
from ingest.source.reader import Reader
from ingest.state import log_check
from ingest.state.checkpoint import KeptLedgers
from ingest.state.debts import Choice
from ingest.state.export_history import ExportHistory, Identity
from ingest.state.ledger import Ledger
from ingest.state.restore import Ledgers, kept_of
from petstream import failpoints
from petstream.errors import LostRecordsError, NotReadyError
from petstream.events import Drift, ExportCounts, ExportEvent, ExportState, FileRead, LogEnd, Mode
from petstream.kafka.records import TopicPartition
from petstream.sequence import Family
from petstream.setting_values import RemovalLimits

Progress = Callable[[str, int], None]
"""Is called with a file's logical name and how many of its rows were read so far."""


FindLost = Callable[[Mapping[TopicPartition, LogEnd]], Awaitable[list[TopicPartition]]]
"""Gives the partitions in which the record before a position isn't there any more."""


class Assignment(NamedTuple):
    """What a run is to read, and how: decided before it begins."""

    identity: Identity
    choice: Choice
    files: ExportSet
    stamp: datetime | None
    """The export's own start stamp, if it is believed."""
    again: bool = False
    """It was completed before: nothing is published unless there is news."""
    older: bool = False
    """A newer one was completed: nobody is removed for this one."""
    allow_growth: bool = False
    """A person says that the feed has grown beyond any day's measure."""

    def notes(self) -> list[str]:
        """Return what is unusual before anything is read."""
        notes = [] if self.choice.why is None else [self.choice.why]
        if self.stamp is None:
            notes.append(
                "orgs_1.json has no start stamp to believe: named by the newest file's time"
            )
        return [*notes, *self.files.doubts()]


class RestoredState(NamedTuple):
    """What was restored from the topics before the run."""

    history: ExportHistory
    ledgers: Ledgers


@dataclass(frozen=True)
class ExportContext:
    """Where a run reads and publishes, and within which limits."""

    reader: Reader
    publisher: Publisher
    find_lost: FindLost
    progress: Progress
    prefix: str
    limits: RemovalLimits
    publish_contacts: bool


class Restated(NamedTuple):
    """How many rows were published again, though they hadn't changed."""

    pets: int = 0
    orgs: int = 0


class Outcome(NamedTuple):
    """What became of an export; `held` names the plans that wait for a person."""

    export_id: str
    mode: Mode
    counts: ExportCounts
    held: tuple[str, ...]
    notes: tuple[str, ...]
    restated: Restated = Restated()


class _Observed(NamedTuple):
    """The comparison of pets or organisations, and what observes it."""

    comparison: Comparison
    drift: SchemaDrift
    check: FileCheck


class ExportRun:
    """The run of one export; `run` once."""

    def __init__(
        self, assignment: Assignment, state: RestoredState, context: ExportContext
    ) -> None:
        """Prepare a run; nothing happens yet."""
        self._assignment, self._files = assignment, assignment.files
        self._context, self._reader = context, context.reader
        self._history = history = state.history
        identity, self._mode = assignment.identity, assignment.choice.mode
        facts = Facts(
            identity.export_id, identity.base, identity.start, self._mode, context.publish_contacts
        )
        begun = identity.export_id in history.started
        self._ledgers = state.ledgers
        pets, orgs = state.ledgers.pets, state.ledgers.orgs
        self._change_rate = ChangeRate(pets, identity.base, read_before=begun)
        self._snapshots = Snapshots(history, identity.base, assignment.choice)
        # what the log has lost grows back at once
        counts = (
            []
            if assignment.choice.restating
            else [event.counts for event in history.completed.values()]
        )
        most_pets = max((each.pets.read for each in counts), default=0)
        most_orgs = max((each.orgs.read for each in counts), default=0)
        allowed = assignment.allow_growth
        new_pets = GrowthCheck(pets, PETS.plural, most_read=most_pets, allowed=allowed)
        new_orgs = GrowthCheck(orgs, ORGS.plural, most_read=most_orgs, allowed=allowed)
        below, vocabulary = self._snapshots.below, history.vocabulary
        self._pets = _observed(PETS, pets, facts, below, vocabulary, self._change_rate, new_pets)
        self._orgs = _observed(ORGS, orgs, facts, below, {}, new_orgs)
        self._read: list[FileRead] = []
        self._notes = assignment.notes()
        self._petlist_digest: str | None = None
        self._petlist_ids: AbstractSet[int] = frozenset()
        self._believed = False
        self._read_whole = self._mode != "daily"
        self._lifecycle = Lifecycle(
            context.publisher,
            context.prefix,
            self._event,
            history.take_sequence,
            quiet=assignment.again,
            failed_before=(identity.export_id, assignment.files.fingerprint) in history.failed,
        )

    async def run(self) -> Outcome:
        """Read the export, publish what changed, and complete it.

        Raises:
            NotReadyError: a file is broken or changed; nothing was completed or removed.
        """
        await self._lifecycle.start()
        try:
            held = await self._read_and_publish()
        except (NotReadyError, LostRecordsError) as error:
            if self._lifecycle.announced:
                await self._lifecycle.announce("failed", str(error))
                await self._lifecycle.flush()
            raise
        export_id, notes = self._assignment.identity.export_id, tuple(self._notes)
        restated = Restated(self._pets.comparison.restated, self._orgs.comparison.restated)
        return Outcome(export_id, self._mode, self._counts(), held, notes, restated)

    def kept(self) -> KeptLedgers | None:
        """Return what the ledgers have come to, once it's completed; None: it isn't clear."""
        start, doubtful = self._assignment.identity.start, self._context.publisher.log_ends.doubtful
        done = self._lifecycle.has_news  # and `run` has returned
        return kept_of(self._ledgers, self._log_ends(), start, doubtful) if done else None

    async def _read_and_publish(self) -> tuple[str, ...]:
        self._context.publisher.log_ends.begin(self._ledgers.ends)
        await self._republish_stale()
        await self._read_families(self._orgs, "orgs")
        await self._read_families(self._pets, *PET_FAMILIES[self._mode])
        petlist_file = await decide.find_petlist(self._reader, self._files, self._mode)
        petlist = petlist_file.petlist
        self._read.extend(petlist_file.read)
        if petlist is not None:
            self._petlist_digest, self._petlist_ids = petlist.digest, petlist.ids
        if self._mode == "daily" and petlist is not None and not petlist_file.problems:
            await self._fill_gaps(petlist)
        self._notes.extend(schema_drift.notes(self._drift(), first=not self._history.vocabulary))
        pets, orgs = self._pets, self._orgs
        odd = (self._reader.odd, pets.comparison.odd, orgs.comparison.odd)
        self._notes.extend(schema_drift.oddities(*odd, pets.drift.odd, orgs.drift.odd))
        await self._reader.settled()  # what is completed is never read, nor archived, again
        await self._lifecycle.flush()
        failpoints.point("ingest.rows.flushed")
        held = await self._decide_removals(petlist_file)
        self._note_restated()
        await self._lifecycle.flush()  # removals first: `completed` says that they are there
        failpoints.point("ingest.removals.flushed")
        if self._lifecycle.has_news:
            await self._check_log()
            failpoints.point("ingest.completed.before")
            await self._lifecycle.complete()
            failpoints.point("ingest.completed.sent")
            await self._lifecycle.flush()
            failpoints.point("ingest.completed.flushed")
        return held

    def _note_restated(self) -> None:
        for kind in (self._pets.comparison, self._orgs.comparison):
            if kind.restated:
                self._notes.append(f"{kind.restated:,} {kind.kind.plural} were stated again")
        if self._assignment.choice.restating and not self._believed:
            self._notes.append(
                "the snapshot isn't announced: who left isn't settled; a later export does it"
            )

    async def _check_log(self) -> None:
        """See that the log holds what was acknowledged (rule 4).

        Raises:
            LostRecordsError: it doesn't.
        """
        doubtful = [dict([position]) for position in self._context.publisher.log_ends.doubtful]
        for positions in (*doubtful, self._log_ends()):
            lost = await self._context.find_lost(positions)
            if lost:
                identity = self._assignment.identity
                when = f"while {identity.export_id} was read"
                debt = log_check.loss(identity.export_id, identity.base, lost, when)
                await self._lifecycle.record_debt(debt)
                raise LostRecordsError(f"{debt.reason}: every key is stated again by the next run")

    def _log_ends(self) -> dict[TopicPartition, LogEnd]:
        """Return where the topics of pets and organisations end, as far as we know."""
        ours = frozenset(kind.topic.full_name(self._context.prefix) for kind in (PETS, ORGS))
        return self._context.publisher.log_ends.of(ours)

    async def _republish_stale(self) -> None:
        """Publish again what an older event was appended behind: the last record must be newest."""
        for comparison in (self._orgs.comparison, self._pets.comparison):
            for key in sorted(comparison.ledger.stale):
                await self._lifecycle.publish_changes(comparison.kind, [comparison.again(key)])
            comparison.ledger.stale.clear()

    async def _read_families(self, observed: _Observed, *families: Family) -> None:
        for family in families:
            for part in self._files.of(family):
                await self._read_part(observed, family, part)

    async def _read_part(self, observed: _Observed, family: Family, part: Part) -> None:
        comparison, check = observed.comparison, observed.check
        check.begin(part)
        async for rows in self._reader.rows(part):
            batch = comparison.compare(rows, family, part.name)
            await self._lifecycle.publish_changes(comparison.kind, batch.publications)
            await self._lifecycle.publish_refused(
                batch.refused, self._assignment.identity.export_id
            )
            self._context.progress(part.name, check.rows)
        check.end()
        remote = part.remote
        self._read.append(FileRead(part.name, remote.size_bytes, remote.modified_at, check.rows))

    async def _fill_gaps(self, petlist: PetList) -> None:
        """Read pets_n too, if the petlist names pets that we don't hold: something was missed."""
        listed = self._pets.comparison.ledger.listed()
        unknown = gaps.to_look_for(petlist.ids, listed, self._lacked())
        if not unknown:
            return
        stamp = self._assignment.stamp
        unreadable = missing(self._files, "scrub") or misfits(self._files, "scrub", stamp)
        if unreadable:
            self._notes.append(f"{len(unknown):,} pets of the petlist are unknown; {unreadable[0]}")
            return
        self._notes.append(
            f"{len(unknown):,} pets of the petlist were unknown: pets_n was read as well"
        )
        await self._read_families(self._pets, "pets")
        self._read_whole = True

    def _lacked(self) -> tuple[int, ...]:
        """Return the ids of which the last whole read had no good row."""
        last = self._history.last_completed
        return last.lacking if last is not None and isinstance(last.lacking, tuple) else ()

    async def _decide_removals(self, petlist_file: decide.PetlistFile) -> tuple[str, ...]:
        identity, history = self._assignment.identity, self._history
        rate_problems = self._change_rate.problems() if history.completed else []
        self._notes.extend(f"warning: {problem}" for problem in rate_problems)
        if self._assignment.older:
            self._notes.append("a newer export was completed: nobody is removed for this one")
            return ()
        evidence = decide.gather_evidence(petlist_file, rate_problems, history, identity)
        judged = decide.judge_removals(
            self._pets.comparison, self._orgs.comparison, evidence, self._context.limits
        )
        settled = await decide.settle(self._lifecycle, judged, history)
        self._notes.extend(settled.notes)
        self._believed = all(kind.decision.reason is None for kind in judged)
        if self._lifecycle.has_news:
            await decide.supersede(self._lifecycle, history, identity)
        return settled.held

    def _drift(self) -> Drift | None:
        return schema_drift.together(self._pets.drift.drift(), self._orgs.drift.drift())

    def _event(self, state: ExportState, reason: str | None = None) -> ExportEvent:
        event = self._base_event(state, reason)
        if state != "completed":
            return event
        ends = {str(partition): end for partition, end in self._log_ends().items()}
        pets, orgs = self._pets.comparison, self._orgs.comparison
        announced = self._snapshots.announced(
            pets, orgs, self._petlist_ids, believed=self._believed
        )
        return structs.replace(
            event,
            end_offsets={name: end.offset for name, end in ends.items()},
            ends=ends,
            fold_ends={str(at): end.offset for at, end in sorted(self._ledgers.ends.items())},
            drift=self._drift(),
            restated=announced.restated,
            snapshot=announced.snapshot,
            unstated=announced.unstated,
            lacking=self._lacking(),
        )

    def _lacking(self) -> tuple[int, ...]:
        """Return the ids that ask for no other whole read; without a petlist, the last ones."""
        if self._petlist_digest is None:
            return self._lacked()
        listed = self._pets.comparison.ledger.listed()
        return gaps.lacking(self._petlist_ids, listed, self._lacked(), read_whole=self._read_whole)

    def _base_event(self, state: ExportState, reason: str | None) -> ExportEvent:
        return ExportEvent(
            export_id=self._assignment.identity.export_id,
            mode=self._mode,
            state=state,
            at=datetime.now(UTC).replace(microsecond=0),
            files=tuple(self._read),
            counts=self._counts(),
            reason=reason,
            fingerprint=self._files.fingerprint,
            base=self._assignment.identity.base,
            notes=tuple(self._notes),
            petlist_digest=self._petlist_digest,
            restated=self._snapshots.own,
        )

    def _counts(self) -> ExportCounts:
        pets, orgs = self._pets.comparison.counts, self._orgs.comparison.counts
        return ExportCounts(pets=structs.replace(pets), orgs=structs.replace(orgs))


def _observed(
    kind: Kind,
    ledger: Ledger,
    facts: Facts,
    restate_below: int,
    vocabulary: Vocabulary,
    *observers: BatchObserver,
) -> _Observed:
    drift = SchemaDrift(kind.type, vocabulary)
    check = FileCheck(drift)
    comparison = Comparison(
        kind,
        ledger,
        facts,
        restate_below=restate_below,
        row_observers=(drift,),
        batch_observers=(check, *observers),
    )
    return _Observed(comparison, drift, check)
