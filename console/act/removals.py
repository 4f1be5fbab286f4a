"""Held removals, shown and decided: list, show, approve, reject.

Rule 1: what is approved is what `show` showed: exactly that plan's removals.
Rule 2: names come from the feed: they are escaped.
"""

from __future__ import annotations

import getpass
from typing import Final

from console.inspect import wording
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
) -> int:
    """Print or decide, as `action` says; return the exit status."""
    if action == "list":
        return await _list(settings, kafka)
    if plan_id is None:
        raise UsageError(f"which plan? For example: petstream removals {action} PLAN_ID")
    if action == "show":
        return await _show(settings, kafka, plan_id)
    by = by or _person()
    if action == "approve":
        gone = await held_plans.approve(settings, kafka, plan_id, by=by, reason=reason)
        _print(f"{plan_id} is approved: {gone:,} removals are published")
    else:
        await held_plans.reject(settings, kafka, plan_id, by=by, reason=reason)
        _print(f"{plan_id} is rejected: nothing is removed")
    return 0


async def _list(settings: Settings, kafka: KafkaAccess) -> int:
    plans = await held_plans.plans(settings, kafka)
    if not plans:
        _print("no removals were ever held")
    for plan, state in plans:
        why = wording.cut(plan.event.reason or "no reason given", 300)
        _print(f"{plan.plan_id}  {state}  {len(plan.removals):,} {plan.entity}  {why}")
    if any(state == "held" for _, state in plans):
        _print("look at one: petstream removals show PLAN_ID; then approve or reject it")
    return 0


async def _show(settings: Settings, kafka: KafkaAccess, plan_id: str) -> int:
    plans = await held_plans.plans(settings, kafka)
    found = next((one for one in plans if one.plan.plan_id == plan_id), None)
    described = await held_plans.describe(settings, kafka, plan_id)
    if found is not None:
        plan, state = found
        _print(f"{plan_id} of export {plan.event.export_id}: {state}")
        _print(f"why it is held: {wording.plain(plan.event.reason or 'no reason given')}")
        _print(f"it would remove {len(plan.removals):,} {plan.entity}:")
    for one in described[:_SHOWN]:
        of = "" if one.org_id is None else f"  (organization {one.org_id})"
        name = wording.cut(one.name or "without a name", _LONGEST_NAME)
        _print(f"  {one.key}  {name}{of}")
    if len(described) > _SHOWN:
        _print(f"  and {len(described) - _SHOWN:,} more")
    return 0


def _person() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return None  # a user id without a name, as containers have


def _print(line: str) -> None:
    print(line)  # noqa: T201  the command's output
