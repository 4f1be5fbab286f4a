"""What Postgres keeps where the log lost records: positions, the question, plans of sweeps."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Literal, NamedTuple

from consumers.engine.postgres import Connection
from consumers.engine.queries import query
from petstream.kafka.records import TopicPartition

SweepEntity = Literal["pets", "orgs"]


class RewrittenPosition(NamedTuple):
    """A position that wasn't in the log any more; `settled`: the audit has looked since."""

    consumer: str
    partition: TopicPartition
    offset: int
    record_id: str | None
    standing: Literal["lost", "unknown"]
    found_at: datetime
    settled: bool


class Question(NamedTuple):
    """A snapshot that is asked for: one above this sequence."""

    asked_by: str
    sequence: int
    reason: str
    asked_at: datetime


class SweepPlan(NamedTuple):
    """What a sweep would take off the lists, above the removal limits."""

    plan_id: str
    export_id: str
    snapshot: int
    entity: SweepEntity
    reason: str
    keys: tuple[int, ...]
    left_at: datetime
    held_at: datetime
    state: str
    decided_by: str | None
    decision_reason: str | None


class Losses(NamedTuple):
    """All of it, at one moment."""

    rewritten: tuple[RewrittenPosition, ...]
    question: Question | None
    plans: tuple[SweepPlan, ...]

    @property
    def held(self) -> tuple[SweepPlan, ...]:
        """The plans that nobody has decided about."""
        return tuple(plan for plan in self.plans if plan.state == "held")

    def kept(self, entity: SweepEntity, snapshot: int) -> AbstractSet[int]:
        """Return what a person kept on the lists, though this snapshot doesn't state it."""
        return frozenset(
            key
            for plan in self.plans
            if plan.state == "rejected" and (plan.entity, plan.snapshot) == (entity, snapshot)
            for key in plan.keys
        )


async def losses(connection: Connection) -> Losses:
    """Return what is kept."""
    asked = await connection.fetchrow(query("read_question"))
    return Losses(
        rewritten=tuple(
            RewrittenPosition(
                consumer=row["consumer"],
                partition=TopicPartition(row["topic"], row["partition"]),
                offset=row["next_offset"],
                record_id=row["record_id"],
                standing=row["standing"],
                found_at=row["found_at"],
                settled=row["settled_at"] is not None,
            )
            for row in await connection.fetch(query("rewritten_positions"))
        ),
        question=None if asked is None else Question(**asked),
        plans=await sweep_plans(connection),
    )


async def sweep_plans(connection: Connection) -> tuple[SweepPlan, ...]:
    """Return every plan of a sweep, oldest first."""
    rows = await connection.fetch(query("sweep_plans"))
    return tuple(SweepPlan(**dict(row) | {"keys": tuple(row["keys"])}) for row in rows)


async def locked_plan(connection: Connection, plan_id: str) -> SweepPlan | None:
    """Return one plan, locked until the end of the transaction."""
    row = await connection.fetchrow(query("lock_sweep_plan"), plan_id)
    return None if row is None else SweepPlan(**dict(row) | {"keys": tuple(row["keys"])})
