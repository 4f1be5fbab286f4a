"""What happened last: exports, held removals and what became of them, newest first. Pure."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

_SHOWN: Final = 12


class Moment(NamedTuple):
    """Something that happened; `level` is ``good``, ``warn``, ``bad`` or nothing."""

    at: str
    what: str
    level: str = ""


def timeline(found: dict[str, Any]) -> list[Moment]:
    """Return the last moments of how everything stands (as `petstream status --json` tells it)."""
    moments = [moment for one in found["exports"] for moment in _of_export(one)]
    for plan in found["heldPlans"] + found["expiredPlans"]:
        what = f"{plan['removals']:,} removals of {plan['entity']}"
        state = "held: they wait for a person" if plan["decide"] else "held, and expired undecided"
        moments.append(Moment(plan["heldAt"], f"{what} {state}", "warn"))
    return sorted(moments, key=lambda one: one.at, reverse=True)[:_SHOWN]


def _of_export(one: dict[str, Any]) -> list[Moment]:
    name, pets = f"export {one['exportId']}", one["counts"]["pets"]
    if one["state"] == "completed":
        counts = ", ".join(f"{pets[kind]:,} {kind}" for kind in ("added", "updated", "removed"))
        return [Moment(one["endedAt"], f"{name} completed: {counts}", "good")]
    if one["state"] == "failed":
        return [Moment(one["endedAt"], f"{name} can't be read: {one['reason']}", "bad")]
    return [Moment(one["startedAt"], f"{name} begun")] if one["startedAt"] else []
