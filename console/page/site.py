"""The site: which pages there are, put onto the server of PETSTREAM_CONSOLE.

Rule 1: pages only look; what may decide something asks for the token each time.
Rule 2: servers that aren't known yet are a page that says so, not an error.
"""

from __future__ import annotations

from aiohttp import web

from console.page import Known, front, organizations, paper, pets, pictures, plans, search
from console.page.guard import guard
from console.page.question import Desk
from console.page.views import Views


def mount(app: web.Application, known: Known, *, bound_host: str) -> None:
    """Put the pages onto a server that listens at this host."""
    guard(app, bound_host)
    app.router.add_routes(paper.styles())
    views, desk = Views(known), Desk()
    app.router.add_routes(front.routes(known, views))
    app.router.add_routes(search.routes(views))
    app.router.add_routes(pets.routes(views, known, desk))
    app.router.add_routes(organizations.routes(views))
    app.router.add_routes(pictures.routes(known))
    app.router.add_routes(plans.routes(known, desk))
