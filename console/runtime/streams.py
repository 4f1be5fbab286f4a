"""Stdout and stderr written by a thread: whoever reads them may pause, and nothing else waits.

Rule 1: `print` never waits. What is printed by the thousand asks `drained` before it goes on.
Rule 2: a line is begun when the pipe has room for all of it, or is empty: a process that ends
        before its reader goes on leaves whole lines, but for one that is longer than the pipe.
Rule 3: a command waits for its reader before it ends, as long as that takes; after a signal, for
        `_HURRIED_S` at most.
Rule 4: a reader of stdout that has gone ends the command (`BrokenPipeError`, status 0); one of
        stderr doesn't: what is said there is lost.
"""

from __future__ import annotations

import asyncio
import fcntl
import io
import os
import select
import stat
import sys
import termios
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Final, TextIO

_HURRIED_S: Final = 2.0
_LOOK_AGAIN_S: Final = 0.001
_LONGEST_WAIT_S: Final = 0.1
_PAGE_BYTES: Final = 4096
_MAX_WAITING_NOTES: Final = 10_000

_wrapped: Final[list[PausableStream]] = []
_hurried_at: float | None = None


def wrap() -> None:
    """Let threads write this process's stdout and stderr from now on."""
    for name in ("stdout", "stderr"):
        target: TextIO | None = getattr(sys, name)
        if target is not None:  # it may have been closed by whoever started us
            stream = PausableStream(target, is_result=name == "stdout")
            _wrapped.append(stream)
            setattr(sys, name, stream)


def hurry() -> None:
    """Don't wait for readers much longer: a signal asked for the end."""
    global _hurried_at  # noqa: PLW0603  there is one end of a process
    _hurried_at = _hurried_at or time.monotonic()


async def drained() -> None:
    """Return when what was printed is with its reader, or needn't be any more.

    Raises:
        BrokenPipeError: the reader has gone.
    """
    delays = _delays_s()
    while any(stream.waits() for stream in _wrapped):  # noqa: ASYNC110  a thread has no event
        await asyncio.sleep(next(delays))


def finish() -> None:
    """The same, for when no event loop runs."""
    for stream in _wrapped:
        stream.flush()
    delays = _delays_s()
    while any(stream.waits() for stream in _wrapped):
        time.sleep(next(delays))


def _delays_s() -> Iterator[float]:
    """Return how long to wait before each look: little at first, and then to be no load."""
    delay_s = _LOOK_AGAIN_S
    while True:
        yield delay_s
        delay_s = min(2 * delay_s, _LONGEST_WAIT_S)


class PausableStream(io.TextIOBase):
    """A text stream that keeps whole lines until a thread has written them."""

    def __init__(self, target: TextIO, *, is_result: bool) -> None:
        """Write to the file of `target`; `is_result`: nothing may be lost (rule 4)."""
        target.flush()
        self._target, self._file, self._is_result = target, target.fileno(), is_result
        self._line, self._dropped = "", 0
        self._waiting: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._gone = False
        self._thread = threading.Thread(target=self._write_all, name="output", daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        """Take a text; it is written once its line is whole."""
        if self._gone and self._is_result:
            raise BrokenPipeError
        lines, newline, self._line = (self._line + text).rpartition("\n")
        self._put(lines + newline)
        return len(text)

    def flush(self) -> None:
        """Let what has no end yet be written."""
        line, self._line = self._line, ""
        self._put(line)

    def waits(self) -> bool:
        """Tell whether something should still be written.

        Raises:
            BrokenPipeError: there is nobody any more who reads this result.
        """
        if self._gone and self._is_result:
            raise BrokenPipeError
        is_late = _hurried_at is not None and time.monotonic() - _hurried_at > _HURRIED_S
        return bool(self._waiting) and not is_late

    def isatty(self) -> bool:
        """Tell whether a person reads it."""
        return self._target.isatty()

    def fileno(self) -> int:
        """Return the number of the file."""
        return self._file

    @property
    def encoding(self) -> str:  # type: ignore[override]  # rich asks for it
        """How text becomes bytes."""
        return self._target.encoding

    def _put(self, text: str) -> None:
        if not text or self._gone:
            return
        if not self._is_result and len(self._waiting) >= _MAX_WAITING_NOTES:
            self._dropped += text.count("\n")
            return
        if self._dropped:
            text = f"({self._dropped} lines are lost: nobody read them in time)\n{text}"
            self._dropped = 0
        with self._changed:
            self._waiting.append(text.encode(self.encoding, "backslashreplace"))
            self._changed.notify()

    def _write_all(self) -> None:
        while not self._gone:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
            try:
                for line in self._waiting[0].splitlines(keepends=True):
                    _wait_for_room(self._file, len(line))
                    _write(self._file, line)
            except OSError:
                self._gone = True  # before what waits goes: `waits` says why
            self._waiting.popleft()


def _write(file: int, line: bytes) -> None:
    """Write bytes; not by `sys.stdout`: its lock would be held when the process ends."""
    while line:
        try:
            line = line[os.write(file, line) :]
        except BlockingIOError:  # somebody who shares the pipe or the terminal made it so
            select.select([], [file], [])


def _wait_for_room(pipe: int, size: int) -> None:
    """Wait until a pipe has room for a line, or is empty."""
    if size <= _PAGE_BYTES or not stat.S_ISFIFO(os.fstat(pipe).st_mode):
        return  # so much is written in one step, or not at all
    if not hasattr(fcntl, "F_GETPIPE_SZ"):
        return
    pages = fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) // _PAGE_BYTES
    delays = _delays_s()
    while (queued := _queued(pipe)) and not _gone(pipe):
        # two neighbouring pages together hold more than one page's bytes: short lines share pages
        used = 2 * queued // _PAGE_BYTES + 1
        if (pages - used) * _PAGE_BYTES >= size:
            return
        time.sleep(next(delays))


def _queued(pipe: int) -> int:
    """Return how many bytes of a pipe weren't read yet."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def _gone(pipe: int) -> bool:
    """Tell whether nobody reads a pipe any more."""
    poll = select.poll()
    poll.register(pipe, 0)
    return bool(poll.poll(0))
