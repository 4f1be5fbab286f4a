"""`audit`: the tables compared with the folded log, and put right where that is asked for.

Rule 1: counts first, then at most 20 keys of each kind.
Rule 2: status 0 if nothing differs (any more), 1 if something does; lag is shown, and is none.
"""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from console.embedded.endpoints import database_of, kafka_of
from console.inspect.formatting import shortened
from console.runtime import signals
from console.runtime.output import note, print_document, say
from petstream.settings import load

if TYPE_CHECKING:
    from consumers.audit.compare import Audit, Difference
    from consumers.audit.repair import RepairRefused

_SHOWN: Final = 20
_MEANINGS: Final = {
    "missing": "the log has it, the table hasn't",
    "behind": "the row is of an older event than the newest of the log",
    "listing": "row and log disagree about whether it is listed",
    "ahead": "the row is newer than the log, which lost records: a snapshot is asked for, and "
    "settles it",
    "left": "the newest snapshot doesn't state it: the next sweep takes it off the lists, or a "
    "person decides",
}


def audit(options: Namespace) -> int:
    """Compare, print and, with ``--repair``, put right."""
    settings = load()
    kafka, database = kafka_of(settings, note), database_of(settings, note)

    say_line = note if options.json else say

    async def work(_stopping: asyncio.Event) -> int:
        from consumers.audit.compare import audit as compare  # noqa: PLC0415  commands import what they need
        from consumers.audit.compare import unreachable_if_away  # noqa: PLC0415  the same
        from consumers.audit.repair import repair  # noqa: PLC0415  the same

        before = await compare(kafka, database, settings.topic_prefix)
        for line in described(before):
            say_line(line)
        if not options.repair or not before.repairable:
            if options.json:
                print_document(audit_document(before))
            return 0 if before.equal else 1
        with unreachable_if_away():
            refused = await repair(before.repairable, kafka, database, settings.pictures)
        after = await compare(kafka, database, settings.topic_prefix)
        for line in described_repair(before, after, refused):
            say_line(line)
        if options.json:
            print_document(audit_document(after) | {"repair": _repair_document(before, refused)})
        return 0 if after.equal else 1

    return signals.run(work, stopped_status=1)


def audit_document(result: Audit) -> dict[str, Any]:
    """Return what a comparison found, as plain JSON types: every difference, not only the first."""
    question = result.losses.question
    return {
        "equal": result.equal,
        "completedExportId": result.completed.export_id if result.completed else None,
        "keys": dict(result.keys),
        "lag": [
            {"consumer": name, "records": lag.records, "begun": lag.begun}
            for name, lag in result.lags.items()
        ],
        "passedOver": result.passed_over,
        "lost": list(result.lost),
        "differences": [
            {
                "table": difference.table,
                "kind": difference.kind,
                "key": difference.key,
                "newestEventAt": _newest_at(difference),
                "refusedBecause": difference.refused_because,
                "sequence": difference.sequence,
            }
            for difference in sorted(result.differences, key=_order)
        ],
        "unstated": result.unstated,
        "snapshot": None
        if result.snapshot is None
        else {"sequence": result.snapshot.sequence, "exportId": result.snapshot.export_id},
        "asked": None
        if question is None
        else {
            "askedBy": question.asked_by,
            "sequence": question.sequence,
            "reason": question.reason,
            "askedAt": question.asked_at.isoformat(),
        },
        "rewritten": [
            {
                "consumer": position.consumer,
                "partition": str(position.partition),
                "offset": position.offset,
                "recordId": position.record_id,
                "standing": position.standing,
                "foundAt": position.found_at.isoformat(),
                "settled": position.settled,
            }
            for position in result.losses.rewritten
        ],
        "sweepPlans": [
            {
                "planId": plan.plan_id,
                "entity": plan.entity,
                "count": len(plan.keys),
                "state": plan.state,
            }
            for plan in result.losses.plans
        ],
        "repair": None,
    }


def _repair_document(before: Audit, refused: list[RepairRefused]) -> dict[str, Any]:
    return {
        "differencesBefore": len(before.differences),
        "refused": [
            {
                "origin": refusal.record.origin,
                "reason": refusal.reason,
                "message": refusal.message,
            }
            for refusal in refused
        ],
    }


def _newest_at(difference: Difference) -> str | None:
    return None if difference.newest is None else difference.newest.origin


def described(result: Audit) -> Iterator[str]:
    """Say what a comparison found."""
    known = ", ".join(f"{number:,} {table}" for table, number in result.keys.items())
    export = result.completed.export_id if result.completed else "none yet"
    yield f"the log: {known}; last completed export: {export}"
    for name, lag in result.lags.items():
        if lag.records:
            never = "" if lag.begun else ", and has not begun"
            yield f"consumer {name} has {lag.records:,} records before it{never}: no difference"
    if result.passed_over:
        yield f"{result.passed_over:,} records are no events of petstream, and were passed over"
    yield from result.lost
    yield from _loss_lines(result)
    if not result.differences:
        yield "the tables are what the log says" if result.equal else "no row differs"
    kinds = groupby(
        sorted(result.differences, key=_order),
        key=lambda difference: (difference.table, difference.kind),
    )
    for (table, kind), group in kinds:
        differing = list(group)
        yield f"{table} {kind}: {len(differing):,} ({_MEANINGS[kind]})"
        yield from map(_line, differing[:_SHOWN])
        if len(differing) > _SHOWN:
            yield f"  and {len(differing) - _SHOWN:,} more"


def _loss_lines(result: Audit) -> Iterator[str]:
    """Say what is owed where the log lost records, and how it stands."""
    for position in result.losses.rewritten:
        if not position.settled:
            yield (
                f"consumer {position.consumer} found {position.partition} rewritten at "
                f"{position.found_at:%Y-%m-%dT%H:%M:%SZ}, and reads it from the beginning"
            )
    question = result.losses.question
    if question is not None:
        yield (
            f"a snapshot above {question.sequence} is asked for: the log lacks what the tables "
            f"hold ({question.reason}): the next export that is read whole makes it"
        )
    for plan in result.losses.held:
        yield (
            f"a sweep of {len(plan.keys):,} {plan.entity} is held: "
            f"'petstream removals show {plan.plan_id}'"
        )
    if result.unstated:
        yield (
            f"{result.unstated:,} rows stay as they are: the feed lists them and the newest "
            "snapshot couldn't state them, or a person kept them"
        )


def _order(difference: Difference) -> tuple[str, str, int]:
    return difference.table, difference.kind, difference.key


def described_repair(before: Audit, after: Audit, refused: list[RepairRefused]) -> Iterator[str]:
    """Say what a repair came to."""
    left = len(after.differences)
    yield f"put right: {max(0, len(before.differences) - left):,}; still different: {left:,}"
    for refusal in refused[:_SHOWN]:
        origin = refusal.record.origin
        yield f"  refused again: {origin} ({refusal.reason}: {shortened(refusal.message, 200)})"


def _line(difference: Difference) -> str:
    newest_at, reason = _newest_at(difference), difference.refused_because
    where = "" if newest_at is None else f", newest event at {newest_at}"
    refused = f", refused as {reason}: see 'petstream dead-letters list'" if reason else ""
    return f"  {difference.key}{where}{refused}"
