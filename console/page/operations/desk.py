"""What pages that decide something work with: who is asked, what acts, and who may.

Rule 1: a decision comes with the token, which is looked at before anything else is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from aiohttp import web

from console.page import CurrentSettings
from console.page.command_runner import CommandRunner
from console.page.database import Database
from console.page.look import NoLook
from console.page.operations.token import TokenGate, posted_form, refused
from petstream.settings import Settings


class Decision(NamedTuple):
    """A form that somebody sent who has the token."""

    settings: Settings
    form: dict[str, str]


@dataclass(frozen=True)
class DecisionDesk:
    """Where decisions are made: the same for all pages that take some."""

    current_settings: CurrentSettings
    database: Database
    commands: CommandRunner
    gate: TokenGate

    async def admit(
        self, request: web.Request, form: dict[str, str] | None = None, back: str | None = None
    ) -> Decision | web.Response:
        """Return what was sent, if the token is right; else the page that says why not.

        Args:
            request: of the form.
            form: its fields, where they are known already.
            back: where to try again; the page itself, if there is none.
        """
        settings = self.current_settings()
        if settings is None:
            return NOT_YET.page()
        form = await posted_form(request) if form is None else form
        if form is None:
            return refused(400, "This form can't be read.")
        refusal = await self.gate.refusal(settings, form.get("token", ""))
        if refusal:
            return refused(403, refusal, request.path if back is None else back)
        return Decision(settings, form)


NOT_YET: Final = NoLook(503, "Kafka is being waited for.")
"""At a time at which no server is known yet."""
