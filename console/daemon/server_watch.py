"""Embedded servers that die under `up` are started again.

Rule 1: only those that nobody stopped: after `petstream down` the parts wait, nothing is started.
Rule 2: one that doesn't start is tried again, less and less often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from console.embedded.process import died
from petstream.settings import Settings
from petstream.waiting import Delays

_LOOK_EVERY_S: Final = 2.0
_LONGEST_S: Final = 300.0


def lost(settings: Settings) -> list[str]:
    """Return which embedded servers have died, of those that are used."""
    used = {"kafka": settings.kafka is None, "postgres": settings.database_url is None}
    return [name for name in used if used[name] and died(settings.data_dir, name)]


async def revive(
    dead: Callable[[], list[str]],
    start: Callable[[], Awaitable[bool]],
    *,
    say: Callable[[str], None],
    every_s: float = _LOOK_EVERY_S,
) -> None:
    """Start what is dead again, until cancelled; `start` returns whether it did."""
    delays, failures = Delays(every_s, longest_s=_LONGEST_S), 0
    before: list[str] = []
    while True:
        await asyncio.sleep(delays.after(failures + 1))
        names, before = before, dead()
        if not names or names != before:  # seen twice: one being stopped is written down soon
            continue
        say(f"the embedded {' and '.join(names)} died: starting again")
        failures = 0 if await start() else failures + 1
