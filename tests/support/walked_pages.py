"""Every page of a console that runs, walked through: its time, its size, and the memory it took."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from aiohttp import ClientSession, web
from hostile_texts import links
from measured_commands import peak_mib

from console.page.site import mount
from petstream.settings import Settings

_OF_A_KIND = 8


class WalkedPage(NamedTuple):
    """A page as it was served: seconds, bytes, and the console's peak in MiB behind it."""

    path: str
    status: int
    seconds: float
    size_bytes: int
    peak_mib: int


async def walked(
    client: ClientSession, url: str, pages: int, *more: str
) -> AsyncIterator[WalkedPage]:
    """Get each page without a parameter, `more`, and so many of those they link to."""
    pid = console_of(url)
    app = web.Application()
    mount(app, Settings, bound_host="127.0.0.1")
    resources = [route.resource for route in app.router.routes() if route.method == "GET"]
    waiting = [each.canonical for each in resources if each and "{" not in each.canonical]
    waiting += more
    kinds: dict[str, int] = {}
    seen = set(waiting)
    while waiting:
        path = waiting.pop(0)
        began_s = time.monotonic()
        async with client.get(url + path.removeprefix("/")) as answer:
            page = await answer.text()
        yield WalkedPage(
            path, answer.status, time.monotonic() - began_s, len(page), peak_mib(pid)
        )  # fmt: skip
        for link in sorted(links(page) - seen):
            kind = re.sub(r"\d+", "N", urlsplit(link).path)
            kinds[kind] = kinds.get(kind, 0) + 1
            if kinds[kind] <= _OF_A_KIND and len(seen) < pages:
                seen.add(link)
                waiting.append(link)


def console_of(url: str) -> int:
    """Return the process that listens there."""
    port = urlsplit(url).port or 0
    inodes = {
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
    }
    holders = {
        int(fd.parts[2])
        for fd in Path("/proc").glob("[0-9]*/fd/*")
        if _target(fd).removeprefix("socket:[").rstrip("]") in inodes
    }
    return min(holders)  # a part that is just being started is a copy of it for a moment


def _target(fd: Path) -> str:
    try:
        return str(fd.readlink())
    except OSError:  # it has just been closed
        return ""
