"""What a daemon serves over HTTP at PETSTREAM_CONSOLE: the pages, /healthz, /readyz, /metrics.

Rule 1: /healthz answers as long as the loop turns; /readyz is 503 with reasons while work can't go
        on; neither asks a server anything while somebody waits.
Rule 2: a port that is taken is not an end: the next free one is used, and said. There nobody is
        asked for the token: whoever holds the port that was meant may look like us.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.metadata import version
from typing import Final

from aiohttp import web

from console.daemon.connections import Listener
from console.daemon.health import Health
from console.page import CurrentSettings
from console.page.site import mount
from petstream.errors import UsageError
from petstream.metrics import BUILD, CONTENT_TYPE, exposition
from petstream.settings import Settings

_PORTS_TRIED: Final = 20
_SHUTDOWN_S: Final = 2.0
_LONGEST_FORM_BYTES: Final = 64 * 1024  # a decision has a kilobyte; what is sent is held in memory


@asynccontextmanager
async def served(
    address: tuple[str, int] | None,
    health: Health,
    current_settings: CurrentSettings,
    *,
    say: Callable[[str], None],
    hosts: Collection[str] = (),
) -> AsyncGenerator[str | None]:
    """Serve while the block runs; gives the URL, or None where the settings say ``off``.

    Args:
        address: host and port of PETSTREAM_CONSOLE.
        health: what /readyz says.
        current_settings: gives the pages their settings.
        say: takes a line with the URL.
        hosts: names that are answered, besides those that always are.

    Raises:
        UsageError: nothing can listen at that address.
    """
    if address is None:
        yield None
        return
    BUILD.labels(version("petstream")).set(1)
    app = web.Application(client_max_size=_LONGEST_FORM_BYTES)
    app.router.add_routes(_routes(health))
    moved: list[int] = []

    def settings() -> Settings | None:
        known = current_settings()
        return replace(known, console_token=None) if known is not None and moved else known

    mount(app, settings, bound_host=address[0], hosts=hosts)
    listener = Listener(app, _SHUTDOWN_S)
    await listener.set_up()
    watching = asyncio.create_task(health.watch(), name="health")
    try:
        host, wanted = address
        port = await _listen(listener, host, wanted)
        if wanted not in {0, port}:
            moved.append(port)
            say(f"{host}:{wanted} is taken: this process answers at port {port}, where nothing is "
                "decided: type the token nowhere but where you expect this page")  # fmt: skip
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        say(f"status and metrics: {url}")
        yield url
    finally:
        watching.cancel()
        await asyncio.wait({watching})
        await listener.close()
        if not watching.cancelled():
            watching.result()  # it has no end of its own: this raises what ended it


def _routes(health: Health) -> list[web.RouteDef]:
    async def alive(_request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def ready(_request: web.Request) -> web.Response:
        problems = health.problems()
        if problems:
            return web.Response(status=503, text="\n".join(problems) + "\n")
        return web.Response(text="ready\n")

    async def metrics(_request: web.Request) -> web.Response:
        health.problems()  # sets the metrics, too
        return web.Response(body=exposition(), headers={"Content-Type": CONTENT_TYPE})

    return [
        web.get("/healthz", alive),
        web.get("/readyz", ready),
        web.get("/metrics", metrics),
    ]


async def _listen(listener: Listener, host: str, port: int) -> int:
    """Listen at a port, or the next free one; return it."""
    last = port + (_PORTS_TRIED if port else 0)
    for candidate in range(port, last + 1):
        try:
            return await listener.listen(host, candidate)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and candidate < last:
                continue
            raise UsageError(
                f"PETSTREAM_CONSOLE: nothing can listen at {host}:{port} "
                f"({error.strerror or type(error).__name__}): set another address, for example "
                "PETSTREAM_CONSOLE=127.0.0.1:8642, or off"
            ) from error
    raise AssertionError("the last port has returned or raised")
