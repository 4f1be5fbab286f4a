"""What a service manager is told: `sd_notify`, datagrams to the socket it names.

Rule 1: without NOTIFY_SOCKET nothing is told; what can't be told is no reason to end.
Rule 2: the watchdog is fed by a task of the event loop: a loop that is stuck starves it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

OF_THE_MANAGER: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""Variables that are meant for one process, and not for those it starts."""

_TELL_S: Final = 0.5


class Notifier:
    """The service manager's ear."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Listen to what the manager wants to be told, and where."""
        where = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + where[1:] if where.startswith("@") else where
        self.feed_every_s = _half_of_the_watchdog_s(environment)

    def ready(self, status: str) -> None:
        """Tell that all parts are up (again)."""
        self._send("READY=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        """Tell in a line how things stand."""
        self._send(f"STATUS={status}")

    def reloading(self) -> None:
        """Tell that settings are being read again; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Tell that the end has begun."""
        self._send("STOPPING=1", "STATUS=stopping")

    async def feed_the_watchdog(self) -> None:
        """Tell at half of the time given that the loop is alive, until cancelled."""
        while self.feed_every_s is not None:
            self._send("WATCHDOG=1")
            await asyncio.sleep(self.feed_every_s)

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way, suppress(OSError):
            way.settimeout(_TELL_S)  # a manager that is busy is waited for, but not for long
            way.connect(self._address)
            way.send("\n".join(lines).encode())


def _half_of_the_watchdog_s(environment: Mapping[str, str]) -> float | None:
    given, whose = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not given.isdecimal() or int(given) == 0 or whose not in {"", str(os.getpid())}:
        return None
    return int(given) / 2_000_000
