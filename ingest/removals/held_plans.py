"""Held removal plans: what a person decides about them.

Rule 1: approving publishes exactly the plan's removals, with sequences of the held export, so that
        whatever was seen later of a pet wins by itself; then the decision, once.
Rule 2: deciding is a run like any other: lead, check the log, restore, publish. Nothing is removed
        while a snapshot is owed for lost records: it supersedes the plan.
Rule 3: only a plan of the newest export can be approved: an older one is superseded.
Rule 4: a plan that nobody decided about in time expires at the first run after that, whatever else
        the run does.
Rule 5: a decision is published for every part of its plan; parts that a crash left out are made
        good by the next that leads.
"""

from __future__ import annotations

from contextlib import aclosing, closing
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ingest.changes.comparison import Comparison
from ingest.changes.event import ORGS, PETS, Facts, Publication
from ingest.leadership.election import Leadership, leading
from ingest.publish.debts import check_log
from ingest.publish.lifecycle import decision_records, plan_decision
from ingest.publish.publisher import Publisher
from ingest.state.export_history import PLAN_EXPIRES_AFTER, ExportHistory, HeldPlan
from ingest.state.ledger import Ledger, ValueStore
from ingest.state.restore import fold_exports
from ingest.state.spill_file import SpillFile
from petstream import failpoints, topics
from petstream.errors import UsageError
from petstream.events import DebtEvent, PlanDecision, PlanEvent
from petstream.kafka.client import ensure_topics
from petstream.kafka.reader import read_to_end
from petstream.sequence import removal_sequence
from petstream.settings import KafkaAccess, Settings


class ListedPlan(NamedTuple):
    """A plan and how it stands."""

    plan: HeldPlan
    state: str


class PlannedRemoval(NamedTuple):
    """One key a plan would remove."""

    key: int
    name: str | None
    org_id: int | None


async def plans(settings: Settings, kafka: KafkaAccess) -> list[ListedPlan]:
    """Return every plan there was, oldest first, with its state."""
    await ensure_topics(kafka, settings.topic_prefix)
    history = await fold_exports(kafka, settings.topic_prefix)
    every = (history.plan(plan_id) for plan_id in history.plan_ids())
    return [ListedPlan(plan, state_of(history, plan)) for plan in every if plan is not None]


async def describe(settings: Settings, kafka: KafkaAccess, plan_id: str) -> list[PlannedRemoval]:
    """Return the names and organisations of what a plan would remove."""
    _, plan = await _find(kafka, settings.topic_prefix, plan_id)
    removals = []
    with closing(SpillFile(settings.data_dir)) as values:
        comparison = await _comparison(kafka, settings.topic_prefix, plan, values)
        for key in plan.removals:
            held = comparison.ledger.get(key)
            record = {} if held is None else held.event()[comparison.kind.record]
            removals.append(PlannedRemoval(key, record.get("name"), record.get("orgId")))
    return removals


async def approve(
    settings: Settings, kafka: KafkaAccess, plan_id: str, *, by: str | None, reason: str | None
) -> int:
    """Publish a plan's removals and that it was approved; return how many left.

    Raises:
        UsageError: there is no such plan, it was decided, it has expired, or a newer export came.
        NotLeadingError: an ingester runs, and doesn't end.
    """
    prefix = settings.topic_prefix
    await ensure_topics(kafka, prefix)
    async with leading(kafka, prefix) as lead:
        history, plan = await _find(kafka, prefix, plan_id)
        debt = await check_log(kafka, prefix, history, lead)
        await complete_decisions(kafka, prefix, history, lead)
        _refuse_decided(history, plan)
        _refuse_unapprovable(history, plan, debt)
        with closing(SpillFile(settings.data_dir)) as values:
            comparison = await _comparison(kafka, prefix, plan, values)
            removals = removals_of(plan, comparison)
        topic = comparison.kind.topic.full_name(prefix)
        async with Publisher(kafka, lead) as publisher:
            for removal in removals:
                await publisher.send(topic, removal.key, removal.value, removal.headers)
            failpoints.point("approval.removals.sent")
            await publisher.flush()
            failpoints.point("approval.removals.flushed")
            event = plan_decision(plan, "approved", datetime.now(UTC), by=by, reason=reason)
            await _publish(publisher, prefix, history, plan, event)
        failpoints.point("approval.decided")
    return len(removals)


def removals_of(plan: HeldPlan, comparison: Comparison) -> list[Publication]:
    """Return the events of a plan's removals; of what was seen later, there is none."""
    sequence = removal_sequence(plan.event.base)
    removals = (comparison.removal(key, sequence) for key in plan.removals)
    return [removal for removal in removals if removal is not None]


async def reject(
    settings: Settings, kafka: KafkaAccess, plan_id: str, *, by: str | None, reason: str | None
) -> None:
    """Publish that a plan was rejected: its pets stay."""
    prefix = settings.topic_prefix
    await ensure_topics(kafka, prefix)
    async with leading(kafka, prefix) as lead:
        history, plan = await _find(kafka, prefix, plan_id)
        await check_log(kafka, prefix, history, lead)
        await complete_decisions(kafka, prefix, history, lead)
        _refuse_decided(history, plan)
        event = plan_decision(plan, "rejected", datetime.now(UTC), by=by, reason=reason)
        async with Publisher(kafka, lead) as publisher:
            await _publish(publisher, prefix, history, plan, event)


async def expire(
    kafka: KafkaAccess, prefix: str, history: ExportHistory, now: datetime, lead: Leadership
) -> list[str]:
    """Publish that plans have expired, and take it into the history; return their ids."""
    overdue = history.overdue(now)
    if not overdue:
        return []
    reason = f"nobody decided within {PLAN_EXPIRES_AFTER // timedelta(days=1)} days"
    async with Publisher(kafka, lead) as publisher:
        for plan in overdue:
            event = plan_decision(plan, "expired", now, reason=reason)
            await _publish(publisher, prefix, history, plan, event)
        await publisher.flush()
    return [plan.plan_id for plan in overdue]


async def complete_decisions(
    kafka: KafkaAccess, prefix: str, history: ExportHistory, lead: Leadership
) -> None:
    """Publish of the parts that a crash left out what was decided about their plans (rule 5)."""
    half = history.half_decided()
    if not half:
        return
    async with Publisher(kafka, lead) as publisher:
        for plan, event in half:
            await _publish(publisher, prefix, history, plan, event)


def state_of(history: ExportHistory, plan: HeldPlan) -> PlanDecision | str:
    """Return how a plan stands: held, expired, or what was decided."""
    decided = history.decided.get(plan.plan_id)
    if decided is not None:
        return decided.decision
    return "expired" if datetime.now(UTC) - plan.at > PLAN_EXPIRES_AFTER else "held"


def _refuse_decided(history: ExportHistory, plan: HeldPlan) -> None:
    state = state_of(history, plan)
    if state != "held":
        raise UsageError(f"{plan.plan_id} was {state} already: nothing was done")


def _refuse_unapprovable(history: ExportHistory, plan: HeldPlan, debt: DebtEvent | None) -> None:
    if debt is not None:
        raise UsageError(
            f"{debt.reason}: the next export states every key again and settles who left; nothing "
            f"is removed for {plan.plan_id} before"
        )
    if not plan.removals:
        raise UsageError(
            f"{plan.plan_id} names nobody to remove ({plan.event.reason}): the next whole export "
            "settles it, or reject it"
        )
    newest = history.newest
    if newest is not None and newest.base > plan.event.base:
        raise UsageError(f"{plan.plan_id} is of an older export than {newest.export_id}: let it be")


async def _find(kafka: KafkaAccess, prefix: str, plan_id: str) -> tuple[ExportHistory, HeldPlan]:
    await ensure_topics(kafka, prefix)
    history = await fold_exports(kafka, prefix)
    plan = history.plan(plan_id)
    if plan is None:
        raise UsageError(f"there is no plan {plan_id}: 'petstream removals list' shows them")
    return history, plan


async def _comparison(
    kafka: KafkaAccess, prefix: str, plan: HeldPlan, values: ValueStore
) -> Comparison:
    kind = PETS if plan.entity == "pets" else ORGS
    ledger = Ledger(values)
    topic = kind.topic.full_name(prefix)
    async with aclosing(read_to_end(kafka, [topic])) as batches:
        async for records in batches:
            for record in records:
                ledger.fold(record.key, record.headers, record.value, record.partition)
    event = plan.event
    start = datetime.fromisoformat(event.export_id.partition("Z")[0]).replace(tzinfo=UTC)
    return Comparison(kind, ledger, Facts(event.export_id, event.base, start, event.mode))


async def _publish(
    publisher: Publisher, prefix: str, history: ExportHistory, plan: HeldPlan, event: PlanEvent
) -> None:
    """Publish a decision for each part of its plan, and take it into the history."""
    topic = topics.EXPORTS.full_name(prefix)
    for record in decision_records(plan, event, history.take_sequence):
        await publisher.send(topic, record.key, record.value, record.headers)
        failpoints.point("approval.part.sent")
    history.fold(event)
