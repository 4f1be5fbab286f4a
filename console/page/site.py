"""The site: which pages there are, put onto the server of PETSTREAM_CONSOLE.

Rule 1: pages only read; one that decides something asks for the token each time.
Rule 2: servers that aren't known yet are a page that says so, not an error.
"""

from __future__ import annotations

from collections.abc import Collection

from aiohttp import web

from console.page import (
    CurrentSettings,
    organizations,
    pets,
    pictures,
    rendering,
    search,
)
from console.page.api import openapi, operator, pets_and_organizations
from console.page.command_runner import CommandRunner
from console.page.database import Database
from console.page.error_pages import pages_for_errors
from console.page.guard import guard
from console.page.operations import dead_letters, exports, feeds, front, plans, runbooks
from console.page.operations.dead_letters import LetterLooks
from console.page.operations.desk import DecisionDesk
from console.page.operations.exports import ExportLooks
from console.page.operations.feeds import FeedLooks
from console.page.operations.plans import PlanLooks
from console.page.operations.token import TokenGate


def mount(
    app: web.Application,
    current_settings: CurrentSettings,
    *,
    bound_host: str,
    hosts: Collection[str] = (),
) -> None:
    """Put the pages onto a server that listens at this host, and answers to these names too."""
    guard(app, bound_host, hosts)
    app.middlewares.append(pages_for_errors)
    app.router.add_routes(rendering.static_files())
    database, commands = Database(current_settings), CommandRunner()
    keeper = front.mount(app, current_settings, database)
    export_looks = ExportLooks(keeper, current_settings, database, commands)
    app.router.add_routes(exports.routes(export_looks))
    app.router.add_routes(search.routes(database))
    app.router.add_routes(pets.routes(database, current_settings, commands))
    app.router.add_routes(organizations.routes(database))
    app.router.add_routes(pictures.routes(current_settings))
    app.router.add_routes(runbooks.routes())
    desk = DecisionDesk(current_settings, database, commands, TokenGate())
    plan_looks, letter_looks = PlanLooks(desk), LetterLooks(desk)
    app.router.add_routes(plans.routes(plan_looks, desk))
    app.router.add_routes(dead_letters.routes(letter_looks, desk))
    app.router.add_routes(pets_and_organizations.routes(database, current_settings, commands))
    feed_looks = FeedLooks(keeper, current_settings)
    app.router.add_routes(feeds.routes(feed_looks))
    app.router.add_routes(
        operator.routes(keeper, export_looks, plan_looks, letter_looks, feed_looks)
    )
    app.router.add_routes(openapi.routes())
