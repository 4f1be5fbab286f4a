"""The snapshot sweep: what is listed below the newest snapshot, and wasn't stated again, has left.

Rule 1: only what the folded log doesn't list either is swept, and only while the records are there
        that the snapshot's *completed* names as the log's ends: so however far the consumers are,
        and whatever their positions know, nothing that the log lists is taken off the lists.
Rule 2: a tombstone takes the snapshot's sequence and the lowest digest: whatever is said from there
        on wins by itself. A picture set leaves with its pet.
Rule 3: above the removal limits the sweep is held as a plan, here in Postgres alone; the rest goes.
Rule 4: a plan is said anew as long as it is held; a newer snapshot supersedes it. What a person
        kept, stays until then.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from consumers.audit.compare import Audit, AuditedTable
from consumers.audit.folded_log import Snapshot
from consumers.audit.losses import SweepEntity, losses
from consumers.engine.postgres import Connection
from consumers.engine.queries import query
from petstream.metrics import SWEEPS_HELD, SWEPT
from petstream.setting_values import RemovalLimits

PLAN_SUFFIX: Final[Mapping[SweepEntity, str]] = {"pets": ".sweep", "orgs": ".sweep.orgs"}
"""What is behind the export's id in the id of a plan; the second one of an export has ``.2``."""

_GATED: Final[Mapping[SweepEntity, AuditedTable]] = {"pets": "pets", "orgs": "organizations"}
_QUERIES: Final[Mapping[AuditedTable, str]] = {
    "pets": "sweep_pets",
    "organizations": "sweep_organizations",
    "pictures": "sweep_picture_sets",
}
for _table in _QUERIES:
    SWEPT.labels(_table)  # from 0 on: a first one is an increase

_log = logging.getLogger(__name__)


async def sweep(
    connection: Connection, audit: Audit, limits: RemovalLimits
) -> dict[AuditedTable, int]:
    """Take off the lists what a comparison found to have left; return how many rows of each table.

    Raises as asyncpg does.
    """
    swept: dict[AuditedTable, int] = {}
    if audit.snapshot is None or not audit.sweepable:
        return swept
    left = {
        table: [
            each.key for each in audit.differences if (each.table, each.kind) == (table, "left")
        ]
        for table in _QUERIES
    }
    async with connection.transaction():
        for entity, table in _GATED.items():
            if await _passes(connection, entity, left[table], audit.snapshot, limits):
                swept[table] = await _take(connection, table, left[table], audit.snapshot)
        swept["pictures"] = await _take(connection, "pictures", left["pictures"], audit.snapshot)
        SWEEPS_HELD.set(len((await losses(connection)).held))
    for table, count in swept.items():
        SWEPT.labels(table).inc(count)
    if any(swept.values()):
        what = ", ".join(f"{count:,} {table}" for table, count in swept.items() if count)
        _log.warning(
            "the snapshot of %s sweeps %s: they left unseen", audit.snapshot.export_id, what
        )
    return swept


async def is_anything_left(connection: Connection, snapshot: Snapshot) -> bool:
    """Return whether a row may be to be swept that no plan holds, or a plan is to be superseded."""
    known = await losses(connection)
    for name, entity, unstated in (
        ("pets_below", "pets", snapshot.unstated.pets),
        ("organizations_below", "orgs", snapshot.unstated.orgs),
        ("picture_sets_below", "pets", snapshot.unstated.pets),
    ):
        waiting = {
            key
            for plan in known.plans
            if plan.state in {"held", "rejected"}
            and (plan.entity, plan.snapshot) == (entity, snapshot.sequence)
            for key in plan.keys
        }
        rows = await connection.fetch(query(name), snapshot.sequence)
        if not {row["key"] for row in rows} <= waiting.union(unstated):
            return True
    return any(plan.snapshot < snapshot.sequence for plan in known.held)


async def _passes(
    connection: Connection,
    entity: SweepEntity,
    left: Sequence[int],
    snapshot: Snapshot,
    limits: RemovalLimits,
) -> bool:
    """Return whether these may go; if not, hold them (rule 3). Supersedes older plans."""
    counts = await connection.fetchrow(query("listed_counts"))
    listed = 0 if counts is None else counts[entity]
    reasons = limits.passed(len(left), listed, entity)
    void = "a newer snapshot came" if reasons else "what is left of it is within the limits"
    await connection.execute(
        query("supersede_sweeps"), entity, snapshot.sequence, not reasons, void
    )
    if reasons:
        await _hold(connection, entity, left, snapshot, "; ".join(reasons))
    return not reasons


async def _hold(
    connection: Connection,
    entity: SweepEntity,
    left: Sequence[int],
    snapshot: Snapshot,
    reason: str,
) -> None:
    taken = {plan.plan_id for plan in (await losses(connection)).plans}
    news = await connection.fetchval(
        query("hold_sweep"), _free(f"{snapshot.export_id}{PLAN_SUFFIX[entity]}", taken),
        snapshot.export_id, snapshot.sequence, entity, f"snapshot sweep: {reason}", left,
        snapshot.at,
    )  # fmt: skip
    if news is not None:
        _log.warning("the sweep is held: %s; see 'petstream removals show %s'", reason, news)


def _free(name: str, taken: Collection[str]) -> str:
    """Return the name, or its next number that is free.

    >>> _free("x.sweep", {"x.sweep", "x.sweep.2"})
    'x.sweep.3'
    """
    number, wanted = 1, name
    while wanted in taken:
        number += 1
        wanted = f"{name}.{number}"
    return wanted


async def _take(
    connection: Connection, table: AuditedTable, keys: Sequence[int], snapshot: Snapshot
) -> int:
    if not keys:
        return 0
    status = await connection.execute(
        query(_QUERIES[table]), keys, snapshot.sequence, snapshot.at, snapshot.export_id
    )
    return int(status.rpartition(" ")[2])
