"""What happened last: exports, held removals and what became of them, newest first. Pure."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from console.inspect.formatting import counted

_SHOWN: Final = 12


class TimelineEntry(NamedTuple):
    """Something that happened; `level` is ``good``, ``warn``, ``bad`` or nothing."""

    at: str
    what: str
    level: str = ""


def timeline(status: dict[str, Any]) -> list[TimelineEntry]:
    """Return what happened last, of a document as `petstream status --json` prints it."""
    entries = [entry for export in status["exports"] for entry in _of_export(export)]
    for plan in status["heldPlans"] + status["expiredPlans"]:
        what = counted(plan["removals"], f"removals of {plan['entity']}")
        if not plan["removals"]:
            what = f"who left of the {plan['entity']} can't be told: their removals are"
        state = "held: they wait for a person" if plan["decide"] else "held, and expired undecided"
        entries.append(TimelineEntry(plan["heldAt"], f"{what} {state}", "warn"))
    entries += [entry for debt in status["debts"]["owed"] for entry in _of_debt(debt)]
    entries += [entry for debt in status["debts"]["paid"] for entry in _of_debt(debt)]
    return sorted(entries, key=lambda entry: entry.at, reverse=True)[:_SHOWN]


def _of_debt(debt: dict[str, Any]) -> list[TimelineEntry]:
    entries = []
    if debt["since"] is not None:
        entries.append(TimelineEntry(debt["since"], debt["reason"], "bad"))
    if "paidBy" in debt:
        what = "snapshot" if debt["owes"] == "snapshot" else "whole read"
        paid = f"the {what} that was owed is done: {debt['paidBy']}"
        entries.append(TimelineEntry(debt["paidAt"], paid, "good"))
    return entries


def _of_export(export: dict[str, Any]) -> list[TimelineEntry]:
    name, pets = f"export {export['exportId']}", export["counts"]["pets"]
    if export["state"] == "completed":
        counts = ", ".join(f"{pets[kind]:,} {kind}" for kind in ("added", "updated", "removed"))
        return [TimelineEntry(export["endedAt"], f"{name} completed: {counts}", "good")]
    if export["state"] == "failed":
        reason = f"{name} can't be read: {export['reason']}"
        return [TimelineEntry(export["endedAt"], reason, "bad")]
    return [TimelineEntry(export["startedAt"], f"{name} begun")] if export["startedAt"] else []
