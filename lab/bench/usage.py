"""What a process and its children have cost so far, as the operating system counts it (Linux)."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Final, NamedTuple

from lab.process_tree import descendants

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_LOOK_EVERY_S: Final = 0.01


class Usage(NamedTuple):
    """CPU seconds, user and system, and the peak of resident memory in MB."""

    cpu_s: float
    peak_mb: float

    def since(self, before: Usage) -> Usage:
        """Return what was added; the peak is the peak."""
        return Usage(self.cpu_s - before.cpu_s, self.peak_mb)


def usage(pid: int) -> Usage:
    """Return what a process has cost with its living and its ended children."""
    pids = [pid, *descendants(pid)]
    return Usage(sum(map(_cpu_s, pids)), max(map(_peak_mb, pids)))


def ended(process: subprocess.Popen[bytes], name: str) -> Usage:
    """Wait for a program, and return what it has cost.

    (Its own `ru_maxrss` is no less than ours: it is counted from before the program was there.)

    Raises:
        SystemExit: it failed.
    """
    peak_mb = 0.0
    while True:
        peak_mb = max(peak_mb, _peak_mb(process.pid))
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        time.sleep(_LOOK_EVERY_S)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{name} ended with status {process.returncode}: see above")
    return Usage(used.ru_utime + used.ru_stime, peak_mb)


def _cpu_s(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    fields = stat.rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) * _TICK_S  # user, system, and both of ended children


def _peak_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    lines = (line.split() for line in status.splitlines() if line.startswith("VmHWM:"))
    return next((int(line[1]) / 1024 for line in lines), 0.0)
