"""Named places between durable steps, where a test may kill the process. No-ops otherwise.

Rule 1: ``CRASH_AT=name:k`` kills the process with SIGKILL when it passes a place the k-th time.
Rule 2: every place stands in `PLACES`; the test that kills at each one walks that list.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Final

PLACES: Final = (
    "ingest.debt.recorded",
    "ingest.started.announced",
    "ingest.send.before",
    "ingest.send.after",
    "ingest.acknowledged",
    "ingest.archive.rename.before",
    "ingest.archive.rename.after",
    "ingest.rows.flushed",
    "ingest.removal.before",
    "ingest.removal.after",
    "ingest.held.after",
    "ingest.removals.flushed",
    "ingest.completed.before",
    "ingest.completed.sent",
    "ingest.completed.flushed",
    "approval.removals.sent",
    "approval.removals.flushed",
    "approval.part.sent",
    "approval.decided",
    "consumer.apply.before",
    "consumer.apply.after",
    "consumer.parked",
    "consumer.commit.before",
    "consumer.commit.after",
    "consumer.offset.after",
    "picture.store.before",
    "picture.part.begun",
    "picture.part.written",
    "picture.thumbnails.stored",
    "picture.store.after",
    "picture.row.after",
    "picture.event.before",
    "picture.event.sent",
    "picture.event.after",
)
"""Before and after every durable step of the ingester, the consumers and the picture workers."""

passed: Final[Counter[str]] = Counter()
"""How often each place was passed, once `arm` was called."""

_armed: list[tuple[str, int]] = []


def point(name: str) -> None:
    """Pass a place: the process ends here if a test has asked for it."""
    if _armed:
        _pass(name)


def arm(at: str) -> None:
    """Count from now on, and end the process as ``CRASH_AT`` says (``""``: only count)."""
    name, _, nth = at.partition(":")
    if name and name not in PLACES:
        raise ValueError(f"CRASH_AT: there is no place {name!r}; there are {', '.join(PLACES)}")
    passed.clear()
    _armed[:] = [(name, int(nth or "1"))]


def _pass(name: str) -> None:
    if name not in PLACES:
        raise ValueError(f"{name} isn't a declared crash point")
    passed[name] += 1
    if (name, passed[name]) in _armed:
        os.kill(os.getpid(), signal.SIGKILL)


if "CRASH_AT" in os.environ:
    arm(os.environ["CRASH_AT"])
