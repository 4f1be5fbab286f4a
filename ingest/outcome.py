"""What a run begins with and what it comes to: plain data."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from contracts.events import ExportCounts, Mode
from ingest.ledger import Ledger
from ingest.memory import Memory

Progress = Callable[[str, int], None]
"""Is told a file's logical name and how many of its rows were read so far."""


class Outcome(NamedTuple):
    """What became of an export; `held` names the plans that wait for a person."""

    export_id: str
    mode: Mode
    counts: ExportCounts
    held: tuple[str, ...]
    notes: tuple[str, ...]


class State(NamedTuple):
    """What was folded from the topics before the run."""

    memory: Memory
    pets: Ledger
    orgs: Ledger
