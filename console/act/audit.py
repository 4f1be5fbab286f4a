"""`audit`: the tables compared with the folded log, told, and put right where that is asked for.

Rule 1: counts first, then at most 20 keys of each kind.
Rule 2: status 0 if nothing differs (any more), 1 if something does; lag is told, and is none.
"""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Final

from console.embedded.endpoints import database_of, kafka_of
from console.inspect.wording import cut
from console.runtime import signals
from console.runtime.output import note, say
from petstream.settings import load

if TYPE_CHECKING:
    from consumers.audit.compare import Audit, Difference
    from consumers.audit.repair import Refused

_SHOWN: Final = 20
_MEANINGS: Final = {
    "missing": "the log has it, the table hasn't",
    "behind": "the row is of an older event than the newest of the log",
    "listing": "row and log disagree about whether it is listed",
    "ahead": "the row is newer than the log, which has lost records: the next scrub mends it",
}


def audit(options: Namespace) -> int:
    """Compare, tell and, with ``--repair``, put right."""
    settings = load()
    kafka, database = kafka_of(settings, note), database_of(settings, note)

    async def work(_stopping: asyncio.Event) -> int:
        from consumers.audit.compare import audit as compare  # noqa: PLC0415  commands import what they need
        from consumers.audit.compare import away_told  # noqa: PLC0415  the same
        from consumers.audit.repair import repair  # noqa: PLC0415  the same

        found = await compare(kafka, database, settings.topic_prefix)
        for line in told(found):
            say(line)
        if not options.repair or not found.mendable:
            return 0 if found.equal else 1
        with away_told():
            refused = await repair(found.mendable, kafka, database, settings)
        after = await compare(kafka, database, settings.topic_prefix)
        for line in told_repair(found, after, refused):
            say(line)
        return 0 if after.equal else 1

    return signals.run(work, stopped_status=1)


def told(found: Audit) -> Iterator[str]:
    """Say what a comparison found."""
    known = ", ".join(f"{number:,} {table}" for table, number in found.keys.items())
    export = found.completed.export_id if found.completed else "none yet"
    yield f"the log: {known}; last completed export: {export}"
    for name, behind in found.behind.items():
        if behind.records:
            never = "" if behind.begun else ", and has not begun"
            yield f"consumer {name} has {behind.records:,} records before it{never}: no difference"
    if found.passed_over:
        yield f"{found.passed_over:,} records are no events of petstream, and were passed over"
    for line in found.lost:
        yield f"the log lost records: {line}; nothing is repaired until the next scrub"
    if not found.differences:
        yield "the tables are what the log says" if found.equal else "no row differs"
    kinds = groupby(sorted(found.differences), key=lambda one: (one.table, one.kind))
    for (table, kind), some in kinds:
        differing = list(some)
        yield f"{table} {kind}: {len(differing):,} ({_MEANINGS[kind]})"
        yield from map(_line, differing[:_SHOWN])
        if len(differing) > _SHOWN:
            yield f"  and {len(differing) - _SHOWN:,} more"


def told_repair(before: Audit, after: Audit, refused: list[Refused]) -> Iterator[str]:
    """Say what a repair came to."""
    left = len(after.differences)
    yield f"put right: {max(0, len(before.differences) - left):,}; still different: {left:,}"
    for one in refused[:_SHOWN]:
        place = f"{one.record.place.topic}/{one.record.place.partition}/{one.record.offset}"
        yield f"  refused again: {place} ({one.reason}: {cut(one.message, 200)})"


def _line(one: Difference) -> str:
    newest = one.newest
    where = "" if newest is None else (
        f", newest event at {newest.place.topic}/{newest.place.partition}/{newest.offset}"
    )  # fmt: skip
    parked = f", refused as {one.parked}: see 'petstream dead-letters list'" if one.parked else ""
    return f"  {one.key}{where}{parked}"
