"""A person's decisions about held removals, and their expiry: appends like any other.

Rule 1: whoever appends looks at the log first; where it lost something, nothing is appended but
        the debt.
Rule 2: only a plan of the newest run is carried out; a later run supersedes it.
"""

from __future__ import annotations

from log_loss.debts import lost_ends
from log_loss.events import REMOVAL_POSITION, Debt, Decision, Event, Plan, position, topic_of
from log_loss.export_history import ExportHistory
from log_loss.feed import DAY
from log_loss.world import World

PLAN_EXPIRES_AFTER = 3 * DAY


def decide(world: World) -> None:
    """Approve what may be approved; let expire what is too old."""
    rules, history = world.rules, ExportHistory(world.rules, list(world.lifecycle()))
    newest = history.newest
    if newest is None:
        return
    lost = lost_ends(world, newest) if rules.approvals_check and rules.snapshots else []
    if lost:
        world.say("no approval:", *lost)
        if history.unpaid() is None:
            world.append("exports", None, "debt", Debt("snapshot", history.highest_base(), lost[0]))
        return
    for plan in list(history.open_plans()):
        if world.now - plan.at > PLAN_EXPIRES_AFTER:
            world.append("exports", None, "decision", Decision(plan.plan_id, "expired"))
        elif rules.newest_plan_only and plan.base < newest.base:
            world.append("exports", None, "decision", Decision(plan.plan_id, "superseded"))
        else:
            _carry_out(world, plan)
            world.append("exports", None, "decision", Decision(plan.plan_id, "approved"))


def removal(held: Event, base: int, start: int, files_at: int) -> Event | None:
    """Return the removal of a key, unless something newer is held of it."""
    sequence = position(base, REMOVAL_POSITION)
    if not held.listed or held.sequence >= sequence:
        return None
    return Event(
        held.key, sequence, held.content + "!", held.content,
        listed=False, start=start, files_at=files_at, row=held.row,
    )  # fmt: skip


def _carry_out(world: World, plan: Plan) -> None:
    for key in sorted(plan.removals):
        held = world.fold().newest.get(key)
        event = removal(held, plan.base, plan.start, plan.files_at) if held is not None else None
        if event is not None:
            world.published(event)
            world.append(topic_of(key), key, event.event_id, event)
            world.say("  approved: removed", event.event_id)
