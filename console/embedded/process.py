"""A server process of ours: spawned to outlive us, found again, stopped.

Rule 1: a process is known by its pid *and* its start time: a recycled pid is somebody else.
Rule 2: the port is chosen once and kept, so that clients survive a restart. It is none that the
        system gives to outgoing connections: one of those may have it just when it is needed again.
Rule 3: what was stopped is written down as stopped: whoever finds it gone knows that it didn't die.
Rule 4: nothing is done where others may write: their files would be our passwords, or say whom to
        kill, and their links would lead what we write to wherever we may write.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from petstream.errors import UsageError
from petstream.settings import is_strangers, private_directory

READY_S: Final = 600.0
"""How long a server may take to answer that is there: after a crash it reads its log first."""

_SLOW_S: Final = 45.0
_LOOK_EVERY_S: Final = 0.1
_STOP_S: Final = 30.0
_KILL_AFTER_S: Final = 20.0
_STEADY_PORTS: Final = range(20_000, 32_000)  # Linux connects from 32768 on, others from higher
_TRIED_PORTS: Final = 50
_FREED_S: Final = 5.0


@dataclass(frozen=True)
class Process:
    """A server we started."""

    pid: int
    started: str
    port: int


@contextmanager
def locked(data_dir: Path, name: str) -> Iterator[None]:
    """Let only one command at a time start or stop this server.

    Raises:
        UsageError: others may write there (rule 4).
    """
    private_directory(data_dir, ours=False)
    state = data_dir.stat()
    if is_strangers(state) or state.st_mode & stat.S_IWOTH:
        raise UsageError(
            f"PETSTREAM_DATA_DIR: other users may put their files in the place of petstream's in "
            f"{data_dir}, so no server is started or stopped there: set it to a directory of your "
            "own"
        )
    with (data_dir / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def recorded(data_dir: Path, name: str) -> Process | None:
    """Return the server, if it is alive."""
    process = _read(data_dir, name)
    return process if process is not None and alive(process) else None


def port_for(data_dir: Path, name: str, *, at_first: int = 0) -> int:
    """Return the port this server had last, if it is still free, else a new one.

    Args:
        data_dir: where it keeps its data.
        name: which server.
        at_first: the port of one that never ran, if that is free; 0 = any.
    """
    wanted = wanted_port(data_dir, name, at_first)
    has_run = _read(data_dir, name) is not None
    if wanted and freed(wanted, within_s=_FREED_S if has_run else 0.0):
        return wanted
    for port in (*random.sample(_STEADY_PORTS, _TRIED_PORTS), 0):
        free = _free(port)
        if free is not None:
            return free
    raise OSError("there is no free port on 127.0.0.1")


def freed(port: int, *, within_s: float) -> bool:
    """Return whether a port is free, or soon: who was killed may hold it for a moment still."""
    until = time.monotonic() + within_s
    while _free(port) is None:
        if time.monotonic() >= until:
            return False
        time.sleep(0.05)
    return True


def _free(port: int) -> int | None:
    """Return a port if it can be listened at (0: any that can); else None."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return None
        bound: int = probe.getsockname()[1]
        return bound


def wanted_port(data_dir: Path, name: str, at_first: int) -> int:
    """Return the port this server had last, else the one that it should have; 0 = any."""
    process = _read(data_dir, name)
    return process.port if process else at_first


def moved(what: str, wanted: int, port: int) -> str:
    """Say that a server isn't at the port where its clients look for it."""
    return (
        f"PORT {wanted} IS TAKEN: {what} listens at 127.0.0.1:{port} instead, from now on; tell "
        "whoever connects to it ('petstream env' prints it)"
    )


def spawn(  # noqa: PLR0913  what a process is made of, each by name
    data_dir: Path,
    name: str,
    command: Sequence[str],
    *,
    port: int,
    environment: Mapping[str, str] | None = None,
    user: int | None = None,
    cwd: Path | None = None,
) -> Process:
    """Start a server in a session of its own, its output in ``<name>.log``, and record it."""
    log = data_dir / f"{name}.log"
    with open(log, "ab", opener=_private) as output:
        child = subprocess.Popen(  # noqa: S603  our own command line
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=dict(environment) if environment is not None else None,
            user=user,
            group=user,
            extra_groups=() if user is not None else None,
            cwd=cwd,
        )
    process = Process(child.pid, _start_time(child.pid) or "", port)
    child.returncode = 0  # it outlives us on purpose: no warning when this object is dropped
    try:
        _write(data_dir, name, process)
    except OSError:  # the disk is full: nobody would find it, and it would keep its directory
        os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
        raise
    return process


def write_private(path: Path, text: str) -> None:
    """Write a file, whole or not at all, that nobody else may read at any moment."""
    part = path.with_name(f"{path.name}.part")
    with open(part, "w", encoding="utf-8", opener=_private) as file:
        file.write(text)
    part.replace(path)


def _private(path: str, flags: int) -> int:
    """Open a file that others may not read, also one that they could before."""
    descriptor = os.open(path, flags, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


def alive(process: Process) -> bool:
    """Tell whether it is still there, and still the one we started."""
    if not process.started:
        return False
    _reap(process.pid)
    return _start_time(process.pid) == process.started


def becomes_ready(  # noqa: PLR0913  what it waits with, each by name
    data_dir: Path,
    name: str,
    answers: Callable[[], bool],
    *,
    say: Callable[[str], None],
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Wait until a server answers; tell whether it does.

    It isn't ended for being slow: begun again, it would read its log from the beginning.

    Args:
        data_dir: where it keeps its data.
        name: which server.
        answers: asks it.
        say: takes a line for the person who waits, once it takes long.
        monotonic: the clock.
        sleep: waits so many seconds.

    Returns:
        False: it has ended, or didn't answer within `READY_S`.
    """
    began, is_said = monotonic(), False
    while not answers():
        waited_s = monotonic() - began
        if recorded(data_dir, name) is None or waited_s > READY_S:
            return False
        if waited_s > _SLOW_S and not is_said:
            is_said = True
            say(
                f"{name} runs, and takes long to answer: after a crash it reads its log first, and "
                f"a busy machine takes its time; waiting for up to {READY_S / 60:.0f} min"
            )
        sleep(_LOOK_EVERY_S)
    return True


def died(data_dir: Path, name: str) -> bool:
    """Tell whether the server is gone although nobody stopped it."""
    process = _read(data_dir, name)
    return process is not None and bool(process.started) and not alive(process)


def stop(data_dir: Path, name: str, *, how: signal.Signals = signal.SIGTERM) -> bool:
    """Ask the server to end, and see that it does; tell whether it ran."""
    process = recorded(data_dir, name)
    if process is None:
        return False
    os.kill(process.pid, signal.SIGINT if name == "postgres" else how)
    began = time.monotonic()
    while alive(process):
        waited_s = time.monotonic() - began
        if waited_s > _KILL_AFTER_S:
            os.kill(process.pid, signal.SIGKILL)
        if waited_s > _STOP_S:
            raise TimeoutError(f"{name} (pid {process.pid}) doesn't end")
        time.sleep(0.05)
    _write(data_dir, name, Process(0, "", process.port))
    return True


def last_lines(data_dir: Path, name: str, *, lines: int = 3) -> str:
    """Return the end of a server's log, for the message that it didn't start."""
    log = data_dir / f"{name}.log"
    if not log.exists():
        return ""
    return " / ".join(log.read_text(errors="replace").splitlines()[-lines:])


def _write(data_dir: Path, name: str, process: Process) -> None:
    path = data_dir / f"{name}.json"
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(process)))
    part.replace(path)


def _read(data_dir: Path, name: str) -> Process | None:
    try:
        return Process(**json.loads((data_dir / f"{name}.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _start_time(pid: int) -> str | None:
    """Return when a process began, in the system's own terms; None if it's gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return _start_time_by_ps(pid) if not Path("/proc/self").exists() else None
    except ProcessLookupError:
        return None
    return None if fields[0] == "Z" else fields[19]


def _start_time_by_ps(pid: int) -> str | None:
    done = subprocess.run(  # noqa: S603  macOS has no /proc
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # not a child of ours: another command started it
