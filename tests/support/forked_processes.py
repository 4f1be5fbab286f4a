"""Work done in processes of its own, each killed at a place."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from petstream import failpoints

KILLED = -signal.SIGKILL


Work = Callable[[], Coroutine[Any, Any, object]]


class Ended(NamedTuple):
    """How a forked process ended, and how often it had passed each place if it came to its end."""

    status: int
    passed: Counter[str]


def forked(*works: tuple[Work, str]) -> list[Ended]:
    """Run works at once, in processes of their own, each killed at its place (``""``: at none)."""
    running = []
    for work, at in works:
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            _child(work, at, write)
        os.close(write)
        running.append((pid, read))
    ended = []
    for pid, read in running:
        with os.fdopen(read, "rb") as report:
            passed = report.read()
        _, status = os.waitpid(pid, 0)
        counts = Counter(json.loads(passed)) if passed else Counter[str]()
        ended.append(Ended(os.waitstatus_to_exitcode(status), counts))
    return ended


def _child(work: Work, at: str, write: int) -> None:
    status = 1
    try:
        failpoints.arm(at)
        asyncio.run(work())
        os.write(write, json.dumps(failpoints.passed).encode())
        status = 0
    except BaseException:  # noqa: BLE001  the process ends here, whatever it was
        traceback.print_exc()
    finally:
        os._exit(status)
