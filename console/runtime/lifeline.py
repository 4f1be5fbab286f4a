"""What ties a part to the process that started it: a pair of sockets, one end each.

Rule 1: an end closes when its process is dead, however it died: no signal has to arrive, and it
        holds on every Unix.
Rule 2: a part whose parent is dead ends as if told to, and soon in any case.
Rule 3: a part says once over it that its event loop runs.
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
"""The environment variable with the number of the part's end."""

_GIVEN_S: Final = 14.0
_held: Final[list[socket.socket]] = []


def hold() -> None:
    """Hold on to the parent, if this process was started as a part."""
    number = os.environ.pop(NAME, None)  # what this process starts is nobody's part
    if number is None:
        return
    line = socket.socket(fileno=int(number))
    line.set_inheritable(False)
    _held.append(line)
    threading.Thread(target=_end_with, args=(line,), name="lifeline", daemon=True).start()


def tell_up() -> None:
    """Tell the parent, if there is one, that this process is at work."""
    for line in _held:
        with suppress(OSError):  # it has just died: the thread sees to that
            line.send(b"+")


def _end_with(line: socket.socket) -> None:
    with suppress(OSError):
        while line.recv(64):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GIVEN_S)
    os._exit(1)
