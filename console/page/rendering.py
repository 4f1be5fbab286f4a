"""Renders the pages from their templates: everything is escaped, a missing value is an error.

Rule 1: what would rule a page without being an element is shown by its number, as a terminal shows
        it: controls, halves of characters, and what turns the direction of the texts beside it.
"""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from console.inspect import formatting
from console.inspect.trouble import times

_STATIC: Final = {
    "console.css": "text/css",
    "operations.css": "text/css",
    "pets.css": "text/css",
    "console.js": "text/javascript",
}
_RULING: Final = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Not the marks that only say where a word of Hebrew or Arabic begins: such texts need them."""

_INLINE: Final = re.compile(r"([^`\[]+|\[(?![^\]]*\]\())|\[([^\]]*)\]\(([^)]*)\)|`([^`]*)`")
_OPS_PAGE: Final = re.compile(r"([a-z-]+)\.md")
"""A link from one page of docs/ops to another: `console.page.operations.runbooks` serves it."""


def page(template: str, *, status_code: int = 200, **values: Any) -> web.Response:
    """Return a page made of a template and its values."""
    text = _templates().get_template(template).render(now=datetime.now(UTC), **values)
    # whatever part it came in by
    text = _RULING.sub(lambda match: formatting.escaped(match[0]), text)
    return web.Response(status=status_code, text=text, content_type="text/html")


def message_page(
    status_code: int, title: str, message: str, back: str | None = None
) -> web.Response:
    """Return a page that has only a title and a message, and maybe the way back to a path."""
    return page("message.html", status_code=status_code, title=title, message=message, back=back)


def static_files() -> list[web.RouteDef]:
    """Return the routes of the style sheets and the script."""

    def route(name: str, content_type: str) -> web.RouteDef:
        text = (files("console.page") / "static" / name).read_text("utf-8")

        async def file(_request: web.Request) -> web.Response:
            return web.Response(text=text, content_type=content_type)

        return web.get(f"/static/{name}", file)

    return [route(name, content_type) for name, content_type in _STATIC.items()]


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("console.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "readable": readable, "linked": linked, "unescaped": unescaped, "inline": inline,
        "ago": time_ago, "lasting": times.lasting, "number": number,
        "counted": formatting.counted, "moment": moment_or_text,
    }  # fmt: skip
    return environment


def time_ago(moment: datetime | str, now: datetime) -> str:
    """Return a moment as how long ago it was; exact to whoever points at it.

    >>> print(time_ago("2026-11-23T08:12:04Z", datetime(2026, 11, 23, 12, tzinfo=UTC)))
    <time datetime="2026-11-23T08:12:04Z" title="2026-11-23 08:12:04 UTC (03:12 in New York)">\
3 h ago</time>
    """
    machine = times.parsed(moment).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Markup('<time datetime="{0}" title="{1}">{2}</time>').format(
        machine, times.exact(moment), times.ago(moment, now)
    )


def moment_or_text(value: datetime | str, now: datetime) -> str:
    """Return a fact: a moment as how long ago it was, anything else as it is."""
    return time_ago(value, now) if isinstance(value, datetime) else value


def number(count: float) -> str:
    """Return a number for a person.

    >>> number(64000), number(-3)
    ('64,000', '-3')
    """
    return f"{count:,.0f}"


def inline(markdown: str) -> str:
    """Return a line of docs/ops as HTML: code in backticks, links to its pages and to the web.

    >>> str(inline("see [here](../a.md): `a <b>`"))
    'see here: <code>a &lt;b&gt;</code>'
    >>> str(inline("see [down.md](down.md)"))
    'see <a href="/runbooks/down">down</a>'
    >>> str(inline("[there](https://b.example)"))
    '<a href="https://b.example" rel="noopener noreferrer">there</a>'
    """
    pieces = []
    for text, label, url, code in _INLINE.findall(markdown):
        if code:
            pieces.append(Markup("<code>{}</code>").format(code))
        elif label and url.startswith("https://"):
            link = Markup('<a href="{}" rel="noopener noreferrer">{}</a>')
            pieces.append(link.format(url, label))
        elif label and (runbook := _OPS_PAGE.fullmatch(url)):
            link = Markup('<a href="/runbooks/{}">{}</a>')
            pieces.append(link.format(runbook[1], label.removesuffix(".md")))
        else:
            pieces.append(escape(label or text))
    return Markup("").join(pieces)


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
