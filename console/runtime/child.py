"""A child process: its lines are passed on as they come, its death is noticed.

Rule 1: it has a session of its own: Ctrl-C reaches the parent only, which then stops it once.
Rule 2: its death is seen at its end of the lifeline; no signal handler, no thread.
Rule 3: to kill it kills whatever it started.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from typing import IO, Final, NamedTuple

from console.runtime import lifeline
from console.runtime.output import STDERR, STDOUT

LineSink = Callable[[int, str], None]
"""Takes the number of a stream, and a line of it."""

_LONGEST_LINE: Final = 32 * 1024
_EXIT_WITHIN_S: Final = 15.0


class Program(NamedTuple):
    """What a child process runs, and which variables it doesn't get: secrets it has no use for."""

    name: str
    command: tuple[str, ...]
    without: frozenset[str] = frozenset()


def spawn(program: Program, environment: Mapping[str, str], sink: LineSink) -> Child:
    """Start a child process; `sink` takes its lines.

    Raises:
        OSError: it can't be started, now or ever.
    """
    ours, theirs = socket.socketpair()
    with ExitStack() as unless_started, theirs:
        unless_started.enter_context(ours).settimeout(0)
        number = theirs.fileno()
        process = subprocess.Popen(  # noqa: S603  our own command line
            program.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                **{name: environment[name] for name in environment.keys() - program.without},
                lifeline.NAME: str(number),
                "PYTHONUNBUFFERED": "1",
            },
            pass_fds=(number,),
            start_new_session=True,
        )
        unless_started.pop_all()
    child = Child(program.name, process, ours)
    child.read_lines(process.stdout, STDOUT, sink)
    child.read_lines(process.stderr, STDERR, sink)
    return child


class Child:
    """A running child process, made by `spawn`."""

    def __init__(
        self, name: str, process: subprocess.Popen[bytes], parents_end: socket.socket
    ) -> None:
        """Watch a process that was just started; `parents_end`: of its lifeline."""
        self.name = name
        self.pid = process.pid
        self.last_line = ""
        self.ready = asyncio.Event()
        self._process, self._lifeline = process, parents_end
        self._dead = asyncio.Event()
        self._streams: list[_LineReader] = []
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(parents_end.fileno(), self._read_lifeline)

    def read_lines(self, stream: IO[bytes] | None, number: int, sink: LineSink) -> None:
        """Read the lines of one of its streams from now on."""
        assert stream is not None  # noqa: S101  both are pipes

        def take(line: str) -> None:
            if line.strip():
                self.last_line = line
            sink(number, line)

        self._streams.append(_LineReader(stream, take))

    async def wait(self) -> int:
        """Wait for its end; return its status, negative for a signal. Cancelled: it is killed."""
        try:
            await self._dead.wait()
            async with asyncio.timeout(_EXIT_WITHIN_S):
                while self._process.poll() is None:  # noqa: ASYNC110  there is no event for it
                    await asyncio.sleep(0.01)
        except TimeoutError:
            self.kill()
        except asyncio.CancelledError:
            self.kill()
            self._close()
            raise
        self._close()
        return self._process.wait()

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """End it, and what it started."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()  # at once

    def _read_lifeline(self) -> None:
        try:
            data = self._lifeline.recv(64)
        except OSError:
            data = b""
        if data:
            self.ready.set()
        else:
            self._loop.remove_reader(self._lifeline.fileno())
            self._dead.set()

    def _close(self) -> None:
        self._loop.remove_reader(self._lifeline.fileno())
        self._lifeline.close()
        for stream in self._streams:
            stream.close()


class _LineReader:
    """The lines of a pipe, as they come."""

    def __init__(self, stream: IO[bytes], take: Callable[[str], None]) -> None:
        self._stream, self._take = stream, take
        self._rest = b""
        os.set_blocking(stream.fileno(), False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(stream.fileno(), self._read)

    def close(self) -> None:
        """Take what is left; whoever else holds the other end isn't waited for."""
        while self._read():
            pass
        self._loop.remove_reader(self._stream.fileno())
        self._stream.close()
        self._split(b"\n" if self._rest else b"")

    def _read(self) -> bool:
        try:
            data = os.read(self._stream.fileno(), 64 * 1024)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._stream.fileno())
        self._split(data)
        return bool(data)

    def _split(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._take(line.decode(errors="replace").rstrip("\r"))
