"""Which process this is, and whether another one of this machine is gone for good.

Rule 1: only a process of the same boot and the same namespace can be known to have died; of any
        other nothing is known.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def this_process() -> str:
    """Return a name of this process that no other one has, nor will have."""
    return f"{_machine()} {os.getpid()} {_started(os.getpid())}"


def has_died(name: str) -> bool:
    """Tell whether a process is known to have ended."""
    machine, _, rest = name.partition(" ")
    pid, _, started = rest.partition(" ")
    if not machine or machine != _machine() or not pid.isdigit() or not started.isdigit():
        return False
    return _started(int(pid)) != started


@cache
def _machine() -> str:
    """Return boot and namespace; empty where the system doesn't tell."""
    try:
        boot = _BOOT.read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return when a process began, in ticks of this boot; empty if there is none (or a zombie)."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = told.rpartition(")")[2].split()  # its name stands in brackets, and may hold any
    return "" if fields[0] in {"Z", "X"} else fields[19]
