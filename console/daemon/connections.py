"""Who may be connected to the console: so many, and each with something to ask.

Rule 1: a connection that asks nothing for `_SILENT_S` is ended, whether it has sent nothing, half a
        request or many before; so is one whose request isn't answered within `_LONGEST_S`.
Rule 2: beyond `_MOST` connections the one that has been silent for longest makes room, or else the
        new one does: descriptors are left for the rest of the process, which has parts to start.
Rule 3: what is no request is answered by 400 and a line, and logged nowhere: anybody may send it.
Rule 4: whoever hangs up ends the work on their request.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from console.page.error_pages import failed_page, wants_page
from console.page.guard import headers_of_answers

_SILENT_S: Final = 15.0
_LONGEST_S: Final = 240.0
_MOST: Final = 256
_BACKLOG: Final = 128


class Listener:
    """A server of an application's, with such connections."""

    def __init__(self, app: web.Application, shutdown_s: float) -> None:
        """Prepare it; `listen` opens the port."""
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=shutdown_s, handler_cancellation=True
        )
        self._listening: asyncio.Server | None = None

    async def set_up(self) -> None:
        """Begin what the application has to begin."""
        await self._runner.setup()

    async def listen(self, host: str, port: int) -> int:
        """Listen, and return the port; raises OSError where that can't be."""
        loop, server = asyncio.get_running_loop(), self._runner.server
        assert server is not None  # noqa: S101  it was set up

        def connection() -> _Connection:
            return _Connection(server, loop=loop, **server._kwargs)  # noqa: SLF001  as it does itself

        self._listening = await loop.create_server(connection, host, port, backlog=_BACKLOG)
        bound: int = self._listening.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        """Stop listening, and end every connection."""
        if self._listening is not None:
            self._listening.close()
        await self._runner.cleanup()


class _Connection(web.RequestHandler):
    """One connection, which is looked at now and then (rules 1 and 2)."""

    __slots__ = ("_answered", "_looking", "_since")

    def __init__(self, manager: Any, **options: Any) -> None:
        super().__init__(manager, **options)
        self._looking: asyncio.TimerHandle | None = None
        self._answered = 0
        self._since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._since = self._loop.time()
        self._look_later()
        assert self._manager is not None  # noqa: S101  it is connected
        others = [
            other
            for other in self._manager.connections
            if isinstance(other, _Connection) and not other.is_ended and other is not self
        ]
        if len(others) >= _MOST:
            silent = (other for other in others if not other.is_asked)
            min(silent, key=lambda other: other.silent_since, default=self).end()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._looking is not None:
            self._looking.cancel()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            failed = super().handle_error(request, status, exc, message)  # and logs it
            return failed_page() if wants_page(request) else failed
        answer = web.Response(status=status, text="this request can't be read\n")
        answer.headers.update(headers_of_answers())
        answer.force_close()
        return answer

    @property
    def is_ended(self) -> bool:
        """Was it ended by us?"""
        return self.transport is None

    @property
    def is_asked(self) -> bool:
        """Is a request of it being answered?"""
        return self._current_request is not None

    @property
    def silent_since(self) -> float:
        """When it asked last, or began, by the loop's clock."""
        return self._since

    def end(self) -> None:
        """End it at once, whatever wasn't sent yet."""
        transport = self.transport
        self.force_close()
        if isinstance(transport, asyncio.Transport):
            transport.abort()

    def _look_later(self) -> None:
        self._looking = self._loop.call_later(_SILENT_S, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        if self._request_count != self._answered:
            self._answered, self._since = self._request_count, now
        if now - self._since >= (_LONGEST_S if self.is_asked else _SILENT_S):
            self.end()
        else:
            self._look_later()
