"""The pages' paper: templates to answers, everything escaped; a missing value is an error."""

from __future__ import annotations

import html
import json
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

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
    made = Environment(
        loader=PackageLoader("console.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"said": said, "linked": linked, "words": words}
    return made


def said(value: Any) -> str:
    """Return a value of a table in words.

    >>> said(True), said(12), said(datetime(2026, 11, 23, 8, 12, tzinfo=UTC)), said([{"a": 1}])
    ('yes', '12', '2026-11-23 08:12 UTC', '[{"a": 1}]')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def words(text: str | None) -> str:
    """Return a name as it is meant: RescueGroups sends some with entities. It's escaped after.

    >>> words("Fish &amp; Chips"), words(None)
    ('Fish & Chips', '')
    """
    return html.unescape(text or "")


def linked(url: str) -> str:
    """Return an address of the web as a link, anything else as text.

    >>> str(linked("javascript:alert(1)")), str(linked("http://a.example/?b=<c>"))[:25]
    ('javascript:alert(1)', '<a href="http://a.example')
    """
    if not url.lower().startswith(("http://", "https://")):
        return escape(url)
    return Markup('<a href="{0}" rel="noopener noreferrer nofollow">{0}</a>').format(url)
