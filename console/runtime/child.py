"""A part: one child process, its lines passed on, its death noticed.

Rule 1: it has a session of its own: Ctrl-C reaches the parent only, which then tells the part once.
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
from console.runtime.log_multiplexer import STDERR, STDOUT
from console.runtime.systemd import OF_THE_MANAGER
from petstream.settings import PREFIX

PassOn = Callable[[int, str], None]

_LONGEST_LINE: Final = 32 * 1024
_DEAD_WITHIN_S: Final = 15.0


class Program(NamedTuple):
    """What a part runs."""

    name: str
    command: tuple[str, ...]


class Part:
    """A running part, made by `begin`."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], line: socket.socket) -> None:
        """Look at a process that was just started."""
        self.name = name
        self.pid = process.pid
        self.last_line = ""
        self.up = asyncio.Event()
        self._process, self._line = process, line
        self._hung_up = asyncio.Event()
        self._streams: list[_Lines] = []
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(line.fileno(), self._listen)

    def pass_on(self, stream: IO[bytes] | None, number: int, pass_on: PassOn) -> None:
        """Read one of its streams from now on."""
        assert stream is not None  # noqa: S101  both are pipes

        def told(line: str) -> None:
            if line.strip():
                self.last_line = line
            pass_on(number, line)

        self._streams.append(_Lines(stream, told))

    async def ended(self) -> int:
        """Wait for its end; return its status, negative for a signal. Cancelled: it is killed."""
        try:
            await self._hung_up.wait()
            async with asyncio.timeout(_DEAD_WITHIN_S):
                while self._process.poll() is None:  # noqa: ASYNC110  no event tells it
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

    def _listen(self) -> None:
        try:
            heard = self._line.recv(64)
        except OSError:
            heard = b""
        if heard:
            self.up.set()
        else:
            self._loop.remove_reader(self._line.fileno())
            self._hung_up.set()

    def _close(self) -> None:
        self._loop.remove_reader(self._line.fileno())
        self._line.close()
        for stream in self._streams:
            stream.close()


def begin(program: Program, environment: Mapping[str, str], pass_on: PassOn) -> Part:
    """Start a part; `pass_on` takes the number of a stream, and a line.

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
            env={**environment, lifeline.NAME: str(number), "PYTHONUNBUFFERED": "1"},
            pass_fds=(number,),
            start_new_session=True,
        )
        unless_started.pop_all()
    part = Part(program.name, process, ours)
    part.pass_on(process.stdout, STDOUT, pass_on)
    part.pass_on(process.stderr, STDERR, pass_on)
    return part


def inherited() -> dict[str, str]:
    """Return our environment without settings, and without what a service manager told us alone."""
    return {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(PREFIX) and name not in OF_THE_MANAGER
    }


class _Lines:
    """The lines of a pipe, as they come."""

    def __init__(self, stream: IO[bytes], told: Callable[[str], None]) -> None:
        self._stream, self._told = stream, told
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
        self._say(b"\n" if self._rest else b"")

    def _read(self) -> bool:
        try:
            data = os.read(self._stream.fileno(), 64 * 1024)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._stream.fileno())
        self._say(data)
        return bool(data)

    def _say(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._told(line.decode(errors="replace").rstrip("\r"))
