"""The lines of several processes on the streams of one: whole lines, one writer.

Rule 1: whoever has a line to write never waits: a thread writes; a reader that has stopped reading
        stops nothing.
Rule 2: lines that nobody took in time are dropped, counted, and told of.
"""

from __future__ import annotations

import os
import queue
import threading
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from console.runtime import logs

STDOUT: Final = 1
STDERR: Final = 2
_LINES: Final = 10_000
_LAST_S: Final = 1.0


class Output:
    """Our stdout and stderr; used as ``with Output() as output``."""

    def __init__(self, lines: int = _LINES) -> None:
        """Hold at most so many lines that weren't written yet."""
        self._waiting: queue.Queue[tuple[int, str] | None] = queue.Queue(lines)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="output", daemon=True)

    def __enter__(self) -> Self:
        """Begin to write."""
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Write what waits, but don't wait long for a reader that doesn't read."""
        with suppress(queue.Full):
            self._waiting.put(None, timeout=_LAST_S)
        self._thread.join(_LAST_S)

    def line(self, text: str, stream: int = STDOUT, part: str | None = None) -> None:
        """Write a line, soon; `part`: the process it came from, if not this one."""
        try:
            self._waiting.put_nowait((stream, logs.current().line(text, part)))
        except queue.Full:
            self._dropped += 1

    def _write(self) -> None:
        while (one := self._waiting.get()) is not None:
            stream, text = one
            _whole(stream, f"{text}\n".encode(errors="replace"))
            if self._dropped and self._waiting.empty():
                dropped, self._dropped = self._dropped, 0
                _whole(STDERR, f"({dropped} lines are lost: nobody read them in time)\n".encode())


def _whole(stream: int, data: bytes) -> None:
    """Write all of it; bytes, not `sys.stdout`: its lock would be held when the process ends."""
    with suppress(OSError):  # nobody listens any more: a daemon goes on
        while data:
            data = data[os.write(stream, data) :]
