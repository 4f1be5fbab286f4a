"""What a subscriber's database holds, with the positions that its data stands for."""

from __future__ import annotations

from dataclasses import dataclass, field

from log_loss.events import Completed, Event
from log_loss.log import Place
from log_loss.world import At


@dataclass
class Table:
    """Rows with tombstones, positions, and what is still to be done about a loss."""

    rows: dict[int, Event] = field(default_factory=dict)
    positions: dict[At, Place] = field(default_factory=dict)
    history: set[tuple[int, int]] = field(default_factory=set)
    """Key and sequence of every event that wasn't a restatement."""
    owed: int = 0
    """The sequence above which a snapshot was asked for."""
    reread: set[At] = field(default_factory=set)
    """Partitions read from their beginning, because their log was another one."""
    unsure: set[At] = field(default_factory=set)
    """Partitions whose position named no record when reading went on from it."""
    seen: int = 0
    """The highest snapshot that was seen (of who reads all again when it rises)."""
    plan: tuple[int, frozenset[int]] | None = None
    """A sweep that waits for a person: its snapshot, and the keys."""

    def copy(self) -> Table:
        """Dump it."""
        return Table(
            dict(self.rows), dict(self.positions), set(self.history), self.owed,
            set(self.reread), set(self.unsure), self.seen, self.plan,
        )  # fmt: skip

    def offset(self, at: At) -> int:
        """Return how far a partition was applied."""
        return self.positions.get(at, Place()).offset

    def listed(self) -> dict[int, str]:
        """Return what the table lists."""
        return {key: event.content for key, event in self.rows.items() if event.listed}

    def left(self, completed: Completed) -> frozenset[int]:
        """Return what a completed's snapshot says has left."""
        return frozenset(
            key
            for key, event in self.rows.items()
            if event.listed
            and event.sequence < completed.snapshot
            and key not in completed.unstated
        )
