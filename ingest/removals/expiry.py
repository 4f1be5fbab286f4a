"""Held plans that nobody decided about in time: said to have expired, in exports.v1.

Rule 1: it is said at the first look at the feed after their time, whatever that look finds.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ingest.leadership.election import Leadership
from ingest.publish import announcements
from ingest.publish.publisher import Publisher
from ingest.state.export_history import PLAN_EXPIRES_AFTER, Memory
from petstream import topics
from petstream.events import PlanEvent
from petstream.settings import KafkaAccess


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
            one = announcements.decided(plan, "expired", now, reason=reason)
            await publisher.send(topic, one.key, one.value, one.headers)
        await publisher.flush()
    for plan in overdue:
        decision = PlanEvent(
            plan_id=plan.plan_id, export_id=plan.event.export_id, decision="expired", at=now
        )
        memory.fold(decision)
    return [plan.plan_id for plan in overdue]
