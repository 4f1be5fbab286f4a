"""Makes answers of what the operator's pages show. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import convert

from console.page.api.answers import (
    ExportDetails,
    ExportList,
    ExportStage,
    ExportSummary,
    Freshness,
    OwedDebt,
    PetCard,
    PlanDetails,
    RefusedLetter,
    WaitingPlan,
)
from console.page.api.front_answers import (
    GoingOn,
    Happened,
    Overview,
    Standing,
    Trouble,
    WorkProgress,
)
from console.page.database import Card
from console.page.operations.last_look import LastLook
from console.page.operations.trends import Progress


def overview(look: Mapping[str, Any]) -> Overview:
    """Return the front page."""
    headline, status = look["headline"], look.get("status")
    return Overview(
        freshness=_freshness(look["last"]),
        level=headline.level,
        text=headline.text,
        detail=headline.detail,
        problems=convert(look["wrong"], list[Trouble]),
        progress=progress(look),
        happened=[convert(entry._asdict(), Happened) for entry in look.get("timeline", ())],
        standing=None if status is None else _standing(status, look["last"]),
    )


def progress(look: Mapping[str, Any]) -> GoingOn:
    """Return what is going on, of what the front page shows."""
    reading: Progress | None = look.get("reading")
    return GoingOn(
        freshness=_freshness(look["last"]),
        export_id=look["status"]["exports"][0]["exportId"] if reading else None,
        reading=None if reading is None else _work(reading),
        behind={name: _work(step) for name, step in look.get("behind", {}).items()},
        pictures=_work(look["picturing"]) if look.get("picturing") else None,
    )


def export_list(look: Mapping[str, Any]) -> ExportList:
    """Return all exports."""
    return ExportList(
        freshness=_freshness(look["last"]),
        exports=convert(look["status"]["exports"], list[ExportSummary]),
    )


def export_details(look: Mapping[str, Any]) -> ExportDetails:
    """Return an export."""
    return ExportDetails(
        freshness=_freshness(look["last"]),
        export=convert(look["export"], ExportSummary),
        stages=[ExportStage(step.what, step.at, step.after_s) for step in look["stages"]],
        plans=convert(look["plans"], list[WaitingPlan]),
        debts=convert(look["debts"], list[OwedDebt]),
        older=look["older"],
        newer=look["newer"],
        op=look["op"],
        pets=_cards(look["pets"]),
        after=look["after"],
        refused=convert(look["refused"], list[RefusedLetter]),
        unknown=look["away"],
    )


def plan_details(look: Mapping[str, Any]) -> PlanDetails:
    """Return a plan."""
    plan, advice = look["plan"], look["advice"]
    said = {
        "planId": look["plan_id"],
        "exportId": plan.get("exportId"),
        "entity": plan.get("entity"),
        "state": plan["state"],
        "heldAt": plan.get("heldAt"),
        "removals": look["removals"],
        "seen": look["seen"],
        "recommendation": advice._asdict(),
        "organizations": look["organizations"],
        "shares": camel([share._asdict() for share in look["shares"]]),
        "who": look["shown"],
        "pets": _cards(look["pets"]),
        "after": look["last"] if look["last"] < look["removals"] else None,
    }
    return convert(said, PlanDetails)


def camel(value: Any) -> Any:
    """Return rows of tables with names as JSON has them.

    >>> camel([{"org_id": 1, "class": "row"}])
    [{'orgId': 1, 'class': 'row'}]
    """
    if isinstance(value, dict):
        return {_camel_name(name): camel(part) for name, part in value.items()}
    return [camel(part) for part in value] if isinstance(value, list) else value


def _camel_name(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _standing(status: Mapping[str, Any], last: LastLook) -> Standing:
    said = {
        **status,
        "debts": status["debts"]["owed"],
        "picturesAt": last.pictures_at,
        "deadLetters": status["deadLetters"]["byReason"],
        "postgres": status["postgres"]["detail"],
    }
    return convert(said, Standing)


def _freshness(last: LastLook) -> Freshness:
    looked_at = None if last.status is None else last.status["at"]
    said = {"lookedAt": looked_at, "problem": last.problem, "staleSince": last.stale_since}
    return convert(said, Freshness)


def _work(step: Progress) -> WorkProgress:
    return WorkProgress(step.done, step.total, step.per_s, step.left_s)


def _cards(cards: list[Card]) -> list[PetCard]:
    return [
        PetCard(card.animal_id, card.name, card.about, card.status, card.picture) for card in cards
    ]
