"""The token that comes with each decision: PETSTREAM_CONSOLE_TOKEN, typed, remembered nowhere.

Rule 1: nothing remembers it, so no other page can decide in somebody's name. `guard` refuses
        requests of other sites.
Rule 2: a wrong one costs its sender `_AFTER_WRONG_S`, and nobody else anything: no process is
        begun for it, and the right one is heard meanwhile.
Rule 3: a form is read only if it is written as browsers write those of our pages: of the codings
        that there are, some take minutes for a megabyte, and keep the whole process from its work.
"""

from __future__ import annotations

import asyncio
import hmac
from typing import Final

from aiohttp import web

from console.page import rendering
from petstream.settings import Settings

_FORM: Final = "application/x-www-form-urlencoded"
_AFTER_WRONG_S: Final = 2.0
_KEPT_WAITING: Final = 20  # at once; more are answered


class TokenGate:
    """Tells who may decide; one for the whole site."""

    def __init__(self) -> None:
        """Keep nobody waiting so far."""
        self._kept_waiting = 0

    async def refusal(self, settings: Settings, token: str) -> str | None:
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


async def posted_form(request: web.Request) -> dict[str, str] | None:
    """Return the fields of a form that was sent; None: it isn't one of ours (rule 3)."""
    is_utf_8 = (request.charset or "utf-8").lower() == "utf-8"
    if request.content_type != _FORM or not is_utf_8:
        return None
    try:
        posted = await request.post()
    except ValueError:  # it isn't in UTF-8
        return None
    return {name: text for name, text in posted.items() if isinstance(text, str)}


def one_line(text: str, most: int) -> str:
    """Return a text on one line, cut to `most` characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:most]


def refused(status_code: int, reason: str, back: str | None = None) -> web.Response:
    """Return the page that says why something isn't done."""
    return rendering.message_page(status_code, "This can't be done", reason, back)
