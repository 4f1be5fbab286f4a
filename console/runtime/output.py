"""What a process writes: a command's result and notes, or whole lines of several processes.

Rule 1: a command's result goes to stdout, notes for the person who waits to stderr.
Rule 2: where lines of several processes meet, whoever has a line never waits: a thread writes, and
        a reader that has stopped reading stops nothing.
Rule 3: lines that nobody read in time are dropped and counted, and the count is written.
Rule 4: this and `logs.py` are the door to a terminal: what isn't printable is escaped, whoever
        wrote it.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Literal, Self, TextIO

from console.runtime import logs
from console.runtime.terminal import printable

Level = Literal["bad", "warn", "info", "good"]
"""How bad or good it is what a line says."""

STDOUT: Final = 1
STDERR: Final = 2
_MAX_WAITING_LINES: Final = 10_000
_DRAIN_S: Final = 1.0
_COLOURS: Final[dict[Level, str]] = {"bad": "1;31", "warn": "33", "info": "36", "good": "32"}


def say(line: str, level: Level | None = None) -> None:
    """Print a line, or lines, of a command's result; on a terminal in the colour of its level."""
    text = printable(line)
    if level is not None and _is_coloured(sys.stdout):
        text = f"\x1b[{_COLOURS[level]}m{text}\x1b[0m"
    print(text, flush=True)  # noqa: T201  the command's output


def _is_coloured(stream: TextIO) -> bool:
    """Tell whether who reads takes colours: a terminal, unless NO_COLOR says otherwise."""
    unwanted = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return not unwanted and stream.isatty()


def print_document(document: Mapping[str, Any]) -> None:
    """Print a command's result for a program: one JSON object, ASCII."""
    say(json.dumps(document, indent=2))


def note(line: str) -> None:
    """Print a line that isn't the result, for the person who waits."""
    print(printable(line), file=sys.stderr, flush=True)  # noqa: T201  the command's output


class LogMultiplexer:
    """Our stdout and stderr for lines of several processes; ``with LogMultiplexer() as output``."""

    def __init__(self, max_waiting_lines: int = _MAX_WAITING_LINES) -> None:
        """Hold at most so many lines that weren't written yet."""
        self._waiting: queue.Queue[tuple[int, str] | None] = queue.Queue(max_waiting_lines)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="output", daemon=True)

    def __enter__(self) -> Self:
        """Start to write."""
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Write what waits, but don't wait long for a reader that doesn't read."""
        with suppress(queue.Full):
            self._waiting.put(None, timeout=_DRAIN_S)
        self._thread.join(_DRAIN_S)

    def line(self, text: str, stream: int = STDOUT, part: str | None = None) -> None:
        """Write a line, soon; `part`: the process it came from, if not this one."""
        try:
            self._waiting.put_nowait((stream, logs.current().line(printable(text), part)))
        except queue.Full:
            self._dropped += 1

    def _write(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            stream, text = waiting
            _write_all(stream, f"{text}\n".encode(errors="replace"))
            if self._dropped and self._waiting.empty():
                dropped, self._dropped = self._dropped, 0
                message = f"({dropped} lines are lost: nobody read them in time)\n"
                _write_all(STDERR, message.encode())


def _write_all(stream: int, data: bytes) -> None:
    """Write all of it; bytes, not `sys.stdout`: its lock would be held when the process ends."""
    with suppress(OSError):  # nobody reads any more: a daemon goes on
        while data:
            data = data[os.write(stream, data) :]
