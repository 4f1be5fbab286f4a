"""The site: which pages there are, put onto the server of PETSTREAM_CONSOLE.

Rule 1: pages only look: nothing here changes anything.
Rule 2: servers that aren't known yet are a page that says so, not an error.
"""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from console.page import front, paper
from console.page.guard import guard
from contracts.settings import Settings

Known = Callable[[], Settings | None]
"""The settings with the servers that were found; None while they are waited for."""


def mount(app: web.Application, known: Known, *, bound_host: str) -> None:
    """Put the pages onto a server that listens at this host."""
    app.middlewares.append(guard(bound_host))
    app.router.add_routes(paper.styles())
    app.router.add_routes(front.routes(known))
