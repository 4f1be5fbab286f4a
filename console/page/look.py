"""Why there is nothing to show, the same for a page and for `/api`."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web

from console.page import rendering


class NoLook(NamedTuple):
    """A look that came to nothing.

    Attributes:
        status_code: of HTTP.
        reason: why, in words.
        back: the path that leads on.
        title: of the page.
    """

    status_code: int
    reason: str
    back: str | None = None
    title: str = "This can't be done"

    def page(self) -> web.Response:
        """Return the page that says so."""
        return rendering.message_page(self.status_code, self.title, self.reason, self.back)
