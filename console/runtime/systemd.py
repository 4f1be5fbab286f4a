"""How a service manager is notified: `sd_notify`, datagrams to the socket it names.

Rule 1: without NOTIFY_SOCKET nothing is sent; what can't be sent is no reason to end.
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

MANAGER_VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""Variables that are meant for one process, and not for those it starts."""

_SEND_WITHIN_S: Final = 0.5


class Notifier:
    """Notifies the service manager that started this process, if one did."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Read where it listens, and how often its watchdog is to be fed."""
        path = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self.feed_every_s = _half_of_the_watchdog_s(environment)

    def ready(self, status: str) -> None:
        """Notify that everything runs (again)."""
        self._send("READY=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        """Say in a line how things stand."""
        self._send(f"STATUS={status}")

    def reloading(self) -> None:
        """Notify that settings are being read again; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Notify that the end has begun."""
        self._send("STOPPING=1", "STATUS=stopping")

    async def feed_the_watchdog(self) -> None:
        """Notify at half of the time given that the loop is alive, until cancelled."""
        while self.feed_every_s is not None:
            self._send("WATCHDOG=1")
            await asyncio.sleep(self.feed_every_s)

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, suppress(OSError):
            manager.settimeout(_SEND_WITHIN_S)  # one that is busy is waited for, but not for long
            manager.connect(self._address)
            manager.send("\n".join(lines).encode())


def _half_of_the_watchdog_s(environment: Mapping[str, str]) -> float | None:
    given_us, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not given_us.isdecimal() or int(given_us) == 0 or pid not in {"", str(os.getpid())}:
        return None
    return int(given_us) / 2_000_000
