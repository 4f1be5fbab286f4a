"""What a person decides about a held sweep: applied or kept, in Postgres alone.

Rule 1: approving takes exactly what the plan shows, and of that only what is still listed and older
        than its snapshot.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from consumers.audit.compare import unreachable_if_away
from consumers.audit.losses import SweepPlan, locked_plan, sweep_plans
from consumers.audit.sweep import PLAN_SUFFIX
from consumers.engine.migrate import check_migrated
from consumers.engine.postgres import Connection, connected
from consumers.engine.queries import query
from petstream.errors import UsageError

_QUERIES: Final = {
    "pets": ("sweep_pets", "sweep_picture_sets"),
    "orgs": ("sweep_organizations",),
}


class SweptRow(NamedTuple):
    """Whom a plan would take off the lists."""

    key: int
    name: str | None
    org_id: int | None


def is_sweep(plan_id: str) -> bool:
    """Return whether a plan's id is that of a sweep.

    >>> is_sweep("2026-11-23T08:12:04Z.sweep"), is_sweep("2026-11-23T08:12:04Z.pets")
    (True, False)
    """
    return PLAN_SUFFIX["pets"] in plan_id


async def plans(database_url: str) -> tuple[SweepPlan, ...]:
    """Return every plan of a sweep, oldest first.

    Raises:
        PetstreamError: the database isn't migrated.
        UnreachableError: Postgres is away.
    """
    await check_migrated(database_url)
    with unreachable_if_away():
        async with connected(database_url) as connection:
            return await sweep_plans(connection)


async def describe(database_url: str, plan: SweepPlan) -> list[SweptRow]:
    """Return the names and organisations of what a plan would take; raises as `plans`."""
    with unreachable_if_away():
        async with connected(database_url) as connection:
            rows = await connection.fetch(query(f"names_of_{plan.entity}"), plan.keys)
    named = {row["key"]: SweptRow(**row) for row in rows}
    return [named.get(key, SweptRow(key, None, None)) for key in plan.keys]


async def approve(database_url: str, plan_id: str, *, by: str | None, reason: str | None) -> int:
    """Take a plan's pets or organisations off the lists; return how many.

    Raises:
        UsageError: there is no such plan, or it was decided.
        UnreachableError: Postgres is away.
    """
    with unreachable_if_away():
        async with connected(database_url) as connection, connection.transaction():
            plan = await _undecided(connection, plan_id)
            of_plan = plan.keys, plan.snapshot, plan.left_at, plan.export_id
            swept, *_ = [
                await connection.execute(query(name), *of_plan) for name in _QUERIES[plan.entity]
            ]
            await connection.execute(query("decide_sweep"), plan_id, "approved", by, reason)
            return int(swept.rpartition(" ")[2])


async def reject(database_url: str, plan_id: str, *, by: str | None, reason: str | None) -> None:
    """Keep a plan's pets or organisations on the lists; raises as `approve`."""
    with unreachable_if_away():
        async with connected(database_url) as connection, connection.transaction():
            await _undecided(connection, plan_id)
            await connection.execute(query("decide_sweep"), plan_id, "rejected", by, reason)


async def _undecided(connection: Connection, plan_id: str) -> SweepPlan:
    plan = await locked_plan(connection, plan_id)
    if plan is None:
        raise UsageError(f"there is no plan {plan_id}: 'petstream removals list' shows them")
    if plan.state != "held":
        raise UsageError(f"{plan_id} was {plan.state} already: nothing was done")
    return plan
