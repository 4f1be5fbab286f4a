"""SIGHUP: to a daemon it means "read your settings again", to a program on a terminal "it's over".

Rule 1: it means the end only if there was a terminal, and is none any more.
Rule 2: who was started to ignore it (nohup) ignores it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator


async def hangups(stopping: asyncio.Event) -> AsyncGenerator[None]:
    """Yield whenever settings shall be read again; set `stopping` if the terminal has gone."""
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        return
    told = asyncio.Event()
    had_terminal = _has_terminal()

    def hear() -> None:
        if had_terminal and not _has_terminal():
            stopping.set()
        told.set()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, hear)
    try:
        while True:
            await told.wait()
            told.clear()
            if not stopping.is_set():
                yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
