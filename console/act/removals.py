"""Held removals: lists, shows, approves and rejects them.

Rule 1: what is approved is what `show` showed: exactly that plan's removals.
Rule 2: names come from the feed: they are escaped.
Rule 3: ``--json`` prints one object, whose fields are only ever added to.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from typing import Any, Final

from console.inspect import formatting
from console.runtime.output import print_document, say
from ingest.removals import held_plans
from petstream.errors import UsageError
from petstream.settings import KafkaAccess, Settings

_SHOWN: Final = 50
_LONGEST_NAME: Final = 60


async def decide(  # noqa: PLR0913  what was decided, by name
    settings: Settings,
    kafka: KafkaAccess,
    action: str,
    plan_id: str | None,
    *,
    reason: str | None = None,
    by: str | None = None,
    as_json: bool = False,
) -> int:
    """Print or decide, as `action` says; return the exit status."""
    if action == "list":
        return await _list(settings, kafka, as_json=as_json)
    if plan_id is None:
        raise UsageError(f"which plan? For example: petstream removals {action} PLAN_ID")
    if action == "show":
        return await _show(settings, kafka, plan_id, as_json=as_json)
    by = by or _user_name()
    if action == "approve":
        removed = await held_plans.approve(settings, kafka, plan_id, by=by, reason=reason)
        line, state = f"{removed:,} removals are published", "approved"
    else:
        await held_plans.reject(settings, kafka, plan_id, by=by, reason=reason)
        line, state, removed = "nothing is removed", "rejected", 0
    if as_json:
        print_document({"planId": plan_id, "state": state, "removed": removed})
    else:
        say(f"{plan_id} is {state}: {line}")
    return 0


async def _list(settings: Settings, kafka: KafkaAccess, *, as_json: bool) -> int:
    plans = await held_plans.plans(settings, kafka)
    if as_json:
        print_document({"plans": [plan_document(listed) for listed in plans]})
        return 0
    if not plans:
        say("no removals were ever held")
    for listed in plans:
        plan = listed.plan
        why = formatting.shortened(plan.event.reason or "no reason given", 300)
        say(f"{plan.plan_id}  {listed.state}  {len(plan.removals):,} {plan.entity}  {why}")
    if any(listed.state == "held" for listed in plans):
        say("look at one: petstream removals show PLAN_ID; then approve or reject it")
    return 0


async def _show(settings: Settings, kafka: KafkaAccess, plan_id: str, *, as_json: bool) -> int:
    plans = await held_plans.plans(settings, kafka)
    listed = next((listed for listed in plans if listed.plan.plan_id == plan_id), None)
    described = await held_plans.describe(settings, kafka, plan_id)
    text = "\n".join(_described(listed, described))
    if not as_json:
        say(text)
        return 0
    plan = {"planId": plan_id, "state": None} if listed is None else plan_document(listed)
    removals = [
        {"key": removal.key, "name": removal.name, "orgId": removal.org_id} for removal in described
    ]
    print_document(plan | {"text": text, "removals": removals})
    return 0


def plan_document(listed: held_plans.ListedPlan) -> dict[str, Any]:
    """Return a plan and how it stands, as plain JSON types."""
    plan = listed.plan
    return {
        "planId": plan.plan_id,
        "exportId": plan.event.export_id,
        "state": listed.state,
        "entity": plan.entity,
        "count": len(plan.removals),
        "reason": plan.event.reason,
        "heldAt": plan.at.isoformat(),
    }


def _described(
    listed: held_plans.ListedPlan | None, described: Sequence[held_plans.PlannedRemoval]
) -> Iterator[str]:
    if listed is not None:
        plan = listed.plan
        yield f"{plan.plan_id} of export {plan.event.export_id}: {listed.state}"
        yield f"why it is held: {formatting.escaped(plan.event.reason or 'no reason given')}"
        yield f"it would remove {len(plan.removals):,} {plan.entity}:"
    for removal in described[:_SHOWN]:
        organization = "" if removal.org_id is None else f"  (organization {removal.org_id})"
        name = formatting.shortened(removal.name or "without a name", _LONGEST_NAME)
        yield f"  {removal.key}  {name}{organization}"
    if len(described) > _SHOWN:
        yield f"  and {len(described) - _SHOWN:,} more"


def _user_name() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return None  # a user id without a name, as containers have
