"""A held removal: whom it would remove, and the decision, for whoever has the token.

Rule 1: the token comes with every decision, typed; nothing remembers it, so no other page can
        decide in somebody's name. Requests of other sites don't come so far (`guard`).
Rule 2: after a wrong one nobody decides for `_AFTER_WRONG_S`: it can't be found by trying.
Rule 3: the decision is the command's: `petstream removals approve|reject`.
"""

from __future__ import annotations

import asyncio
import hmac
from typing import Final

from aiohttp import web

from console.page import Known, paper
from console.page.question import Answer, Desk
from petstream.settings import Settings

_SHOW_WITHIN_S: Final = 60.0
_DECIDE_WITHIN_S: Final = 180.0
_AFTER_WRONG_S: Final = 2.0
_LONGEST_WORD: Final = 60
_LONGEST_REASON: Final = 500
_ID: Final = r"/plans/{plan_id:[A-Za-z0-9][A-Za-z0-9:._-]{0,120}}"
_ACTIONS: Final = ("approve", "reject")


def routes(known: Known, desk: Desk) -> list[web.RouteDef]:
    """Return the routes of held removals."""
    door = _Door(known, desk)
    return [web.get(_ID, door.show), web.post(_ID, door.decide)]


class _Door:
    """Who decides, and when somebody was wrong last."""

    def __init__(self, known: Known, desk: Desk) -> None:
        self._known, self._desk = known, desk
        self._closed_until = 0.0

    async def show(self, request: web.Request) -> web.Response:
        """Show a plan."""
        settings = self._known()
        if settings is None:
            return _refused(503, "Kafka is being waited for.")
        return await self._page(settings, request.match_info["plan_id"])

    async def decide(self, request: web.Request) -> web.Response:
        """Approve or reject a plan."""
        settings = self._known()
        if settings is None:
            return _refused(503, "Kafka is being waited for.")
        form = {
            name: text for name, text in (await request.post()).items() if isinstance(text, str)
        }
        action, plan_id = form.get("action", ""), request.match_info["plan_id"]
        if action not in _ACTIONS:
            return _refused(400, "It is approve or reject.")
        refusal = self._let_in(settings, form.get("token", ""))
        if refusal:
            return await self._page(settings, plan_id, refusal, 403)
        said = [f"--by={_line(form.get('by', ''), _LONGEST_WORD) or 'console'}"]
        reason = _line(form.get("reason", ""), _LONGEST_REASON)
        said += [f"--reason={reason}"] if reason else []
        answer = await self._desk.ask(
            settings, "removals", action, *said, plan_id, within_s=_DECIDE_WITHIN_S
        )
        if answer.status:
            return await self._page(settings, plan_id, answer.complaint, 409)
        if answer.status is None:
            return await self._page(settings, plan_id, f"{answer.complaint}. See below.", 504)
        raise web.HTTPSeeOther(request.path)

    def _let_in(self, settings: Settings, token: str) -> str | None:
        """Return why not."""
        if settings.console_token is None:
            return "Nothing is decided here: PETSTREAM_CONSOLE_TOKEN isn't set."
        now = asyncio.get_running_loop().time()
        if now < self._closed_until:
            return f"The last token was wrong: try again in {_AFTER_WRONG_S:g} seconds."
        if hmac.compare_digest(token.encode(), settings.console_token.encode()):
            return None
        self._closed_until = now + _AFTER_WRONG_S
        return "The token is wrong: nothing was decided."

    async def _page(
        self, settings: Settings, plan_id: str, refusal: str | None = None, status: int = 200
    ) -> web.Response:
        told = await self._desk.ask(settings, "removals", "show", plan_id, within_s=_SHOW_WITHIN_S)
        if told.status != 0:
            return _refused(503 if told.status is None else 404, told.complaint)
        return paper.answer(
            "plan.html", status=status, plan_id=plan_id, told="\n".join(told.lines),
            refusal=refusal, held=_is_held(told), deciding=settings.console_token is not None,
        )  # fmt: skip


def _is_held(told: Answer) -> bool:
    return bool(told.lines) and told.lines[0].endswith(": held")


def _line(text: str, most: int) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:most]


def _refused(status: int, why: str) -> web.Response:
    return paper.answer("said.html", status=status, title="This can't be done", said=why)
