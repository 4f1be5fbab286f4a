"""Which keys left: the petlist and the orgs files judged, then removals published or held.

Rule 1: called only after everything else of the export is durable.
Rule 2: a held plan is published once; a person's decision about it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from ingest.changes.comparison import Comparison
from ingest.changes.event import PETS
from ingest.publish.lifecycle import Lifecycle, decision_records, plan_decision
from ingest.removals.gate import GateDecision, judge, mass_removals
from ingest.removals.petlist import PetList, problems, read_petlist
from ingest.source.listing import ExportSet, stale_petlist
from ingest.source.reader import Reader
from ingest.state.export_history import ExportHistory, Identity
from petstream import failpoints
from petstream.errors import BrokenFileError
from petstream.events import FileRead, Mode
from petstream.sequence import removal_sequence
from petstream.setting_values import RemovalLimits

_LARGEST_PETLIST_BYTES: Final = 64 * 1024 * 1024


class PetlistFile(NamedTuple):
    """What petlist.csv holds (None: it can't be read), and what is wrong with it."""

    petlist: PetList | None
    problems: tuple[str, ...]
    read: tuple[FileRead, ...] = ()


class Evidence(NamedTuple):
    """What the removals of an export are judged by."""

    petlist: PetList | None
    petlist_problems: Sequence[str]
    seen_with: str | None
    """The earlier export that came with just this petlist."""
    seen_last: bool
    """That was the newest export that was completed."""
    rate_problems: Sequence[str]
    """What isn't believable of the export as a whole."""


class JudgedRemovals(NamedTuple):
    """What the gate decided about pets or organisations."""

    comparison: Comparison
    decision: GateDecision


class SettledRemovals(NamedTuple):
    """The plans that are held now, and notes for the export's event."""

    held: tuple[str, ...]
    notes: tuple[str, ...]


async def find_petlist(reader: Reader, files: ExportSet, mode: Mode) -> PetlistFile:
    """Read the petlist, if there is one; whatever is wrong with it, the export goes on."""
    part = files.petlist
    if part is None:
        return PetlistFile(None, ("petlist.csv is missing",))
    try:
        data = await reader.whole(part, most_bytes=_LARGEST_PETLIST_BYTES)
    except BrokenFileError as error:
        return PetlistFile(None, (str(error),))
    petlist = read_petlist(data, is_whole=True)  # else it had been read again
    stale = stale_petlist(files, mode)
    read = FileRead(part.name, len(data), part.remote.modified_at, petlist.rows)
    return PetlistFile(petlist, (*problems(petlist), *((stale,) if stale else ())), (read,))


def gather_evidence(
    petlist_file: PetlistFile,
    rate_problems: Sequence[str],
    history: ExportHistory,
    identity: Identity,
) -> Evidence:
    """Put together what the removals of an export are judged by."""
    petlist = petlist_file.petlist
    seen_with = None if petlist is None else history.seen_with(petlist.digest, identity)
    return Evidence(
        petlist=petlist,
        petlist_problems=petlist_file.problems,
        seen_with=None if seen_with is None else seen_with.export_id,
        seen_last=seen_with is history.newest,
        rate_problems=rate_problems,
    )


def judge_removals(
    pets: Comparison, orgs: Comparison, evidence: Evidence, limits: RemovalLimits
) -> tuple[JudgedRemovals, JudgedRemovals]:
    """Judge who is missing of pets and organisations; nothing is published yet."""
    return (
        JudgedRemovals(pets, judge_pets(pets, evidence, limits)),
        JudgedRemovals(orgs, judge_organizations(orgs, evidence, limits)),
    )


def judge_pets(pets: Comparison, evidence: Evidence, limits: RemovalLimits) -> GateDecision:
    """Judge the pets that are missing from the petlist."""
    petlist = evidence.petlist
    return judge(
        listed=list(pets.ledger.listed()),
        present=None if petlist is None else petlist.ids,
        in_rows=pets.present(),
        problems=[*evidence.petlist_problems, *evidence.rate_problems],
        limits=limits,
        seen_with=evidence.seen_with,
        seen_last=evidence.seen_last,
    )


def judge_organizations(
    orgs: Comparison, evidence: Evidence, limits: RemovalLimits
) -> GateDecision:
    """Judge the organisations that are in no orgs file; a refused row might be any of them."""
    refused = ["rows of orgs_n were refused"] if orgs.counts.refused else []
    return judge(
        listed=list(orgs.ledger.listed()),
        present=orgs.present(),
        in_rows=orgs.present(),
        problems=[*refused, *evidence.rate_problems],
        limits=limits,
        what="organisations",
    )


async def settle(
    lifecycle: Lifecycle, judged: Iterable[JudgedRemovals], history: ExportHistory
) -> SettledRemovals:
    """Publish the removals that passed the gate, and hold the others."""
    held: list[str] = []
    notes: list[str] = []
    for comparison, decision in judged:
        kind = comparison.kind
        if decision.contradictions:
            notes.append(
                f"in the files but not in the petlist, so they stay: {decision.contradictions:,} "
                f"{kind.plural}"
            )
        if kind is PETS:
            notes.extend(mass_removals(comparison.ledger, decision.removals))
        if decision.reason is None:
            await publish_removals(lifecycle, comparison, decision.removals)
        elif decision.removals or kind is PETS:
            plan_id = f"{comparison.facts.export_id}.{kind.plural}"
            if history.plan(plan_id) is None:
                await lifecycle.hold(plan_id, kind.plural, decision.removals, decision.reason)
                failpoints.point("ingest.held.after")
            if plan_id not in history.decided:
                held.append(plan_id)
            notes.append(f"removals of {kind.plural} are held: {decision.reason}")
    return SettledRemovals(tuple(held), tuple(notes))


async def publish_removals(
    lifecycle: Lifecycle, comparison: Comparison, removals: Iterable[int]
) -> None:
    """Publish removals that passed the gate."""
    sequence = removal_sequence(comparison.facts.base)
    for key in removals:
        removal = comparison.removal(key, sequence)
        if removal is not None:
            failpoints.point("ingest.removal.before")
            await lifecycle.publish_changes(comparison.kind, [removal])
            failpoints.point("ingest.removal.after")


async def supersede(lifecycle: Lifecycle, history: ExportHistory, by: Identity) -> None:
    """Publish of every older plan that a newer export has superseded it."""
    now = datetime.now(UTC)
    for plan in history.superseded_by(by.base):
        event = plan_decision(plan, "superseded", now, reason=f"by export {by.export_id}")
        await lifecycle.publish_plans(decision_records(plan, event, history.take_sequence))
