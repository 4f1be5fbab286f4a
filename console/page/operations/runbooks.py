"""The pages of docs/ops: what an alert means, where to look and what to do; alerts link to them."""

from __future__ import annotations

from itertools import groupby
from typing import Final

from aiohttp import web

from console.inspect.trouble.runbooks import Runbook, runbooks
from console.page import rendering

_SEVERITIES: Final = ("critical", "warning", "info")
PATH: Final = "/runbooks/{page:[a-z][a-z-]{0,60}}"
"""Of an alert's page."""


def routes() -> list[web.RouteDef]:
    """Return the routes of the runbooks."""
    return [web.get("/runbooks", _every), web.get(PATH, _show)]


def runbook_page(page: str) -> Runbook | None:
    """Return the runbook of a page's name; None: there is no such page."""
    return next((each for each in runbooks().values() if each.page == page), None)


async def _every(_request: web.Request) -> web.Response:
    listed = groupby(
        sorted(runbooks().values(), key=lambda each: _SEVERITIES.index(each.severity)),
        key=lambda each: each.severity,
    )
    return rendering.page(
        "runbooks.html", groups=[(severity, list(pages)) for severity, pages in listed]
    )


async def _show(request: web.Request) -> web.Response:
    runbook = runbook_page(request.match_info["page"])
    if runbook is None:
        return rendering.message_page(
            404, "There is no such page", "Each alert has its page; these are all.", "/runbooks"
        )
    return rendering.page("runbook.html", runbook=runbook)
