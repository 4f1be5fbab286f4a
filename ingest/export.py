"""One export, from its listing to `export.completed`. Read this module first.

Rule 1: the order is: rows of organisations and pets, flush, petlist, gate, removals, flush,
        `completed`. Anything before `completed` may be done again, harmlessly.
Rule 2: nothing is removed unless every file of the set was whole and the gate has passed.
Rule 3: a broken or missing file ends the run with `export.failed`: what was published stays true.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from contracts import crashes
from contracts.errors import BrokenFileError, NotReadyError, PetstreamError
from contracts.events import Counts, ExportCounts, ExportEvent, ExportState, FileRead, Mode
from contracts.sequence import Family
from contracts.settings import Settings
from ingest import departures
from ingest.comparison import Comparison
from ingest.feed import ExportSet, Part, missing
from ingest.gate import Limits, too_many_bad
from ingest.herald import Herald
from ingest.memory import Identity
from ingest.outcome import Outcome, Progress, State
from ingest.petlist import PetList, problems, read_petlist
from ingest.publication import ORGS, PETS, Facts
from ingest.publisher import Publisher
from ingest.reading import Reader

_LARGEST_PETLIST_BYTES: Final = 64 * 1024 * 1024


class ExportRun:
    """The run of one export; `run` once."""

    def __init__(  # noqa: PLR0913  the six things a run is made of, each by name
        self,
        *,
        identity: Identity,
        mode: Mode,
        files: ExportSet,
        state: State,
        reader: Reader,
        publisher: Publisher,
        settings: Settings,
        progress: Progress,
    ) -> None:
        """Prepare a run; nothing happens yet."""
        self._identity, self._mode, self._files = identity, mode, files
        self._state, self._reader, self._publisher = state, reader, publisher
        self._settings, self._progress = settings, progress
        facts = Facts(
            identity.export_id, identity.base, identity.start, mode, settings.publish_contacts
        )
        self._pets = Comparison(PETS, state.pets, facts)
        self._orgs = Comparison(ORGS, state.orgs, facts)
        self._read: list[FileRead] = []
        self._notes: list[str] = []
        again = identity.export_id in state.memory.completed
        self._herald = Herald(publisher, settings.topic_prefix, self._event, quiet=again)

    async def run(self) -> Outcome:
        """Read the export, publish what changed, and complete it.

        Raises:
            NotReadyError: the export isn't whole; nothing was completed or removed.
        """
        lacking = missing(self._files, self._mode)
        if lacking:
            raise NotReadyError("the export isn't ready: " + "; ".join(lacking))
        if not self._herald.quiet:
            await self._herald.announce("started")
        try:
            held = await self._everything()
        except PetstreamError as error:
            if self._herald.announced and isinstance(error, NotReadyError):
                await self._herald.announce("failed", str(error))
                await self._herald.flush()
            raise
        return Outcome(
            self._identity.export_id, self._mode, self._counts(), held, tuple(self._notes)
        )

    async def _everything(self) -> tuple[str, ...]:
        await self._mend()
        await self._families(self._orgs, "orgs")
        if self._mode == "daily":
            await self._families(self._pets, "updatedpets", "newpets")
        else:
            await self._families(self._pets, "pets")
        petlist, wrong = await self._petlist()
        if self._mode == "daily" and petlist is not None and not wrong:
            await self._fill_gaps(petlist)
        await self._herald.flush()
        crashes.point("ingest.rows.flushed")
        held = await self._removals(petlist, wrong)
        await self._herald.flush()  # removals first: `completed` says that they are there
        crashes.point("ingest.removals.flushed")
        if self._herald.announced:
            crashes.point("ingest.completed.before")
            await self._herald.announce("completed")
            crashes.point("ingest.completed.sent")
            await self._herald.flush()
            crashes.point("ingest.completed.flushed")
        return held

    async def _mend(self) -> None:
        """Publish again what an older event was appended behind: the last record must be newest."""
        for comparison in (self._orgs, self._pets):
            for key in sorted(comparison.ledger.stale):
                await self._herald.changes(comparison.kind, [comparison.again(key)])
            comparison.ledger.stale.clear()

    async def _families(self, comparison: Comparison, *families: Family) -> None:
        for family in families:
            for part in self._files.of(family):
                await self._part(comparison, family, part)

    async def _part(self, comparison: Comparison, family: Family, part: Part) -> None:
        rows, bad = 0, 0
        async for batch in self._reader.rows(part):
            publications, refused = comparison.compare(batch, family, part.name)
            rows, bad = rows + len(batch), bad + len(refused)
            await self._herald.changes(comparison.kind, publications)
            if too_many_bad(bad, rows, at_end=False):
                raise _too_many(part, bad, rows)
            await self._herald.set_aside(refused, self._identity.export_id)
            self._progress(part.name, rows)
        if too_many_bad(bad, rows, at_end=True):
            raise _too_many(part, bad, rows)
        self._read.append(
            FileRead(part.name, part.remote.size_bytes, part.remote.modified_at, rows)
        )

    async def _petlist(self) -> tuple[PetList | None, list[str]]:
        part = self._files.petlist
        if part is None:
            return None, ["petlist.csv is missing"]
        try:
            data = await self._reader.whole(part, most_bytes=_LARGEST_PETLIST_BYTES)
        except BrokenFileError as error:
            return None, [str(error)]
        petlist = read_petlist(data)
        self._read.append(FileRead(part.name, len(data), part.remote.modified_at, petlist.rows))
        return petlist, problems(petlist)

    async def _fill_gaps(self, petlist: PetList) -> None:
        """Read pets_n too, if the petlist names pets that we don't hold: something was missed."""
        unknown = petlist.ids.difference(self._pets.ledger.listed())
        if not unknown:
            return
        gaps = missing(self._files, "scrub")
        if gaps:
            self._notes.append(f"{len(unknown):,} pets of the petlist are unknown; " + gaps[0])
            return
        self._notes.append(
            f"{len(unknown):,} pets of the petlist were unknown: pets_n was read as well"
        )
        await self._families(self._pets, "pets")

    async def _removals(self, petlist: PetList | None, wrong: list[str]) -> tuple[str, ...]:
        limits = Limits(self._settings.removal_max_share, self._settings.removal_max_count)
        verdicts = (
            (self._pets, departures.judge_pets(self._pets, petlist, wrong, limits)),
            (self._orgs, departures.judge_organizations(self._orgs, limits)),
        )
        held: list[str] = []
        memory = self._state.memory
        for comparison, verdict in verdicts:
            if verdict.contradictions:
                self._notes.append(
                    f"{verdict.contradictions:,} {comparison.kind.plural} are in the files "
                    "but not in the petlist: they stay"
                )
            if verdict.reason is None:
                base = self._identity.base
                await departures.publish_removals(self._herald, comparison, verdict, base)
            elif verdict.removals or comparison.kind is PETS:
                event = self._event("held", verdict.reason)
                plan = await departures.hold(self._herald, comparison, verdict, event, memory)
                held.extend(() if plan is None else (plan,))
                self._notes.append(
                    f"removals of {comparison.kind.plural} are held: {verdict.reason}"
                )
        if self._herald.announced:
            await departures.supersede(self._herald, memory, self._identity)
        return tuple(held)

    def _event(self, state: ExportState, reason: str | None = None) -> ExportEvent:
        return ExportEvent(
            export_id=self._identity.export_id,
            mode=self._mode,
            state=state,
            at=datetime.now(UTC).replace(microsecond=0),
            files=tuple(self._read),
            counts=self._counts(),
            reason=reason,
            fingerprint=self._files.fingerprint,
            base=self._identity.base,
        )

    def _counts(self) -> ExportCounts:
        return ExportCounts(pets=_copy(self._pets.counts), orgs=_copy(self._orgs.counts))


def _copy(counts: Counts) -> Counts:
    return Counts(*(getattr(counts, name) for name in Counts.__struct_fields__))


def _too_many(part: Part, bad: int, rows: int) -> BrokenFileError:
    return BrokenFileError(f"{part.name} is broken: {bad:,} of its first {rows:,} rows are bad")
