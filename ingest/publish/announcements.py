"""What the ingester says about exports, plans and refused rows: records of their topics. Pure.

Rule 1: exports.v1 has one partition and is read in order; an event's sequence is its export's base.
Rule 2: a plan of more than 10,000 ids comes in parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, Literal

from msgspec import structs

from ingest.changes.comparison import Refused
from ingest.changes.event import Publication, stamp
from ingest.state.export_history import HeldPlan, Identity
from petstream import codec
from petstream.events import ExportEvent, Plan, PlanDecision, PlanEvent
from petstream.sequence import PER_SECOND

IDS_A_PART: Final = 10_000


def export(event: ExportEvent) -> Publication:
    """Return the record of an export's event."""
    return _record(f"export.{event.state}", event.export_id, event.base, event, event.export_id)


def held(
    event: ExportEvent, plan_id: str, entity: Literal["pets", "orgs"], removals: Sequence[int]
) -> Iterator[Publication]:
    """Return the records of a held plan, in parts."""
    parts = max(1, -(-len(removals) // IDS_A_PART))
    for part in range(1, parts + 1):
        ids = tuple(removals[(part - 1) * IDS_A_PART : part * IDS_A_PART])
        yield export(structs.replace(event, plan=Plan(plan_id, part, parts, ids, entity)))


def superseded(plan: HeldPlan, by: Identity, now: datetime) -> Publication:
    """Return the record that a plan is overtaken by a newer export."""
    return decided(plan, "superseded", now, reason=f"by export {by.export_id}")


def decided(
    plan: HeldPlan,
    decision: PlanDecision,
    now: datetime,
    *,
    by: str | None = None,
    reason: str | None = None,
) -> Publication:
    """Return the record of a decision about a plan."""
    event = PlanEvent(
        plan_id=plan.plan_id,
        export_id=plan.event.export_id,
        decision=decision,
        at=now.replace(microsecond=0),
        by=by,
        reason=reason,
    )
    export_id = plan.event.export_id
    return _record(f"removals.{decision}", export_id, plan.event.base, event, export_id)


def refused_row(one: Refused, export_id: str, now: datetime) -> Publication:
    """Return the dead letter of a row: its bytes (the first 2,048), and where it stood."""
    origin = f"{export_id}/{one.file}/{one.row.number}"
    context = codec.headers(
        type_="deadletter.row",
        subject=f"row/{origin}",
        sequence=0,
        export_id=export_id,
        digest=codec.digest(one.row.raw),
        time=now,
    )
    details = {
        "dl_origin": origin,
        "dl_reason": one.row.reason,
        "dl_class": "row",
        "dl_message": one.row.message,
        "dl_file": one.file,
        "dl_row": str(one.row.number),
        "dl_offset": str(one.row.offset),
        "dl_at": stamp(now),
    }
    headers = (*context, *((name, text.encode()) for name, text in details.items()))
    return Publication(origin, one.row.raw, headers)


def _record(
    type_: str, subject: str, base: int, event: ExportEvent | PlanEvent, export_id: str
) -> Publication:
    value = codec.encode(event)
    headers = codec.headers(
        type_=type_,
        subject=f"export/{subject}",
        sequence=base * PER_SECOND,
        export_id=export_id,
        digest=codec.digest(value),
        time=event.at,
    )
    return Publication(export_id, value, headers)
