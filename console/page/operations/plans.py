"""Held removals: which there are, whom one would remove, what speaks for it, and the decision.

Rule 1: the token comes with every decision (`console.page.operations.token`).
Rule 2: a decision is asked for twice: the second time the page names what it would do, in numbers.
Rule 3: the decision is the command's: `petstream removals approve|reject`.
Rule 4: who would go is read from the topics, by a command; pictures, names and shares of
        organisations from the tables. Without the tables the page still shows and decides.
"""

from __future__ import annotations

import time
from typing import Any, Final

from aiohttp import web

from console.find.criteria import parse_id
from console.inspect.database_reader import Unavailable
from console.page import rendering
from console.page.command_runner import CommandResult
from console.page.database import cards, no_tables
from console.page.look import NoLook
from console.page.operations.advice import OrganizationShare, advise, seen
from console.page.operations.desk import NOT_YET, DecisionDesk
from console.page.operations.token import one_line, posted_form, refused
from consumers.engine.queries import query
from petstream.settings import Settings

_SHOW_DEADLINE_S: Final = 60.0
_DECIDE_DEADLINE_S: Final = 180.0
_KEPT_S: Final = 60.0
_A_PAGE: Final = 60
_SHOWN_ORGANIZATIONS: Final = 12
_LONGEST_NAME: Final = 60
_LONGEST_REASON: Final = 500
PATH: Final = r"/plans/{plan_id:[A-Za-z0-9][A-Za-z0-9:._-]{0,120}}"
"""Of a plan's page."""
_ACTIONS: Final = ("approve", "reject")


def routes(looks: PlanLooks, desk: DecisionDesk) -> list[web.RouteDef]:
    """Return the routes of held removals' pages."""
    pages = _PlanPages(looks, desk)
    return [
        web.get("/plans", pages.every),
        web.get(PATH, pages.show),
        web.post(PATH, pages.decide),
    ]


class PlanLooks:
    """What the pages of held removals show, and `/api` answers."""

    def __init__(self, desk: DecisionDesk) -> None:
        """Look by what the desk has."""
        self._desk = desk
        self._kept: tuple[str, float, CommandResult] | None = None

    async def every(self) -> dict[str, Any] | NoLook:
        """Return which plans there are."""
        rows = await self._desk.database.rows(plans=(query("plans_of_late", "console"), ()))
        return no_tables(rows) if isinstance(rows, Unavailable) else {"plans": rows["plans"]}

    async def details(self, plan_id: str, after: int) -> dict[str, Any] | NoLook:
        """Return a plan, and a page of whom it would remove."""
        settings = self._desk.current_settings()
        if settings is None:
            return NOT_YET
        result = await self._plan(settings, plan_id)
        plan = result.document
        if plan is None:
            return NoLook(503 if result.status is None else 404, result.error)
        removals: list[dict[str, Any]] = plan.get("removals", [])
        shown = removals[after : after + _A_PAGE]
        shares, pets = await self._from_tables(plan, removals, shown)
        reason = plan.get("reason")
        return {
            "plan_id": plan_id, "plan": plan, "is_held": plan["state"] == "held",
            "can_decide": settings.console_token is not None, "seen": seen(reason),
            "advice": advise(reason, shares), "shares": shares[:_SHOWN_ORGANIZATIONS],
            "organizations": len(shares), "pets": pets, "shown": shown,
            "others": _others(shown, pets), "removals": len(removals), "after": after,
            "last": after + len(shown), "a_page": _A_PAGE,
        }  # fmt: skip

    def forget(self) -> None:
        """Read the plan anew next time: it was decided."""
        self._kept = None

    async def _plan(self, settings: Settings, plan_id: str) -> CommandResult:
        """Read a plan, unless that was done just now: its pages are many."""
        now = time.monotonic()
        if self._kept is not None:
            kept_id, at, result = self._kept
            if kept_id == plan_id and now - at < _KEPT_S:
                return result
        result = await self._desk.commands.run(
            settings, "removals", "show", "--json", plan_id, within_s=_SHOW_DEADLINE_S
        )
        if result.document is not None and len(result.document.get("removals", ())) > _A_PAGE:
            self._kept = plan_id, now, result
        return result

    async def _from_tables(
        self, plan: dict[str, Any], removals: list[dict[str, Any]], shown: list[dict[str, Any]]
    ) -> tuple[list[OrganizationShare], list[Any]]:
        """Return the shares of organisations, and the cards of this page's pets."""
        if plan.get("entity") != "pets" or not removals:
            return [], []
        ids = [removal["key"] for removal in removals]
        rows = await self._desk.database.rows(
            shares=(query("plan_shares", "console"), (ids,)),
            pets=(query("pets_by_id", "console"), ([removal["key"] for removal in shown],)),
        )
        if isinstance(rows, Unavailable):
            return [], []
        shares = [
            OrganizationShare(row["org_id"], row["name"], row["leaving"], row["listed"])
            for row in rows["shares"]
        ]
        return shares, list(cards(rows["pets"]))


class _PlanPages:
    """Shows plans and takes decisions."""

    def __init__(self, looks: PlanLooks, desk: DecisionDesk) -> None:
        self._looks, self._desk = looks, desk

    async def every(self, _request: web.Request) -> web.Response:
        """Show which plans there are."""
        look = await self._looks.every()
        return look.page() if isinstance(look, NoLook) else rendering.page("plans.html", **look)

    async def show(self, request: web.Request) -> web.Response:
        """Show a plan."""
        wanted = request.query.get("decide", "")
        return await self._page(
            request.match_info["plan_id"],
            deciding=wanted if wanted in _ACTIONS else "",
            after=parse_id(request.query.get("after", "")) or 0,
        )

    async def decide(self, request: web.Request) -> web.Response:
        """Approve or reject a plan."""
        form = await posted_form(request)
        action = "" if form is None else form.get("action", "")
        if form is not None and action not in _ACTIONS:
            return refused(400, "It is approve or reject.")
        admitted = await self._desk.admit(request, form, f"{request.path}?decide={action}#decide")
        if isinstance(admitted, web.Response):
            return admitted
        settings, form, plan_id = admitted.settings, admitted.form, request.match_info["plan_id"]
        options = [f"--by={one_line(form.get('by', ''), _LONGEST_NAME) or 'console'}"]
        reason = one_line(form.get("reason", ""), _LONGEST_REASON)
        options += [f"--reason={reason}"] if reason else []
        result = await self._desk.commands.run(
            settings, "removals", action, *options, plan_id, within_s=_DECIDE_DEADLINE_S
        )
        self._looks.forget()
        if result.status:
            return await self._page(plan_id, result.error, 409)
        if result.status is None:
            return await self._page(plan_id, f"{result.error}. See below.", 504)
        raise web.HTTPSeeOther(request.path)

    async def _page(
        self,
        plan_id: str,
        refusal: str | None = None,
        status_code: int = 200,
        *,
        deciding: str = "",
        after: int = 0,
    ) -> web.Response:
        look = await self._looks.details(plan_id, after)
        if isinstance(look, NoLook):
            return look.page()
        return rendering.page(
            "plan.html", status_code=status_code, refusal=refusal, deciding=deciding, **look
        )


def _others(shown: list[dict[str, Any]], pets: list[Any]) -> list[dict[str, Any]]:
    """Return those of a page that the tables don't list: organisations, and who left already."""
    known = {pet.animal_id for pet in pets}
    return [removal for removal in shown if removal["key"] not in known]
