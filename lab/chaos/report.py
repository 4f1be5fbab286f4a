"""What a chaos came to, in words, and everything as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lab.chaos.plan import ChaosDay, doubted
from lab.chaos.run import DayOutcome


@dataclass(frozen=True)
class Chaos:
    """How the days went.

    Attributes:
        seed: what drew them.
        days: those that were planned.
        outcomes: of those that were done.
        wrong: what is wrong (nothing: all is right).
        is_disk_filled: whether the disk could be filled up.
    """

    seed: int
    days: Sequence[ChaosDay]
    outcomes: Sequence[DayOutcome]
    wrong: Sequence[str]
    is_disk_filled: bool


def lines(chaos: Chaos) -> Iterator[str]:
    """Return the report, ending with the verdict."""
    for outcome in chaos.outcomes:
        day = outcome.day
        said = "; ".join(outcome.compared) or "no whole export: nothing is compared"
        yield f"day {day.number + 1}, {outcome.seconds:.0f} s: {str(day) or 'no trouble'}"
        yield f"  right: {said}" if outcome.compared else f"  {said}"
        for line, times in Counter(outcome.notable).items():
            yield f"  told: {line}" + (f" ({times} times)" if times > 1 else "")
    yield ""
    if not chaos.is_disk_filled:
        yield "the disk was never full: only root may mount a small one"
    days = sorted(doubted(chaos.days, len(chaos.outcomes) - 1))
    if days:
        yield (
            "the history isn't judged of days whose events were lost, or of which no whole export "
            f"came: {', '.join(str(day + 1) for day in days)}"
        )
    yield from (f"wrong: {what}" for what in chaos.wrong)
    if not chaos.wrong:
        compared = sum(bool(outcome.compared) for outcome in chaos.outcomes)
        seconds = sum(outcome.seconds for outcome in chaos.outcomes)
        yield (
            f"seed {chaos.seed}: right after each of {compared} of {len(chaos.outcomes)} days on "
            f"which a whole export came; {seconds:.0f} s"
        )


def document(chaos: Chaos) -> dict[str, Any]:
    """Return everything that befell, and what came of it."""
    return {
        "seed": chaos.seed,
        "right": not chaos.wrong,
        "wrong": list(chaos.wrong),
        "diskFilled": chaos.is_disk_filled,
        "days": [
            {
                "day": outcome.day.number + 1,
                "what": str(outcome.day),
                "seconds": round(outcome.seconds, 1),
                "compared": list(outcome.compared),
                "told": outcome.notable,
            }
            for outcome in chaos.outcomes
        ],
    }
