"""Whoever follows rule 5 to the letter ends right, whatever is lost, run and read in which order.

Each schedule has a seed: a feed that changes daily; runs that are killed, with rows that can't be
read and petlists that aren't believed; logs cut back, made anew, or given more partitions; and
readers that take any part of any partition, in any order.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Any

import pytest
from reader_programs import careful

from petstream.testkit import ReadableLog
from petstream.testkit.log_loss import listed
from petstream.testkit.lossy_log import EXPORTS, LossyLog, Place

DAYS, CALM_DAYS, PETS = 8, 2, range(8)
WORDS = "abcde"


class Reader:
    """A client that connects anew when it likes, and after each loss."""

    def __init__(self, rng: random.Random, log: LossyLog) -> None:
        """Begin with nothing read."""
        self.literal: Any = careful()()
        self.must_begin = True
        self._rng, self._log, self._view = rng, log, ReadableLog({})
        self._offsets: dict[Place, int] = {}

    def read(self, *, everything: bool = False) -> None:
        """Read some of it, or everything."""
        rng, view = self._rng, self._view
        view.turn_into(self._log.now())
        if everything or self.must_begin or rng.random() < 0.8:
            self._offsets = dict(self.literal.begin(view))
            self.must_begin = False
        places = list(view.ends)
        rng.shuffle(places)
        for place in places if everything else places[: rng.randint(0, len(places))]:
            first, end = self._offsets.get(place, 0), view.ends[place]
            until = end if everything else rng.randint(min(first, end), end)
            for offset in range(first, until):
                self.literal.handle(view.record_at(*place, offset))
            self._offsets[place] = max(first, until)

    def shown(self) -> dict[str, str]:
        """Return the pets and organisations that are shown."""
        state = self.literal.shown()
        return {name: state[name] for name in state if not name.startswith(("export/", "debt/"))}


class Feed:
    """What is on the server, day by day."""

    def __init__(self, rng: random.Random) -> None:
        """Begin with no pets."""
        self._rng = rng
        self.pets: dict[int, str] = {}
        self.orgs: dict[int, str] = {1: "a"}

    def change(self) -> None:
        """Let a day pass."""
        rng = self._rng
        for key in PETS:
            chance = rng.random()
            if key in self.pets and 0.3 <= chance < 0.45:
                del self.pets[key]
            elif chance < 0.3 or (key not in self.pets and chance < 0.4):
                self.pets[key] = rng.choice(WORDS)
        if rng.random() < 0.3:
            self.orgs = {key: rng.choice(WORDS) for key in rng.sample(range(5), 3)}


def lose(rng: random.Random, log: LossyLog, known: list[dict[Place, int]]) -> None:
    """Cut the log back to where it was on some day, or to nothing."""
    ends = log.now().ends
    kept = [each for each in known if _within(each, ends)]
    log.lose(rng.choice(kept) if kept and rng.random() < 0.8 else {})
    log.owe()


def _within(old: dict[Place, int], now: dict[Place, int]) -> bool:
    return all(now[place] >= end for place, end in old.items() if place[0] != EXPORTS)


def a_day(  # noqa: PLR0913  what a day is made of
    rng: random.Random,
    day: int,
    log: LossyLog,
    feed: Feed,
    readers: Collection[Reader],
    *,
    owed: bool,
) -> bool:
    """Let the ingester read an export; return whether a snapshot is still owed."""
    calm = day >= DAYS
    unreadable = () if calm else tuple(key for key in feed.pets if rng.random() < 0.1)
    run = log.run(
        day, feed.pets, feed.orgs,
        snapshot=owed, unreadable=unreadable, believed=calm or rng.random() < 0.8,
    )  # fmt: skip
    killed_after = 0 if calm or rng.random() < 0.8 else rng.randint(1, 8)
    for step, _ in enumerate(run, 1):
        if step == killed_after:
            return owed
        for reader in readers:
            if rng.random() < 0.15:
                reader.read()
    return False


@pytest.mark.parametrize("decade", range(10))
def test_whatever_the_schedule_it_ends_with_what_the_feed_lists(decade: int) -> None:
    for seed in range(decade * 10, decade * 10 + 10):
        rng = random.Random(seed)  # noqa: S311  a schedule, no secret
        log, feed = LossyLog(heals=True), Feed(rng)
        readers = [Reader(rng, log) for _ in range(2)]
        known: list[dict[Place, int]] = []
        owed = False
        for day in range(DAYS + CALM_DAYS):
            feed.change()
            known.append(log.now().ends)
            if 0 < day < DAYS and rng.random() < 0.35:
                lose(rng, log, known)
                owed = True
                for reader in readers:
                    reader.must_begin = True
            if day == DAYS // 2 and rng.random() < 0.3:
                log.raise_partitions(rng.randint(4, 6))
            owed = a_day(rng, day, log, feed, readers, owed=owed)
            for reader in readers:
                reader.read()
        for reader in readers:
            reader.read(everything=True)
            assert reader.shown() == listed(feed.pets, feed.orgs), f"seed {seed}"
