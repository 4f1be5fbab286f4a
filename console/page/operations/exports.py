"""Exports: all that are known, and one with what it read, changed, refused, holds and owes.

Rule 1: what an export is comes from the last look, so it is there while servers are away; which
        pets it changed, from the tables.
Rule 2: what lies between it and the one before is read from the topics by a command, when asked.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from console.find.criteria import parse_id
from console.inspect.database_reader import Unavailable
from console.inspect.trouble import times
from console.page import CurrentSettings, rendering
from console.page.command_runner import CommandRunner
from console.page.database import Database, cards
from console.page.look import NoLook
from console.page.operations.chart import Chart, chart
from console.page.operations.last_look import PATIENT_S, LookKeeper
from consumers.engine.queries import query

OPS: Final = ("added", "updated", "removed", "relisted")
_A_PAGE: Final = 60
_DIFF_DEADLINE_S: Final = 120.0
PATH: Final = r"/exports/{export_id:[0-9][0-9TZ:.-]{0,60}}"
"""Of an export's page."""


class ExportStep(NamedTuple):
    """A step of an export: what happened when, and how long after the one before."""

    what: str
    at: datetime
    after_s: float | None


def routes(looks: ExportLooks) -> list[web.RouteDef]:
    """Return the routes of exports' pages."""

    async def every(_request: web.Request) -> web.Response:
        look = await looks.every()
        return look.page() if isinstance(look, NoLook) else rendering.page("exports.html", **look)

    async def show(request: web.Request) -> web.Response:
        look = await looks.details(request)
        return look.page() if isinstance(look, NoLook) else rendering.page("export.html", **look)

    async def diff(request: web.Request) -> web.Response:
        look = await looks.diff(request)
        return look.page() if isinstance(look, NoLook) else rendering.page("diff.html", diff=look)

    return [web.get("/exports", every), web.get(PATH, show), web.get(f"{PATH}/diff", diff)]


def chart_of(status: dict[str, Any]) -> Chart:
    """Return the chart of a status' exports."""
    return chart(status["exports"], {plan["exportId"] for plan in status["heldPlans"]})


def stages(export: dict[str, Any]) -> list[ExportStep]:
    """Return the steps of an export that are known, first to last."""
    landed = [file["modifiedAt"] for file in export["files"]]
    known = [
        ("RescueGroups began to make it", export["startAt"]),
        ("its last file lay on the server", max(landed, default=None)),
        ("reading began", export["startedAt"]),
        (f"it was {export['state']}", export["endedAt"]),
    ]
    steps: list[ExportStep] = []
    for what, moment in known:
        if moment is not None:
            at = times.parsed(moment)
            after = (at - steps[-1].at).total_seconds() if steps else None
            steps.append(ExportStep(what, at, after if after is None or after >= 0 else None))
    return steps


class ExportLooks:
    """What the pages of exports show, and `/api` answers."""

    def __init__(
        self, keeper: LookKeeper, current: CurrentSettings, database: Database,
        commands: CommandRunner,
    ) -> None:  # fmt: skip
        """Look by these."""
        self._keeper, self._current_settings = keeper, current
        self._database, self._commands = database, commands

    async def every(self) -> dict[str, Any] | NoLook:
        """Return all that are known."""
        last = await self._keeper.get(PATIENT_S)
        if last.status is None:
            return NoLook(503, f"Kafka can't be read: {last.problem}.")
        return {"status": last.status, "chart": chart_of(last.status), "last": last}

    async def details(self, request: web.Request) -> dict[str, Any] | NoLook:
        """Return one, and a page of the pets that it changed."""
        last, export_id = await self._keeper.get(PATIENT_S), request.match_info["export_id"]
        if last.status is None:
            return NoLook(503, f"Kafka can't be read: {last.problem}.")
        exports = last.status["exports"]
        place = next((n for n, e in enumerate(exports) if e["exportId"] == export_id), None)
        if place is None:
            reason = (
                f"The last {len(exports)} are; an older one is told of by petstream tail exports "
                "--from-beginning."
            )
            return NoLook(404, reason, "/exports", f"No export {export_id} is known here")
        export = exports[place]
        op = request.query.get("op", "")
        op = op if op in OPS else next((op for op in OPS if export["counts"]["pets"][op]), "added")
        changed = await self._changed(export_id, op, parse_id(request.query.get("after", "")) or 0)
        older = next((e for e in exports[place + 1 :] if e["state"] == "completed"), None)
        return changed | {
            "export": export, "stages": stages(export), "ops": OPS, "op": op,
            "newer": exports[place - 1]["exportId"] if place else None,
            "older": exports[place + 1]["exportId"] if place + 1 < len(exports) else None,
            "has_diff": export["state"] == "completed" and older is not None,
            "plans": [p for p in last.status["heldPlans"] if p["exportId"] == export_id],
            "debts": last.status["debts"]["owed"] if place == 0 else [], "last": last,
        }  # fmt: skip

    async def _changed(self, export_id: str, op: str, after: int) -> dict[str, Any]:
        """Return which pets it changed, a page of them, and which rows it refused."""
        rows = await self._database.rows(
            pets=(query("pets_of_export", "console"), (export_id, op, after)),
            refused=(query("letters_of_export", "console"), (export_id,)),
        )
        if isinstance(rows, Unavailable):
            return {"pets": [], "after": None, "more": None, "refused": [], "away": rows.reason}
        pets = rows["pets"]
        more = pets[_A_PAGE - 1]["animal_id"] if len(pets) > _A_PAGE else None
        return {
            "pets": cards(pets[:_A_PAGE]),
            "after": more,
            "more": more and urlencode({"op": op, "after": more}),
            "refused": rows["refused"],
            "away": None,
        }

    async def diff(self, request: web.Request) -> dict[str, Any] | NoLook:
        """Return what lies between it and the completed one before."""
        last, export_id = await self._keeper.get(PATIENT_S), request.match_info["export_id"]
        settings = self._current_settings()
        if last.status is None or settings is None:
            return NoLook(503, "Kafka can't be read.")
        completed = [e["exportId"] for e in last.status["exports"] if e["state"] == "completed"]
        if export_id not in completed[:-1]:
            return NoLook(404, f"There is no export before {export_id} to compare it with.")
        older = completed[completed.index(export_id) + 1]
        result = await self._commands.run(
            settings, "diff", "--json", older, export_id, within_s=_DIFF_DEADLINE_S
        )
        if result.document is None:
            status_code = 503 if result.status is None else 409
            return NoLook(status_code, result.error, f"/exports/{export_id}")
        document: dict[str, Any] = result.document
        return document
