"""What ties a child process to its parent: a pair of sockets, one end each.

Rule 1: an end closes when its process is dead, however it died: no signal has to arrive, and it
        holds on every Unix.
Rule 2: a child whose parent is dead ends as if stopped by it, and soon in any case.
Rule 3: a child says once over it that it is ready: its event loop runs.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import suppress
from typing import Final

NAME: Final = "CONSOLE_LIFELINE"
"""The environment variable with the number of the child's end."""

_GRACE_S: Final = 14.0
_held: Final[list[socket.socket]] = []


def hold() -> None:
    """Hold on to the parent, if this process was started as a child."""
    number = os.environ.pop(NAME, None)  # what this process starts is nobody's child but its own
    if number is None:
        return
    childs_end = socket.socket(fileno=int(number))
    childs_end.set_inheritable(False)
    _held.append(childs_end)
    threading.Thread(target=_end_with, args=(childs_end,), name="lifeline", daemon=True).start()


def notify_ready() -> None:
    """Tell the parent, if there is one, that this process is at work."""
    for childs_end in _held:
        with suppress(OSError):  # it has just died: the thread sees to that
            childs_end.send(b"+")


def _end_with(childs_end: socket.socket) -> None:
    with suppress(OSError):
        while childs_end.recv(64):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_S)
    os._exit(1)
