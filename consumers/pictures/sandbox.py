"""What a decoder of pictures may still do: compute, read its requests, write its responses.

Rule 1: each mechanism is tried, and none needs another; where the system lacks one the others hold.
Rule 2: what was given up is never had again: by no child, and by no program that is run.
Rule 3: whoever restricts itself has imported all it needs: no file can be opened afterwards.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import resource
import struct
import sys
from contextlib import suppress
from typing import Final, NamedTuple

MEMORY_BYTES: Final = 1024 * 1024 * 1024
OWN_USER: Final = "a user of its own"
_LIMITS: Final = {
    "RLIMIT_AS": MEMORY_BYTES,
    "RLIMIT_FSIZE": 0,
    "RLIMIT_CORE": 0,
    "RLIMIT_NOFILE": 0,  # no file or socket more than those it has
    "RLIMIT_NPROC": 0,
    "RLIMIT_MEMLOCK": 0,
    "RLIMIT_MSGQUEUE": 0,
}

_FIRST_USER: Final = 2_000_000_000
"""A user for each process, from the numbers that systemd's list of them leaves to nobody."""
_NOBODY: Final = 65_534
"""Where a container has no larger number."""

_NO_NEW_PRIVILEGES: Final = 38
_CAPABILITIES_VERSION: Final = 0x2008_0522

_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # the same on every architecture
_ASK_VERSION: Final = 1
_FILE_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many kinds of access to files Landlock refuses, by the version that has them first."""
_NETWORK: Final = (4, 0b11)
_SCOPES: Final = (6, 0b11)
"""The first version that refuses connections; that refuses abstract sockets and signals."""

_SECCOMP: Final = 22
_FILTER: Final = 2
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _THIRD_ARGUMENT = 0, 4, 32
_ALLOW, _KILL = 0x7FFF_0000, 0x8000_0000
_REFUSE: Final = 0x0005_0000 | errno.EPERM
_EXECUTABLE: Final = 4


class _Calls(NamedTuple):
    """What a process on one architecture may ask of Linux, by its numbers there.

    Of memory: mmap and mprotect. Others: read, write, munmap, mremap, madvise, brk, futex, lseek,
    close, clock_gettime, rt_sigaction, rt_sigprocmask, rt_sigreturn, sigaltstack, sched_yield,
    restart_syscall, getrandom, exit, exit_group.
    """

    architecture: int
    of_memory: tuple[int, ...]
    others: tuple[int, ...]


_CALLS: Final = {
    "x86_64": _Calls(
        0xC000_003E,
        (9, 10),
        (0, 1, 11, 25, 28, 12, 202, 8, 3, 228, 13, 14, 15, 131, 24, 219, 318, 60, 231),
    ),
    "aarch64": _Calls(
        0xC000_00B7,
        (222, 226),
        (63, 64, 215, 216, 233, 214, 98, 62, 57, 113, 134, 135, 139, 132, 124, 128, 278, 93, 94),
    ),
}


class Mechanism(NamedTuple):
    """One that keeps a decoder from doing harm; `lacking`: why it doesn't, empty if it does."""

    name: str
    lacking: str


def restrict() -> list[Mechanism]:
    """Give up, for this process, all that a decoder doesn't need; return what holds."""
    if sys.platform != "linux":
        return [Mechanism("limits", _limits()), Mechanism("seccomp", "only Linux has it")]
    library = ctypes.CDLL(None, use_errno=True)
    return [  # in this order: each takes away what those before it need
        Mechanism(OWN_USER, _own_user()),
        Mechanism("no capabilities", _no_capabilities(library)),
        Mechanism("no new privileges", _no_new_privileges(library)),
        Mechanism("Landlock", _landlock(library)),
        Mechanism("limits", _limits()),
        Mechanism("seccomp", _seccomp(library)),
    ]


def _own_user() -> str:
    if os.geteuid() != 0:
        return "only root can give it one"
    with suppress(OSError):
        os.setgroups([])
    for number in (_FIRST_USER + os.getpid(), _NOBODY):
        try:
            os.setresgid(number, number, number)
            os.setresuid(number, number, number)
        except OSError:
            continue
        return ""
    return "no other user can be had here"


def _no_capabilities(library: ctypes.CDLL) -> str:
    """Give up what a root without another user, or a service with some of root's rights, has."""
    header = struct.pack("Ii", _CAPABILITIES_VERSION, 0)
    return _why_not(library.capset(header, bytes(24)))


def _no_new_privileges(library: ctypes.CDLL) -> str:
    return _why_not(library.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))


def _landlock(library: ctypes.CDLL) -> str:
    """Have no right to any file, no connection, and no signal to whoever isn't restricted alike."""
    version = library.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)
    if version < 1:
        return _why_not(-1)
    files = (1 << max(bits for first, bits in _FILE_RIGHTS.items() if first <= version)) - 1
    network, scopes = (rights if version >= first else 0 for first, rights in (_NETWORK, _SCOPES))
    attributes = struct.pack("QQQ", files, network, scopes)
    ruleset = library.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        return _why_not(-1)
    try:
        return _why_not(library.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _limits() -> str:
    failed = []
    for name, most in _LIMITS.items():
        if hasattr(resource, name):
            try:
                resource.setrlimit(getattr(resource, name), (most, most))
            except (OSError, ValueError):
                failed.append(name)
    return f"{', '.join(failed)} can't be set" if failed else ""


def _seccomp(library: ctypes.CDLL) -> str:
    calls = _CALLS.get(platform.machine())
    if calls is None or sys.byteorder != "little":
        return f"its calls aren't known on {platform.machine()}"
    program = ctypes.create_string_buffer(b"".join(_program(calls)))
    size = struct.calcsize("HBBI")
    described = struct.pack("HP", len(program) // size, ctypes.addressof(program))
    return _why_not(library.prctl(_SECCOMP, _FILTER, described, 0, 0))


def _program(calls: _Calls) -> list[bytes]:
    """Return the filter: what isn't named is refused, another architecture's calls are the end."""
    program = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, calls.architecture, 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
    ]
    for number in calls.others:
        program += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _ALLOW)]
    for number in calls.of_memory:  # no page of it is ever run
        program += [
            _step(_EQUAL, number, 0, 4),
            _step(_LOAD, _THIRD_ARGUMENT),
            _step(_ANY_BIT, _EXECUTABLE, 0, 1),
            _step(_RETURN, _REFUSE),
            _step(_RETURN, _ALLOW),
        ]
    return [*program, _step(_RETURN, _REFUSE)]


def _step(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, operand)


def _why_not(result: int) -> str:
    if result == 0:
        return ""
    number = ctypes.get_errno()
    return f"this kernel refuses it ({errno.errorcode.get(number, number)})"


if __name__ == "__main__":
    print(json.dumps(restrict()))  # noqa: T201  for whoever asks what holds
