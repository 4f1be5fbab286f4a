"""Schedules: which faults happen on which days, drawn from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from log_loss.feed import ORGS, PETS

SUBSCRIBERS: Final = ("ours", "r5", "old", "simple")
LOSSES: Final = frozenset({"cut", "put back", "made anew"})
AFTER_THE_RUNS: Final = 99
"""The step of a day at which its runs are over."""

_LEDGERS: Final = (("pets", 0), ("pets", 1), ("pets", 2), ("orgs", 0), ("orgs", 1))
_PLACES: Final = (*_LEDGERS, ("exports", 0), ("requests", 0))


@dataclass(frozen=True)
class Fault:
    """Something that happens on a day."""

    day: int
    what: str
    when: int = 0
    """The step of the day: 0 before its runs."""
    who: str = ""
    more: Any = None


@dataclass(frozen=True)
class Late:
    """When a killed ingester's records arrive, and how many."""

    days: int
    step: int
    count: int


@dataclass(frozen=True)
class Kind:
    """What kind of schedules."""

    days: int = 6
    losses: bool = True
    late: bool = True
    """Records of a killed ingester arrive later."""
    quiet: bool = False
    """A feed of few changes."""
    scrub: bool = True
    """The calm days at the end read everything; without, the ingester must know what it owes."""
    sharp: bool = False
    """Small losses in mid-run, which grow again before anybody looks."""


def schedule(seed: int, kind: Kind) -> list[Fault]:
    """Draw the faults of a seed."""
    random = Random(f"schedule{seed}")  # noqa: S311  seeded on purpose
    faults: list[Fault] = []
    for day in range(kind.days):
        faults += _of_the_ingester(day, random, kind)
        faults += _of_the_feed(day, random, kind, faults)
        faults += _of_subscribers(day, random)
    if random.random() < 0.2:
        faults.append(Fault(random.randrange(1, kind.days), "partitions added", _step(random)))
    for _ in range(random.choice((1, 1, 1, 2, 2, 3)) if kind.losses else 0):
        faults.append(_loss(random.randrange(1, kind.days), random, kind))
    return sorted(faults, key=lambda fault: fault.day)


def _step(random: Random) -> int:
    return random.choice((0, random.randrange(1, 30), AFTER_THE_RUNS))


def _perhaps(random: Random, *faults: tuple[float, Fault]) -> list[Fault]:
    return [fault for chance, fault in faults if random.random() < chance]


def _of_the_ingester(day: int, random: Random, kind: Kind) -> list[Fault]:
    late = Late(random.randrange(3), random.randrange(1, 25), random.randrange(1, 4))
    arrives = kind.late and random.random() < 0.6
    attempt, kill_at = random.randrange(2), random.randrange(1, 20)
    return _perhaps(
        random,
        (0.35, Fault(day, "kill", kill_at, more=(attempt, late if arrives else None))),
        (0.1, Fault(day, "no run")),
        (0.5, Fault(day, "compaction")),
        (0.5, Fault(day, "decision", _step(random))),
    )


def _of_the_feed(day: int, random: Random, kind: Kind, before: Sequence[Fault]) -> list[Fault]:
    faults = _perhaps(
        random,
        (0.08, Fault(day, "older export")),
        (0.15, Fault(day, "republication")),
        (0.15, Fault(day, "petlist", more=random.choice(("none", "short")))),
        (0.06, Fault(day, "orgs short")),
        (0.1, Fault(day, "pets_n missing")),
    )
    bad = frozenset(key for key in (*PETS, *ORGS) if random.random() < 0.05)
    if bad and (kind.scrub or not _day_may_be_missed(before, day)):
        faults.append(Fault(day, "refused", more=bad))
    return faults


def _day_may_be_missed(faults: Sequence[Fault], day: int) -> bool:
    """Tell whether a refused row may hide a change of a missed day: that waits for a scrub."""
    missing = {"no run", "older export", "kill"}
    return any(fault.what in missing and day - fault.day < 3 for fault in faults)


def _of_subscribers(day: int, random: Random) -> list[Fault]:
    who = random.choice(SUBSCRIBERS)
    faults = _perhaps(
        random,
        (0.12, Fault(day, "restored", _step(random), who, random.randrange(1, 6))),
        (0.06, Fault(day, "emptied", _step(random), who)),
        (0.05, Fault(day, "replay", _step(random), who, random.random())),
        (0.04, Fault(day, "position of 0.1", _step(random), who, 1.0)),
        (0.15, Fault(day, "member asleep", more=random.randrange(2))),
    )
    for name in SUBSCRIBERS:
        restart = Fault(day, "restart", _step(random), name)
        faults += _perhaps(random, (0.3, restart), (0.2, Fault(day, "offline", 0, name)))
    return faults


def _loss(day: int, random: Random, kind: Kind) -> Fault:
    if kind.sharp:
        places = random.sample(_PLACES[:-1], 2)
        cut = tuple((at, random.randrange(1, 4)) for at in places)
        return Fault(day, "cut", random.randrange(20), more=cut)
    when, chance = _step(random), random.random()
    if chance < 0.55:
        places = random.sample(_PLACES, random.choice((1, 1, 2, 3, 4)))
        cut = tuple((at, random.choice((1, 2, 4, 8, 16))) for at in places)
        return Fault(day, "cut", when, more=cut)
    if chance < 0.8:
        return Fault(day, "put back", when, more=random.randrange(1, 6))
    topic = random.choice(("pets", "pets", "orgs", "exports", "requests"))
    return Fault(day, "made anew", when, topic)
