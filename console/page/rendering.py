"""Renders the pages from their templates: everything is escaped, a missing value is an error."""

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

_STYLES: Final = ("console.css", "pets.css")


def page(template: str, *, status_code: int = 200, **values: Any) -> web.Response:
    """Return a page made of a template and its values."""
    text = _templates().get_template(template).render(now=datetime.now(UTC), **values)
    return web.Response(status=status_code, text=text, content_type="text/html")


def message_page(
    status_code: int, title: str, message: str, back: str | None = None
) -> web.Response:
    """Return a page that has only a title and a message, and maybe the way back to a path."""
    return page("message.html", status_code=status_code, title=title, message=message, back=back)


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
    environment = Environment(
        loader=PackageLoader("console.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"readable": readable, "linked": linked, "unescaped": unescaped}
    return environment


def readable(value: Any) -> str:
    """Return a value of a table as text for a person.

    >>> readable(True), readable(12), readable([{"a": 1}])
    ('yes', '12', '[{"a": 1}]')
    >>> readable(datetime(2026, 11, 23, 8, 12, tzinfo=UTC))
    '2026-11-23 08:12 UTC'
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def unescaped(text: str | None) -> str:
    """Return a name without HTML's entities: RescueGroups sends some. The page escapes it anew.

    >>> unescaped("Fish &amp; Chips"), unescaped(None)
    ('Fish & Chips', '')
    """
    return html.unescape(text or "")


def linked(url: str) -> str:
    """Return a URL of the web as a link, anything else as text.

    >>> str(linked("javascript:alert(1)")), str(linked("http://a.example/?b=<c>"))[:25]
    ('javascript:alert(1)', '<a href="http://a.example')
    """
    if not url.lower().startswith(("http://", "https://")):
        return escape(url)
    return Markup('<a href="{0}" rel="noopener noreferrer nofollow">{0}</a>').format(url)
