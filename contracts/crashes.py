"""Named places between durable steps, where a test may kill the process. No-ops otherwise.

Rule 1: ``CRASH_AT=name:k`` kills the process with SIGKILL when it passes a place the k-th time.
Rule 2: ``CRASH_COUNTS=file`` appends how often each place was passed, as a line of JSON, at exit.
Rule 3: every place stands in `PLACES`; the test that kills at each one walks that list.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Final

PLACES: Final = (
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
    "approval.decided",
    "consumer.apply.before",
    "consumer.apply.after",
    "consumer.parked",
    "consumer.commit.before",
    "consumer.commit.after",
    "consumer.offset.after",
)
"""Before and after every durable step of the ingester and the consumers."""

_AT, _, _NTH = os.environ.get("CRASH_AT", "").partition(":")
_COUNTS: Final = os.environ.get("CRASH_COUNTS")
_passed: Counter[str] = Counter()


def point(name: str) -> None:
    """Pass a place: the process ends here if a test has asked for it."""
    if _AT or _COUNTS:
        _pass(name)


def _pass(name: str) -> None:
    if name not in PLACES:
        raise ValueError(f"{name} isn't a declared crash point")
    _passed[name] += 1
    if name == _AT and _passed[name] == int(_NTH or "1"):
        os.kill(os.getpid(), signal.SIGKILL)


def _write_counts(file: str) -> None:
    with Path(file).open("a", encoding="utf-8") as counts:
        counts.write(json.dumps(_passed) + "\n")


if _COUNTS:
    atexit.register(_write_counts, _COUNTS)
