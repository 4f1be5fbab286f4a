"""The pages' paper: templates to answers, everything escaped; a missing value is an error."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

_STYLES: Final = ("console.css",)


def answer(template: str, *, status: int = 200, **values: Any) -> web.Response:
    """Return a page made of a template and what it shows."""
    text = _templates().get_template(template).render(now=datetime.now(UTC), **values)
    return web.Response(status=status, text=text, content_type="text/html")


def styles() -> list[web.RouteDef]:
    """Return the routes of the style sheets."""

    def route(name: str) -> web.RouteDef:
        text = (files("console.page") / "static" / name).read_text("utf-8")

        async def sheet(_request: web.Request) -> web.Response:
            return web.Response(text=text, content_type="text/css")

        return web.get(f"/static/{name}", sheet)

    return [route(name) for name in _STYLES]


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("console.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
