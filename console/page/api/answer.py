"""An answer of `/api`: a value as JSON, or why there is none."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from console.inspect.database_reader import Unavailable
from console.page.look import NoLook


def answer(content: Any) -> web.Response:
    """Return a value as JSON, or why there is none."""
    if isinstance(content, Unavailable):
        return no_answer(503, f"Postgres can't be asked: {content.reason}")
    if isinstance(content, NoLook):
        return no_answer(content.status_code, content.reason)
    return _json(200, content)


def answer_of(content: dict[str, Any] | NoLook, kind: type[msgspec.Struct]) -> web.Response:
    """Return what a command printed, as this type has it."""
    return answer(content if isinstance(content, NoLook) else msgspec.convert(content, kind))


def no_answer(status_code: int, reason: str) -> web.Response:
    """Return that there is no answer, and why."""
    return _json(status_code, {"error": reason})


def _json(status_code: int, content: Any) -> web.Response:
    return web.Response(
        status=status_code, body=msgspec.json.encode(content), content_type="application/json"
    )
