"""The site: which pages there are, put onto the server of PETSTREAM_CONSOLE.

Rule 1: pages only look: nothing here changes anything.
Rule 2: servers that aren't known yet are a page that says so, not an error.
"""

from __future__ import annotations

from aiohttp import web

from console.page import Known, front, paper
from console.page.guard import guard


def mount(app: web.Application, known: Known, *, bound_host: str) -> None:
    """Put the pages onto a server that listens at this host."""
    guard(app, bound_host)
    app.router.add_routes(paper.styles())
    app.router.add_routes(front.routes(known))
