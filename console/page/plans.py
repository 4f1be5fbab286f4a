"""A held removal: whom it would remove, and the decision, for whoever has the token.

Rule 1: the token comes with every decision, typed; nothing remembers it, so no other page can
        decide in somebody's name. `guard` refuses requests of other sites.
Rule 2: a wrong one costs its sender `_AFTER_WRONG_S`, and nobody else anything: no process is
        begun for it, and the right one is heard meanwhile.
Rule 3: the decision is the command's: `petstream removals approve|reject`.
"""

from __future__ import annotations

import asyncio
import hmac
from typing import Final

from aiohttp import web

from console.page import CurrentSettings, rendering
from console.page.command_runner import CommandRunner
from petstream.settings import Settings

_SHOW_DEADLINE_S: Final = 60.0
_DECIDE_DEADLINE_S: Final = 180.0
_AFTER_WRONG_S: Final = 2.0
_KEPT_WAITING: Final = 20  # at once; more are answered
_LONGEST_NAME: Final = 60
_LONGEST_REASON: Final = 500
_PATH: Final = r"/plans/{plan_id:[A-Za-z0-9][A-Za-z0-9:._-]{0,120}}"
_ACTIONS: Final = ("approve", "reject")


def routes(current_settings: CurrentSettings, commands: CommandRunner) -> list[web.RouteDef]:
    """Return the routes of held removals."""
    pages = _PlanPages(current_settings, commands)
    return [web.get(_PATH, pages.show), web.post(_PATH, pages.decide)]


class _PlanPages:
    """Shows plans and takes decisions."""

    def __init__(self, current_settings: CurrentSettings, commands: CommandRunner) -> None:
        self._current_settings, self._commands = current_settings, commands
        self._kept_waiting = 0

    async def show(self, request: web.Request) -> web.Response:
        """Show a plan."""
        settings = self._current_settings()
        if settings is None:
            return _refused(503, "Kafka is being waited for.")
        return await self._page(settings, request.match_info["plan_id"])

    async def decide(self, request: web.Request) -> web.Response:
        """Approve or reject a plan."""
        settings = self._current_settings()
        if settings is None:
            return _refused(503, "Kafka is being waited for.")
        try:
            posted = await request.post()
        except (LookupError, ValueError):  # of an encoding that there isn't, or not in it
            return _refused(400, "This form can't be read.")
        form = {name: text for name, text in posted.items() if isinstance(text, str)}
        action, plan_id = form.get("action", ""), request.match_info["plan_id"]
        if action not in _ACTIONS:
            return _refused(400, "It is approve or reject.")
        refusal = await self._token_refusal(settings, form.get("token", ""))
        if refusal:
            return _refused(403, refusal, request.path)
        options = [f"--by={_line(form.get('by', ''), _LONGEST_NAME) or 'console'}"]
        reason = _line(form.get("reason", ""), _LONGEST_REASON)
        options += [f"--reason={reason}"] if reason else []
        result = await self._commands.run(
            settings, "removals", action, *options, plan_id, within_s=_DECIDE_DEADLINE_S
        )
        if result.status:
            return await self._page(settings, plan_id, result.error, 409)
        if result.status is None:
            return await self._page(settings, plan_id, f"{result.error}. See below.", 504)
        raise web.HTTPSeeOther(request.path)

    async def _token_refusal(self, settings: Settings, token: str) -> str | None:
        """Return why this token decides nothing; None: it may."""
        if settings.console_token is None:
            return "Nothing is decided here: PETSTREAM_CONSOLE_TOKEN isn't set."
        if hmac.compare_digest(token.encode(), settings.console_token.encode()):
            return None
        if self._kept_waiting < _KEPT_WAITING:
            self._kept_waiting += 1
            try:
                await asyncio.sleep(_AFTER_WRONG_S)
            finally:
                self._kept_waiting -= 1
        return "The token is wrong: nothing was decided."

    async def _page(
        self, settings: Settings, plan_id: str, refusal: str | None = None, status_code: int = 200
    ) -> web.Response:
        result = await self._commands.run(
            settings, "removals", "show", "--json", plan_id, within_s=_SHOW_DEADLINE_S
        )
        if result.document is None:
            return _refused(503 if result.status is None else 404, result.error)
        return rendering.page(
            "plan.html",
            status_code=status_code,
            plan_id=plan_id,
            text=result.document["text"],
            refusal=refusal,
            is_held=result.document["state"] == "held",
            can_decide=settings.console_token is not None,
        )


def _line(text: str, most: int) -> str:
    """Return a text on one line, cut to `most` characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:most]


def _refused(status_code: int, reason: str, back: str | None = None) -> web.Response:
    return rendering.message_page(status_code, "This can't be done", reason, back)
