"""Who left: the petlist and the orgs files judged, then removals published or held.

Rule 1: called only after everything else of the export is durable.
Rule 2: what is held is announced once; a person's decision about it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from contracts import crashes
from contracts.events import ExportEvent
from contracts.sequence import removal_sequence
from ingest import announcements
from ingest.comparison import Comparison
from ingest.gate import Limits, Verdict, judge
from ingest.herald import Herald
from ingest.memory import Identity, Memory
from ingest.petlist import PetList


def judge_pets(
    pets: Comparison, petlist: PetList | None, wrong: Sequence[str], limits: Limits
) -> Verdict:
    """Judge the pets that are missing from the petlist."""
    return judge(
        listed=list(pets.ledger.listed()),
        present=None if petlist is None else petlist.ids,
        spoken=pets.present(),
        problems=wrong,
        limits=limits,
    )


def judge_organizations(orgs: Comparison, limits: Limits) -> Verdict:
    """Judge the organisations that are in no orgs file; a refused row might be any of them."""
    return judge(
        listed=list(orgs.ledger.listed()),
        present=orgs.present(),
        spoken=orgs.present(),
        problems=["rows of orgs_n were refused"] if orgs.counts.refused else [],
        limits=limits,
        what="organisations",
    )


async def publish_removals(
    herald: Herald, comparison: Comparison, verdict: Verdict, base: int
) -> None:
    """Publish the removals of a verdict that passed."""
    sequence = removal_sequence(base)
    file = "petlist.csv" if comparison.kind.plural == "pets" else "orgs"
    for key in verdict.removals:
        one = comparison.removal(key, sequence, file)
        if one is not None:
            crashes.point("ingest.removal.before")
            await herald.changes(comparison.kind, [one])
            crashes.point("ingest.removal.after")


async def hold(
    herald: Herald, comparison: Comparison, verdict: Verdict, event: ExportEvent, memory: Memory
) -> str | None:
    """Hold the removals of a verdict that didn't pass; return the plan's id while it is open."""
    kind = comparison.kind
    plan_id = f"{event.export_id}.{kind.plural}"
    if memory.plan(plan_id) is None:
        await herald.plans(announcements.held(event, plan_id, kind.plural, verdict.removals))
        crashes.point("ingest.held.after")
    return None if plan_id in memory.decided else plan_id


async def supersede(herald: Herald, memory: Memory, by: Identity) -> None:
    """Say of every older plan that a newer export has come."""
    now = datetime.now(UTC)
    older = [plan for plan in memory.held() if plan.event.base < by.base]
    await herald.plans(announcements.superseded(plan, by, now) for plan in older)
