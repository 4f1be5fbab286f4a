"""What a run begins with and what it comes to: plain data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from ingest.state.export_history import Choice, Identity, Memory
from ingest.state.ledger import Ledger
from petstream.events import ExportCounts, Mode

Progress = Callable[[str, int], None]
"""Is told a file's logical name and how many of its rows were read so far."""


class Assignment(NamedTuple):
    """What a run is to do, and why: decided before it begins."""

    identity: Identity
    choice: Choice
    stamp: datetime | None
    """The export's own start stamp, if it is believed."""
    again: bool = False
    """It was completed before: nothing is said unless there is news."""
    older: bool = False
    """A newer one was completed: nobody is removed on its word."""

    def notes(self) -> list[str]:
        """Return what is unusual before anything is read."""
        said = [] if self.choice.why is None else [self.choice.why]
        if self.stamp is None:
            said.append(
                "orgs_1.json has no start stamp to believe: named by the newest file's time"
            )
        return said


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
