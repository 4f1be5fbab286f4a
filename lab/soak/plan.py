"""What goes wrong on each day of a soak: drawn from a seed. Pure.

Rule 1: only what heals on the same day: the tables must equal those of days without faults. So what
        changes the feed's own words (`odd-text`, `moved-pictures`, `late-export`) isn't drawn.
Rule 2: the first day is without faults, and so is the last: what was away has come back by then.
"""

from __future__ import annotations

from random import Random
from typing import Final, Literal, NamedTuple

from consumers.registry import NAMES

UNREAD: Final = ("stale-petlist", "stale-pets", "missing-part", "cut-file", "cut-last-row")
"""The export isn't read, or isn't completed."""

HELD: Final = (
    "missing-petlist",
    "empty-petlist",
    "truncated-petlist",
    "short-petlist",
    "html-petlist",
)
"""The export is completed, and its removals are held."""

TAKEN: Final = ("bad-row", "repeated-rows", "number-ids", "odd-pictures", "crlf", "no-stamp")
"""The export is completed as if nothing were wrong."""

PARTS: Final = ("watch", *NAMES)
_RESTARTS: Final = 4
_LAST_RESTART: Final = 6
"""So many days before the end: what came before is compared with the young processes after it."""

HOSTS: Final = ("feed", "pictures")


class SoakDay(NamedTuple):
    """A day of a soak, and what happens to the daemon in it.

    Attributes:
        number: from 0.
        fault: of the export as it comes first; unless it is of `TAKEN`, a whole one follows.
        zipped: whether the files are.
        killed: the part that gets SIGKILL.
        away: the host that goes away for a while.
        restart: whether the daemon ends and is started again, or reloads.
        after_s: how long after the whole export has come all that happens.
    """

    number: int
    fault: str | None = None
    zipped: bool = False
    killed: str | None = None
    away: str | None = None
    restart: Literal["end", "reload"] | None = None
    after_s: float = 0.0

    def __str__(self) -> str:
        """Say what is unusual about it."""
        killed = self.killed and f"kill -9 of {self.killed}"
        away = self.away and f"{self.away} away"
        restarted = {"end": "stopped and started", "reload": "SIGHUP", None: None}[self.restart]
        return ", ".join(event for event in (self.fault, killed, away, restarted) if event)


def drawn(seed: int, days: int, faults: float, restart_every: int = 40) -> list[SoakDay]:
    """Draw the days.

    Args:
        seed: the same seed draws the same.
        days: how many.
        faults: the share of days with an export that is faulty; parts die on half as many, hosts
            are away on a quarter, and settings are read again on an eighth of them.
        restart_every: so many days, the daemon is stopped and started; at the least four times.
    """
    plan = [SoakDay(0)]
    every = max(2, min(restart_every, days // _RESTARTS))
    for number in range(1, days):
        rng = Random(f"{seed} {number}")  # noqa: S311  a draw that can be repeated
        last = number == days - 1
        fault = _one_of(rng, (*UNREAD, *HELD, *TAKEN), faults)
        killed = _one_of(rng, PARTS, faults / 2)
        away = _one_of(rng, HOSTS, faults / 4)
        reload = rng.random() < faults / 8
        end = number % every == every - 1 or number == days - _LAST_RESTART
        zipped, after_s = rng.random() < 0.3, rng.uniform(0, 2.0)  # noqa: PLR2004  some, and soon
        plan.append(
            SoakDay(number, zipped=zipped)
            if last
            else SoakDay(
                number, fault, zipped, killed, away,
                "end" if end else "reload" if reload else None, after_s,
            )
        )  # fmt: skip
    return plan


def _one_of(rng: Random, names: tuple[str, ...], share: float) -> str | None:
    name, drawn_now = rng.choice(names), rng.random() < share
    return name if drawn_now else None
