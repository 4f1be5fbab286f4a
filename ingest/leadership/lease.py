"""The lease that a leader leaves in its group, and how long the next one waits because of it.

Rule 1: a proof of the lead is worth half a session, by both clocks: the one that only goes forward
        may stand still while a machine sleeps, the wall's may be set.
Rule 2: what a leader that died had on its way arrives within `LEFTOVERS_S` of its last proof and a
        session, or never: the topics refuse what is older.
Rule 3: only a process of the same boot and the same namespace can be known to have died; of any
        other nothing is known.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from petstream import topics

SESSION_S: Final = 10.0
"""How long Kafka takes an ingester that isn't heard of for one that lives."""

LEFTOVERS_S: Final = topics.OLDEST_S
"""How old a record may be when it arrives: what a dead leader sent can't come later."""

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class Lease(NamedTuple):
    """What a leader leaves in the group; `left` says that it ended in order."""

    name: str
    process: str
    at: float
    left: bool = False

    def text(self) -> str:
        """Return it as it is kept."""
        return json.dumps(self._asdict(), separators=(",", ":"))


def lease_of(text: str) -> Lease | None:
    """Return the lease that a text is; None if there is none, or none of ours."""
    try:
        return Lease(**json.loads(text)) if text else None
    except (TypeError, ValueError):
        return None


def wait_s(before: Lease | None, *, now: float, died_here: bool) -> float:
    """Return how long to wait before restoring, after the leader of this lease (rule 2)."""
    if before is None or before.left or died_here:
        return 0.0
    most = SESSION_S + LEFTOVERS_S
    return min(most, max(0.0, before.at + most - now))


def fresh(proven: tuple[float, float], now: tuple[float, float]) -> bool:
    """Tell whether a proof is young enough, by both clocks (rule 1)."""
    ages = (new - old for new, old in zip(now, proven, strict=True))
    return all(0 <= age < SESSION_S / 2 for age in ages)


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
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()  # its name stands in brackets, and may hold any
    return "" if fields[0] in {"Z", "X"} else fields[19]
