"""Pages for what isn't there, can't be done so, or failed: what was asked, and the ways on.

Rule 1: who asks for a page gets a page; a program that wants no HTML gets a line.
Rule 2: of a failure nothing is shown but that there was one: its words may hold anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import unquote

from aiohttp import web

from console.page import rendering

_LONGEST_WORD: Final = 60
_FAILED: Final = (
    "petstream failed while it made this page: that is a bug. The line with its places is in the "
    "log of this process; the other pages and the work itself go on."
)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def pages_for_errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Answer what isn't there, or can't be asked so, by a page with the ways on."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        if not wants_page(request):
            raise
        return rendering.page(
            "missing.html", status_code=404, path=request.path[:200], word=_word(request.path)
        )
    except web.HTTPMethodNotAllowed as error:
        if not wants_page(request):
            raise
        allowed = ", ".join(sorted(error.allowed_methods))
        answer = rendering.message_page(
            405, "This page can't be asked so",
            f"{request.method} {request.path[:200]} isn't answered: {allowed} is.", request.path,
        )  # fmt: skip
        answer.headers["Allow"] = allowed
        return answer


def failed_page() -> web.Response:
    """Return the page of a failure (rule 2)."""
    return rendering.message_page(HTTPStatus.INTERNAL_SERVER_ERROR, "This page failed", _FAILED)


def wants_page(request: web.BaseRequest) -> bool:
    """Tell whether a person's browser asks."""
    return "text/html" in request.headers.get("Accept", "")


def _word(path: str) -> str:
    """Return what may have been looked for: the last word of the path.

    >>> _word("/pets/Biscuit%20the%20dog"), _word("/")
    ('Biscuit the dog', '')
    """
    return unquote(path).rstrip("/").rpartition("/")[2][:_LONGEST_WORD]
