"""What exports.v1 says of earlier runs: debts and what paid them, bases, the newest snapshot.

Rule 1: older and newer exports are judged by starts, payments by bases, nothing by the order in
        the log: a dead leader's last word may come late.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from log_loss.events import (
    ORDER,
    Completed,
    Debt,
    Decision,
    Ends,
    Lifecycle,
    Mode,
    Plan,
    Started,
)
from log_loss.rules import Rules


@dataclass
class ExportHistory:
    """The lifecycle events, sorted out."""

    rules: Rules
    events: list[Lifecycle]

    def __post_init__(self) -> None:
        """Sort."""
        self.completed = [event for event in self.events if isinstance(event, Completed)]
        self.started = [event for event in self.events if isinstance(event, Started)]
        self.debts = [event for event in self.events if isinstance(event, Debt)]
        self.plans = [event for event in self.events if isinstance(event, Plan)]
        decided = (event for event in self.events if isinstance(event, Decision))
        self.decided = {event.plan_id: event.state for event in decided}

    @property
    def newest(self) -> Completed | None:
        """The newest completed export."""
        return max(self.completed, key=lambda event: (event.start, event.base), default=None)

    @property
    def restated(self) -> Completed | None:
        """The newest completed that has a snapshot, or a restatement that may become one."""
        having = [event for event in self.completed if event.snapshot or event.restated]
        if not having:
            return None
        return (
            max(having, key=lambda event: event.base) if self.rules.newest_by_base else having[-1]
        )

    def read_whole(self, files: str) -> bool:
        """Tell whether everything of these files was read."""
        return any(event.files == files and event.mode != "daily" for event in self.completed)

    def ends_before(self, newest: Completed) -> Ends:
        """Return the ends of the completed before the newest."""
        before = [event for event in self.completed if event.base < newest.base]
        last = max(before, key=lambda event: event.base, default=None)
        return last.ends if last is not None else {}

    def highest_base(self) -> int:
        """Return the highest base of a run or a debt."""
        bases = [event.base for event in self.started] + [debt.base for debt in self.debts]
        return max(bases + [event.base for event in self.completed], default=-1)

    def unpaid(self) -> Debt | None:
        """Return the dearest debt that no completed has paid."""
        unpaid = [debt for debt in self.debts if not self._paid(debt.mode, debt.base + 1)]
        return max(unpaid, key=lambda debt: ORDER[debt.mode], default=None)

    def unfinished(self, files: str) -> Mode | None:
        """Return what is owed for runs that started and didn't complete."""
        owed: Mode = "daily"
        done = {(event.base, event.files) for event in self.completed}
        for event in self.started:
            if (event.base, event.files) in done:
                continue
            need: Mode = event.mode if event.files == files else "whole"
            if ORDER[need] > ORDER[owed] and not self._paid(need, event.base):
                owed = need
        return owed if owed != "daily" else None

    def resumed(self, files: str) -> Started | None:
        """Return the run of these files that started last and didn't complete."""
        done = {(event.base, event.files) for event in self.completed}
        begun = [
            event
            for event in self.started
            if event.files == files and (event.base, event.files) not in done
        ]
        if self.rules.base_again == "always":
            return begun[-1] if begun else None
        known = self.highest_base()
        owing = {debt.base for debt in self.debts}
        begun = [event for event in begun if event.base >= known and event.base not in owing]
        return begun[-1] if begun and self.rules.base_again != "never" else None

    def open_plans(self) -> Iterable[Plan]:
        """Return the plans that nobody decided about."""
        return (plan for plan in self.plans if plan.plan_id not in self.decided)

    def _paid(self, mode: Mode, from_base: int) -> bool:
        return any(
            event.base >= from_base and ORDER[event.mode] >= ORDER[mode] for event in self.completed
        )
