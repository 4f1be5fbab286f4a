"""What a leader leaves in its group, and what the next one makes of it. Pure.

Rule 1: a proof of the lead is worth half a session, by both clocks: the one that only goes forward
        may stand still while a machine sleeps, the wall's may be set.
Rule 2: what a leader that died had on its way arrives within `LEFTOVERS_S` of its last proof and a
        session, or never: the topics refuse what is older.
"""

from __future__ import annotations

import json
from typing import Final, NamedTuple

from petstream import topics

SESSION_S: Final = 10.0
"""How long Kafka takes an ingester that isn't heard of for one that lives."""

LEFTOVERS_S: Final = topics.OLDEST_S
"""How old a record may be when it arrives: what a dead leader sent can't come later."""


class Claim(NamedTuple):
    """What a leader leaves in the group."""

    name: str
    process: str
    at: float
    left: bool = False

    def text(self) -> str:
        """Return it as it is kept."""
        return json.dumps(self._asdict(), separators=(",", ":"))


def claim_of(text: str) -> Claim | None:
    """Read a claim; None if there is none, or none of ours."""
    try:
        return Claim(**json.loads(text)) if text else None
    except (TypeError, ValueError):
        return None


def wait_s(before: Claim | None, *, now: float, died_here: bool) -> float:
    """Return how long to wait before the fold, after the leader that left this claim (rule 2)."""
    if before is None or before.left or died_here:
        return 0.0
    most = SESSION_S + LEFTOVERS_S
    return min(most, max(0.0, before.at + most - now))


def fresh(proven: tuple[float, float], now: tuple[float, float]) -> bool:
    """Tell whether a proof is young enough, by both clocks (rule 1)."""
    ages = (new - old for new, old in zip(now, proven, strict=True))
    return all(0 <= age < SESSION_S / 2 for age in ages)
