"""What befalls each day of a chaos: drawn from a seed. Pure.

Rule 1: the first two days and the last two are without trouble, so that there is something to lose,
        and time to come right; each kind of trouble comes in any plan of `ALL_KINDS_DAYS` or more.
Rule 2: what is put back was kept at the end of a day before, and what is cut came since one.
Rule 3: a day's events may be published again, or never, if the log lost them, or if no whole export
        of it could be read: `doubted` says which days those are. Nothing else excuses anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from lab.soak.plan import PARTS
from petstream.topics import EXPORTS, ORGS, PETS, PICTURES, REQUESTS

Victim = str

UNREAD: Final = ("cut-file", "missing-part", "cut-last-row")
"""Faults of an export that is never completed; the next day's whole one makes good for it."""

SERVERS: Final = ("kafka", "postgres")
VICTIMS: Final[tuple[Victim, ...]] = ("up", *PARTS, *SERVERS, "everything")
"""What gets SIGKILL: the supervisor, one part, Kafka's JVM, the postmaster, or all at once."""

CLOCK_STEPS_S: Final = (3_000, -3_000, 3 * 86_400, -40 * 86_400)
"""How far the clock of the parts is off: by less than an hour, by days, or by more than a month."""

CUT_TOPICS: Final = tuple(topic.name for topic in (PETS, ORGS, EXPORTS, PICTURES, REQUESTS))
_MENDED: Final = frozenset(topic.name for topic in (PETS, ORGS, EXPORTS))
FEWEST_DAYS: Final = 6
ALL_KINDS_DAYS: Final = 20
_LATEST_S: Final = 6.0
_OLDEST_LOG, _OLDEST_TABLES = 3, 5


@dataclass(frozen=True)
class Cut:
    """Kafka's tails, lost in a power cut.

    Attributes:
        topics: those that lose what came behind the end of a day.
        since: that day.
        is_torn: half of the first thing lost is still there.
    """

    topics: tuple[str, ...]
    since: int
    is_torn: bool


@dataclass(frozen=True)
class ChaosDay:
    """A day, and what befalls it.

    Attributes:
        number: from 0.
        unread: the fault of its export, of `UNREAD`: no whole one comes on that day.
        killed: what gets SIGKILL, one after the other.
        clock_step_s: how far the clock of the parts is off from before the export comes.
        is_disk_full: there is no room for a while.
        cut: tails that Kafka loses.
        log_of: Kafka's directory is put back as it was at the end of that day.
        tables_of: Postgres' is.
        is_mending_killed: the first read that would make good for a loss gets SIGKILL amidst.
        kept: of which servers the directory is kept at the day's end.
        after_s: how long after the export has come the first of it happens.
    """

    number: int
    unread: str | None = None
    killed: tuple[Victim, ...] = ()
    clock_step_s: int = 0
    is_disk_full: bool = False
    cut: Cut | None = None
    log_of: int | None = None
    tables_of: int | None = None
    is_mending_killed: bool = False
    kept: frozenset[str] = frozenset()
    after_s: float = 0.0

    def __str__(self) -> str:
        """Say what befalls it, for a person."""
        return "; ".join(self._words())

    def _words(self) -> Iterator[str]:
        if self.unread:
            yield f"no whole export ({self.unread})"
        if self.clock_step_s:
            yield f"the parts' clock is off by {self.clock_step_s / 3_600:+.1f} h"
        if self.is_disk_full:
            yield "the disk is full for a while"
        for victim in self.killed:
            yield f"kill -9 of {victim}"
        if self.cut is not None:
            torn = ", torn" if self.cut.is_torn else ""
            names = ", ".join(self.cut.topics)
            yield f"power cut, {names} end where day {self.cut.since + 1} did{torn}"
        if self.log_of is not None:
            yield f"Kafka's directory put back to day {self.log_of + 1}"
        if self.tables_of is not None:
            yield f"Postgres put back to day {self.tables_of + 1}"
        if self.is_mending_killed:
            yield "kill -9 of the watch while it mends"


def drawn(seed: int, days: int) -> list[ChaosDay]:
    """Draw the days; the same seed draws the same."""
    rng = Random(f"chaos {seed} {days}")  # noqa: S311  a draw that can be repeated
    plan = [ChaosDay(number) for number in range(days)]
    open_days = range(2, days - 2)
    _strike_apart(rng, plan, open_days)
    for _ in range(_share(2, days)):
        number = rng.choice(open_days)
        since = rng.randint(max(0, number - _OLDEST_TABLES), number - 1)
        plan[number] = replace(plan[number], tables_of=since)
    steps = CLOCK_STEPS_S[: _share(len(CLOCK_STEPS_S), days)]
    for step_s, number in zip(steps, rng.sample(open_days, len(steps)), strict=True):
        plan[number] = replace(plan[number], clock_step_s=step_s)
    victims = [*VICTIMS, *rng.choices(VICTIMS, k=max(0, days // 3))]
    for victim in victims[:days]:
        number = rng.choice(open_days)
        killed = plan[number].killed
        if victim not in killed:
            plan[number] = replace(plan[number], killed=(*killed, victim))
    losses = [day.number for day in plan if _owes(day)]
    for number in losses[: 1 + len(losses) // 2]:
        plan[number] = replace(plan[number], is_mending_killed=True)
    return _with_copies(
        replace(day, after_s=round(rng.uniform(0, _LATEST_S), 2)) if str(day) else day
        for day in plan
    )


def _strike_apart(rng: Random, plan: list[ChaosDay], open_days: Sequence[int]) -> None:
    """Draw what comes on a day of its own: losses, a full disk, exports that aren't whole."""
    days = len(plan)
    kinds = [
        *["cut"] * _share(2, days), *["log"] * _share(1, days), *["disk"] * _share(1, days),
        *rng.choices(UNREAD, k=_share(2, days)),
    ]  # fmt: skip
    rng.shuffle(kinds)
    for kind, number in zip(kinds, rng.sample(open_days, len(open_days)), strict=False):
        plan[number] = _struck(rng, plan[number], kind)


def _struck(rng: Random, day: ChaosDay, kind: str) -> ChaosDay:
    if kind == "cut":
        topics = tuple(sorted(rng.sample(CUT_TOPICS, rng.randint(1, len(CUT_TOPICS)))))
        since = max(0, day.number - rng.randint(2, 3))  # the day's export may not be read yet
        return replace(day, cut=Cut(topics, since, is_torn=rng.choice((False, True))))
    if kind == "log":
        since = max(0, day.number - rng.randint(1, _OLDEST_LOG))
        return replace(day, log_of=since)
    if kind == "disk":
        return replace(day, is_disk_full=True)
    return replace(day, unread=kind)


def _owes(day: ChaosDay) -> bool:
    """Return whether a day's loss is one that the ingester makes good for, by reading again."""
    is_cut = day.cut is not None and not _MENDED.isdisjoint(day.cut.topics)
    return is_cut or day.log_of is not None


def _share(of_thirty: int, days: int) -> int:
    return max(1, round(of_thirty * days / 30))


def _with_copies(plan: Iterable[ChaosDay]) -> list[ChaosDay]:
    days = list(plan)
    wanted = {"kafka": {day.log_of for day in days}, "postgres": {day.tables_of for day in days}}
    return [
        replace(day, kept=frozenset(name for name in SERVERS if day.number in wanted[name]))
        for day in days
    ]


def doubted(plan: Sequence[ChaosDay], last: int) -> frozenset[int]:
    """Return the days up to `last` of whose events the tables may hold fewer, or more (rule 3)."""
    days: set[int] = set()
    for day in plan[: last + 1]:
        since = day.log_of
        if day.cut is not None and PETS.name in day.cut.topics:
            since = day.cut.since
        if since is not None:
            days.update(range(since + 1, day.number + 1))
        if day.unread:
            days.update((day.number, day.number + 1))
    return frozenset(number for number in days if number <= last)
