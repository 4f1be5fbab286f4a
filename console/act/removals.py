"""Held removals: lists, shows, approves and rejects them.

Rule 1: what is approved is what `show` showed: exactly that plan's removals.
Rule 2: names come from the feed: they are escaped.
Rule 3: ``--json`` prints one object, whose fields are only ever added to.
Rule 4: the plan of a snapshot sweep is kept and decided in Postgres alone; without a database, only
        the others are shown.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from console.inspect import formatting
from console.runtime.output import print_document, say
from consumers.audit import sweep_decision
from consumers.audit.losses import SweepPlan
from consumers.audit.sweep_decision import is_sweep
from ingest.removals import held_plans
from ingest.removals.held_plans import PlannedRemoval
from petstream.errors import UsageError
from petstream.settings import KafkaAccess, Settings

_SHOWN: Final = 50
_LONGEST_NAME: Final = 60


class ShownPlan(NamedTuple):
    """A plan, of an export or of a snapshot sweep, and how it stands."""

    plan_id: str
    export_id: str
    state: str
    entity: str
    keys: int
    reason: str | None
    held_at: datetime


async def decide(  # noqa: PLR0913  what was decided, by name
    settings: Settings,
    kafka: KafkaAccess,
    action: str,
    plan_id: str | None,
    *,
    database_url: str | None = None,
    reason: str | None = None,
    by: str | None = None,
    as_json: bool = False,
) -> int:
    """Print or decide, as `action` says; return the exit status."""
    if action == "list":
        return await _list(settings, kafka, database_url, as_json=as_json)
    if plan_id is None:
        raise UsageError(f"which plan? For example: petstream removals {action} PLAN_ID")
    sweeps_of = _database(database_url) if is_sweep(plan_id) else None
    if action == "show":
        return await _show(settings, kafka, plan_id, sweeps_of, as_json=as_json)
    by = by or _user_name()
    removed = 0
    if action == "approve" and sweeps_of is not None:
        removed = await sweep_decision.approve(sweeps_of, plan_id, by=by, reason=reason)
        line, state = f"{removed:,} are taken off the lists", "approved"
    elif action == "approve":
        removed = await held_plans.approve(settings, kafka, plan_id, by=by, reason=reason)
        line, state = f"{removed:,} removals are published", "approved"
    elif sweeps_of is not None:
        await sweep_decision.reject(sweeps_of, plan_id, by=by, reason=reason)
        line, state = "they stay listed until a newer snapshot", "rejected"
    else:
        await held_plans.reject(settings, kafka, plan_id, by=by, reason=reason)
        line, state = "nothing is removed", "rejected"
    if as_json:
        print_document({"planId": plan_id, "state": state, "removed": removed})
    else:
        say(f"{plan_id} is {state}: {line}")
    return 0


async def _list(
    settings: Settings, kafka: KafkaAccess, database_url: str | None, *, as_json: bool
) -> int:
    plans = [_published(listed) for listed in await held_plans.plans(settings, kafka)]
    if database_url is not None:
        plans += [_swept(plan) for plan in await sweep_decision.plans(database_url)]
    if as_json:
        print_document({"plans": [plan_document(plan) for plan in plans]})
        return 0
    if not plans:
        say("no removals were ever held")
    for plan in plans:
        why = formatting.shortened(plan.reason or "no reason given", 300)
        say(f"{plan.plan_id}  {plan.state}  {plan.keys:,} {plan.entity}  {why}")
    if any(plan.state == "held" for plan in plans):
        say("look at one: petstream removals show PLAN_ID; then approve or reject it")
    return 0


async def _show(
    settings: Settings, kafka: KafkaAccess, plan_id: str, sweeps_of: str | None, *, as_json: bool
) -> int:
    plan, described = (
        await _described_plan(settings, kafka, plan_id)
        if sweeps_of is None
        else await _described_sweep(sweeps_of, plan_id)
    )
    text = "\n".join(_described(plan, described))
    if not as_json:
        say(text)
        return 0
    document = {"planId": plan_id, "state": None} if plan is None else plan_document(plan)
    removals = [
        {"key": removal.key, "name": removal.name, "orgId": removal.org_id} for removal in described
    ]
    print_document(document | {"text": text, "removals": removals})
    return 0


async def _described_plan(
    settings: Settings, kafka: KafkaAccess, plan_id: str
) -> tuple[ShownPlan | None, list[PlannedRemoval]]:
    plans = await held_plans.plans(settings, kafka)
    listed = next((listed for listed in plans if listed.plan.plan_id == plan_id), None)
    described = await held_plans.describe(settings, kafka, plan_id)
    return None if listed is None else _published(listed), described


async def _described_sweep(
    database_url: str, plan_id: str
) -> tuple[ShownPlan, list[PlannedRemoval]]:
    plans = await sweep_decision.plans(database_url)
    plan = next((plan for plan in plans if plan.plan_id == plan_id), None)
    if plan is None:
        raise UsageError(f"there is no plan {plan_id}: 'petstream removals list' shows them")
    rows = await sweep_decision.describe(database_url, plan)
    return _swept(plan), [PlannedRemoval(row.key, row.name, row.org_id) for row in rows]


def plan_document(plan: ShownPlan) -> dict[str, Any]:
    """Return a plan and how it stands, as plain JSON types."""
    return {
        "planId": plan.plan_id,
        "exportId": plan.export_id,
        "state": plan.state,
        "entity": plan.entity,
        "count": plan.keys,
        "reason": plan.reason,
        "heldAt": plan.held_at.isoformat(),
    }


def _published(listed: held_plans.ListedPlan) -> ShownPlan:
    plan = listed.plan
    return ShownPlan(
        plan_id=plan.plan_id, export_id=plan.event.export_id, state=listed.state,
        entity=plan.entity, keys=len(plan.removals), reason=plan.event.reason, held_at=plan.at,
    )  # fmt: skip


def _swept(plan: SweepPlan) -> ShownPlan:
    return ShownPlan(
        plan_id=plan.plan_id, export_id=plan.export_id, state=plan.state, entity=plan.entity,
        keys=len(plan.keys), reason=plan.reason, held_at=plan.held_at,
    )  # fmt: skip


def _described(plan: ShownPlan | None, described: Sequence[PlannedRemoval]) -> Iterator[str]:
    if plan is not None:
        yield f"{plan.plan_id} of export {plan.export_id}: {plan.state}"
        yield f"why it is held: {formatting.escaped(plan.reason or 'no reason given')}"
        yield f"it would remove {plan.keys:,} {plan.entity}:"
    for removal in described[:_SHOWN]:
        organization = "" if removal.org_id is None else f"  (organization {removal.org_id})"
        name = formatting.shortened(removal.name or "without a name", _LONGEST_NAME)
        yield f"  {removal.key}  {name}{organization}"
    if len(described) > _SHOWN:
        yield f"  and {len(described) - _SHOWN:,} more"


def _database(database_url: str | None) -> str:
    if database_url is None:
        raise UsageError(
            "the plan of a snapshot sweep is in Postgres: set PETSTREAM_DATABASE_URL, "
            "or start the embedded one by 'petstream up'"
        )
    return database_url


def _user_name() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return None  # a user id without a name, as containers have
