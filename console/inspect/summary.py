"""The summary of a run, in a few lines for a person. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from console.inspect import formatting
from ingest.run import Result
from petstream.events import Counts


def lines(result: Result) -> Iterator[str]:
    """Return the summary of a run: counts, findings, and what waits for a decision."""
    outcome = result.outcome
    if outcome is None:
        yield f"export {result.export_id} was completed before: nothing new"
    else:
        yield from outcome.notes
        yield f"export {outcome.export_id} ({outcome.mode}) is completed"
        yield f"  pets: {counted(outcome.counts.pets)}"
        yield f"  organizations: {counted(outcome.counts.orgs)}"
    for plan_id in result.held:
        yield f"removals are held: petstream removals show {plan_id}"


def document(result: Result) -> dict[str, Any]:
    """Return the summary of a run as plain JSON types; `state` is `unchanged` for nothing new."""
    outcome = result.outcome
    return {
        "exportId": result.export_id,
        "state": "unchanged" if outcome is None else "completed",
        "mode": None if outcome is None else outcome.mode,
        "counts": None
        if outcome is None
        else {
            "pets": msgspec.to_builtins(outcome.counts.pets),
            "orgs": msgspec.to_builtins(outcome.counts.orgs),
        },
        "notes": [] if outcome is None else list(outcome.notes),
        "heldPlans": list(result.held),
    }


def counted(counts: Counts) -> str:
    """Return counts as one line, without what is zero."""
    parts = [f"{formatting.counted(counts.read, 'rows')} read"]
    for name in ("added", "updated", "relisted", "removed", "unchanged", "refused"):
        number = getattr(counts, name)
        if number:
            parts.append(f"{number:,} {name}")
    return ", ".join(parts)
