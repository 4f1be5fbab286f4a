"""Held removal plans: what a person decides about them.

Rule 1: approving publishes exactly the plan's removals, with sequences of the held export, so that
        whatever was seen later of a pet wins by itself; then the decision, once.
Rule 2: deciding is a run like any other: lead, fold, publish.
Rule 3: only a plan of the newest export can be approved; an older one is a thing of the past.
Rule 4: a plan that nobody decided about in time expires at the first run after that, whatever else
        the run does.
"""

from __future__ import annotations

from contextlib import aclosing, closing
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ingest.changes.comparison import Comparison
from ingest.changes.event import ORGS, PETS, Facts, Publication
from ingest.leadership.election import Leadership, leading
from ingest.publish.lifecycle import decision_record
from ingest.publish.publisher import Publisher
from ingest.state.export_history import PLAN_EXPIRES_AFTER, HeldPlan, Memory
from ingest.state.ledger import Ledger, Shelf
from ingest.state.restore import fold_exports
from ingest.state.spill_file import FileShelf
from petstream import failpoints, topics
from petstream.errors import UsageError
from petstream.events import PlanDecision, PlanEvent
from petstream.kafka.client import ensure_topics
from petstream.kafka.reader import read_to_end
from petstream.sequence import removal_sequence
from petstream.settings import KafkaAccess, Settings


class Listed(NamedTuple):
    """A plan and how it stands."""

    plan: HeldPlan
    state: str


class Described(NamedTuple):
    """One key a plan would remove."""

    key: int
    name: str | None
    org_id: int | None


async def plans(settings: Settings, kafka: KafkaAccess) -> list[Listed]:
    """Return every plan there was, oldest first, with its state."""
    await ensure_topics(kafka, settings.topic_prefix)
    memory = await fold_exports(kafka, settings.topic_prefix)
    found = (memory.plan(name) for name in memory.plan_ids())
    return [Listed(plan, state_of(memory, plan)) for plan in found if plan is not None]


async def describe(settings: Settings, kafka: KafkaAccess, plan_id: str) -> list[Described]:
    """Return the names and organisations of what a plan would remove."""
    _, plan = await _find(settings, kafka, plan_id)
    found = []
    with closing(FileShelf(settings.data_dir)) as shelf:
        comparison = await _comparison(settings, kafka, plan, shelf)
        for key in plan.removals:
            held = comparison.ledger.get(key)
            record = {} if held is None else held.event()[comparison.kind.record]
            found.append(Described(key, record.get("name"), record.get("orgId")))
    return found


async def approve(
    settings: Settings, kafka: KafkaAccess, plan_id: str, *, by: str | None, reason: str | None
) -> int:
    """Publish a plan's removals and that it was approved; return how many left.

    Raises:
        UsageError: there is no such plan, it was decided, it has expired, or a newer export came.
        NotLeadingError: an ingester runs, and doesn't end.
    """
    await ensure_topics(kafka, settings.topic_prefix)
    async with leading(kafka, settings.topic_prefix) as lead:
        return await _approve(settings, kafka, plan_id, by, reason, lead)


async def _approve(  # noqa: PLR0913, PLR0917  `approve`, leading
    settings: Settings,
    kafka: KafkaAccess,
    plan_id: str,
    by: str | None,
    reason: str | None,
    lead: Leadership,
) -> int:
    memory, plan = await _find(settings, kafka, plan_id)
    _refuse_decided(memory, plan)
    if not plan.removals:
        raise UsageError(
            f"{plan_id} names nobody to remove ({plan.event.reason}): the next whole export "
            "settles it, or reject it"
        )
    newest = memory.newest
    if newest is not None and newest.base > plan.event.base:
        raise UsageError(f"{plan_id} is of an older export than {newest.export_id}: let it be")
    sequence = removal_sequence(plan.event.base)
    with closing(FileShelf(settings.data_dir)) as shelf:
        comparison = await _comparison(settings, kafka, plan, shelf)
        made = [comparison.removal(key, sequence, "petlist.csv") for key in plan.removals]
    topic = comparison.kind.topic.full_name(settings.topic_prefix)
    async with Publisher(kafka, lead) as publisher:
        for one in made:
            if one is not None:
                await publisher.send(topic, one.key, one.value, one.headers)
        failpoints.point("approval.removals.sent")
        await publisher.flush()
        failpoints.point("approval.removals.flushed")
        decision = decision_record(plan, "approved", datetime.now(UTC), by=by, reason=reason)
        await _publish(publisher, settings, decision)
    failpoints.point("approval.decided")
    return sum(one is not None for one in made)


async def reject(
    settings: Settings, kafka: KafkaAccess, plan_id: str, *, by: str | None, reason: str | None
) -> None:
    """Publish that a plan was rejected: its pets stay."""
    await ensure_topics(kafka, settings.topic_prefix)
    async with leading(kafka, settings.topic_prefix) as lead, Publisher(kafka, lead) as publisher:
        memory, plan = await _find(settings, kafka, plan_id)
        _refuse_decided(memory, plan)
        decision = decision_record(plan, "rejected", datetime.now(UTC), by=by, reason=reason)
        await _publish(publisher, settings, decision)


async def expire(
    kafka: KafkaAccess, prefix: str, memory: Memory, now: datetime, lead: Leadership
) -> list[str]:
    """Publish that plans have expired, and take it into the memory; return their ids."""
    overdue = memory.overdue(now)
    if not overdue:
        return []
    reason = f"nobody decided within {PLAN_EXPIRES_AFTER // timedelta(days=1)} days"
    topic = topics.EXPORTS.full_name(prefix)
    async with Publisher(kafka, lead) as publisher:
        for plan in overdue:
            record = decision_record(plan, "expired", now, reason=reason)
            await publisher.send(topic, record.key, record.value, record.headers)
        await publisher.flush()
    for plan in overdue:
        decision = PlanEvent(
            plan_id=plan.plan_id, export_id=plan.event.export_id, decision="expired", at=now
        )
        memory.fold(decision)
    return [plan.plan_id for plan in overdue]


def state_of(memory: Memory, plan: HeldPlan) -> PlanDecision | str:
    """Return how a plan stands: held, expired, or what was decided."""
    decided = memory.decided.get(plan.plan_id)
    if decided is not None:
        return decided.decision
    return "expired" if datetime.now(UTC) - plan.at > PLAN_EXPIRES_AFTER else "held"


def _refuse_decided(memory: Memory, plan: HeldPlan) -> None:
    state = state_of(memory, plan)
    if state != "held":
        raise UsageError(f"{plan.plan_id} was {state} already: nothing was done")


async def _find(settings: Settings, kafka: KafkaAccess, plan_id: str) -> tuple[Memory, HeldPlan]:
    await ensure_topics(kafka, settings.topic_prefix)
    memory = await fold_exports(kafka, settings.topic_prefix)
    plan = memory.plan(plan_id)
    if plan is None:
        raise UsageError(f"there is no plan {plan_id}: 'petstream removals list' shows them")
    return memory, plan


async def _comparison(
    settings: Settings, kafka: KafkaAccess, plan: HeldPlan, shelf: Shelf
) -> Comparison:
    kind = PETS if plan.entity == "pets" else ORGS
    ledger = Ledger(shelf)
    topic = kind.topic.full_name(settings.topic_prefix)
    async with aclosing(read_to_end(kafka, [topic])) as batches:
        async for records in batches:
            for record in records:
                ledger.fold(record.key, record.headers, record.value)
    event = plan.event
    start = datetime.fromisoformat(event.export_id.partition("Z")[0]).replace(tzinfo=UTC)
    return Comparison(kind, ledger, Facts(event.export_id, event.base, start, event.mode))


async def _publish(publisher: Publisher, settings: Settings, one: Publication) -> None:
    topic = topics.EXPORTS.full_name(settings.topic_prefix)
    await publisher.send(topic, one.key, one.value, one.headers)
