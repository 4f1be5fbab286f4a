"""Who left: the petlist and the orgs files judged, then removals published or held.

Rule 1: called only after everything else of the export is durable.
Rule 2: what is held is announced once; a person's decision about it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from ingest.changes.comparison import Comparison
from ingest.publish.lifecycle import Lifecycle, MakeEvent, held_plan_records, superseded_record
from ingest.removals.gate import GateDecision, RemovalLimits, judge, mass_removals
from ingest.removals.petlist import PetList, problems, read_petlist
from ingest.source.listing import ExportSet, stale_petlist
from ingest.source.reader import Reader
from ingest.state.export_history import Identity, Memory
from petstream import failpoints
from petstream.errors import BrokenFileError
from petstream.events import ExportEvent, FileRead, Mode
from petstream.sequence import removal_sequence

_LARGEST_PETLIST_BYTES: Final = 64 * 1024 * 1024


class Found(NamedTuple):
    """The petlist as it was found, and what is wrong with it."""

    petlist: PetList | None
    wrong: tuple[str, ...]
    read: tuple[FileRead, ...] = ()


class Evidence(NamedTuple):
    """What speaks of the removals of an export: its petlist, and what makes it doubtful."""

    petlist: PetList | None
    wrong: Sequence[str]
    """With the petlist."""
    seen_with: ExportEvent | None
    """The earlier export that came with just this petlist."""
    newest: ExportEvent | None
    """The newest that was completed."""
    upheaval: Sequence[str]
    """With the export as a whole."""


class Settled(NamedTuple):
    """The plans that are held now, and what there is to say."""

    held: tuple[str, ...]
    notes: tuple[str, ...]


async def find_petlist(reader: Reader, files: ExportSet, mode: Mode) -> Found:
    """Read the petlist, if there is one; whatever is wrong with it, the export goes on."""
    part = files.petlist
    if part is None:
        return Found(None, ("petlist.csv is missing",))
    try:
        data = await reader.whole(part, most_bytes=_LARGEST_PETLIST_BYTES)
    except BrokenFileError as error:
        return Found(None, (str(error),))
    petlist = read_petlist(data)
    stale = stale_petlist(files, mode)
    read = FileRead(part.name, len(data), part.remote.modified_at, petlist.rows)
    return Found(petlist, (*problems(petlist), *((stale,) if stale else ())), (read,))


async def settle(  # noqa: PLR0913  what a decision depends on, each by name
    lifecycle: Lifecycle,
    *,
    pets: Comparison,
    orgs: Comparison,
    found: Found,
    upheaval: Sequence[str],
    identity: Identity,
    limits: RemovalLimits,
    make_event: MakeEvent,
    memory: Memory,
) -> Settled:
    """Judge who left; publish the removals of those, or hold them."""
    held: list[str] = []
    notes: list[str] = []
    petlist = found.petlist
    seen_with = None if petlist is None else memory.seen_with(petlist.digest, identity)
    evidence = Evidence(petlist, found.wrong, seen_with, memory.newest, upheaval)
    decisions = (
        (pets, judge_pets(pets, evidence, limits)),
        (orgs, judge_organizations(orgs, evidence, limits)),
    )
    for comparison, decision in decisions:
        plural = comparison.kind.plural
        if decision.contradictions:
            notes.append(
                f"in the files but not in the petlist, so they stay: {decision.contradictions:,} "
                f"{plural}"
            )
        if comparison is pets:
            notes.extend(mass_removals(pets.ledger, decision.removals))
        if decision.reason is None:
            await publish_removals(lifecycle, comparison, decision, comparison.facts.base)
        elif decision.removals or comparison is pets:
            event = make_event("held", decision.reason)
            plan = await hold(lifecycle, comparison, decision, event, memory)
            held.extend(() if plan is None else (plan,))
            notes.append(f"removals of {plural} are held: {decision.reason}")
    return Settled(tuple(held), tuple(notes))


def judge_pets(pets: Comparison, evidence: Evidence, limits: RemovalLimits) -> GateDecision:
    """Judge the pets that are missing from the petlist."""
    petlist, seen_with = evidence.petlist, evidence.seen_with
    return judge(
        listed=list(pets.ledger.listed()),
        present=None if petlist is None else petlist.ids,
        in_rows=pets.present(),
        problems=[*evidence.wrong, *evidence.upheaval],
        limits=limits,
        seen_with=None if seen_with is None else seen_with.export_id,
        seen_last=seen_with is evidence.newest,
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
        problems=[*refused, *evidence.upheaval],
        limits=limits,
        what="organisations",
    )


async def publish_removals(
    lifecycle: Lifecycle, comparison: Comparison, decision: GateDecision, base: int
) -> None:
    """Publish the removals that passed the gate."""
    sequence = removal_sequence(base)
    file = "petlist.csv" if comparison.kind.plural == "pets" else "orgs"
    for key in decision.removals:
        one = comparison.removal(key, sequence, file)
        if one is not None:
            failpoints.point("ingest.removal.before")
            await lifecycle.publish_changes(comparison.kind, [one])
            failpoints.point("ingest.removal.after")


async def hold(
    lifecycle: Lifecycle,
    comparison: Comparison,
    decision: GateDecision,
    event: ExportEvent,
    memory: Memory,
) -> str | None:
    """Hold removals that didn't pass the gate; return the plan's id while it is open."""
    kind = comparison.kind
    plan_id = f"{event.export_id}.{kind.plural}"
    if memory.plan(plan_id) is None:
        await lifecycle.publish_plans(
            held_plan_records(event, plan_id, kind.plural, decision.removals)
        )
        failpoints.point("ingest.held.after")
    return None if plan_id in memory.decided else plan_id


async def supersede(lifecycle: Lifecycle, memory: Memory, by: Identity) -> None:
    """Say of every older plan that a newer export has come."""
    now = datetime.now(UTC)
    older = [plan for plan in memory.held() if plan.event.base < by.base]
    await lifecycle.publish_plans(superseded_record(plan, by, now) for plan in older)
