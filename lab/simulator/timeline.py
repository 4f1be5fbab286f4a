"""Who is in the feed on which day: the plan of a history, without any row.

Rule 1: the days draw from generators of their own, so a longer history begins like a shorter one.
Rule 2: every day from the second on has a new, an updated and a left pet, a changed and a new
        organisation; from the third on also a relisted pet, and an organisation that goes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lab.simulator.pet_edits import Edit, Kind
from lab.simulator.pet_rows import DAY_S, SimulatedPet
from lab.simulator.shapes import chance, seeded

if TYPE_CHECKING:
    from random import Random

Op = Literal["added", "updated", "relisted", "removed"]

ORGS_PER_PET = 0.097
NEW_SHARE, UPDATED_SHARE, LEFT_SHARE, RELISTED_SHARE = 0.03, 0.06, 0.03, 0.003
ORG_CHANGED_SHARE, ORG_NEW_SHARE, ORG_LEFT_SHARE = 0.005, 0.0005, 0.0005
UNKNOWN_ORG_SHARE = 0.003
FIRST_UNKNOWN_ORG = 90_001
HUGE_FROM_PETS = 1_000
NEWEST_OLD_ID = 22_800_000


@dataclass(slots=True)
class Life:
    """A pet's or an organisation's way through the feed."""

    ops: list[tuple[int, Op]]
    edits: list[Edit] = field(default_factory=list)

    def listed(self, day: int) -> bool:
        """Whether the export of that day has it."""
        last = [op for at, op in self.ops if at <= day]
        return bool(last) and last[-1] != "removed"


@dataclass(slots=True)
class PetLife(Life):
    """A pet's way; `fresh` says which of the first day's files it stands in besides pets_n."""

    pet: SimulatedPet = field(kw_only=True)
    fresh: Literal["new", "updated", ""] = ""


@dataclass(slots=True)
class Timeline:
    """Every pet and organisation there ever was, in the order of their ids."""

    pets: dict[int, PetLife]
    orgs: dict[int, Life]


def plan(seed: int, pets: int, starts: list[int]) -> Timeline:
    """Plan the days whose exports start at these epoch seconds."""
    timeline = _first_day(seeded(seed, 10), pets, starts[0])
    for day in range(1, len(starts)):
        _Day(timeline, seeded(seed, 11, day), day, starts).happen(pets)
    return timeline


def _first_day(rng: Random, pets: int, start: int) -> Timeline:
    org_count = max(4, round(pets * ORGS_PER_PET))
    org_ids = sorted(rng.sample(range(1, max(15_000, 2 * org_count)), org_count))
    weights = [rng.lognormvariate(0.0, 1.25) for _ in org_ids]
    recent = round(pets * 0.8)
    ids = rng.sample(range(100_000, 21_500_000), pets - recent)
    ids += rng.sample(range(21_500_000, max(NEWEST_OLD_ID, 21_500_000 + 2 * pets)), recent)
    owners = rng.choices(org_ids, weights, k=pets)
    for at in range(max(1, round(pets * UNKNOWN_ORG_SHARE))):
        owners[at] = FIRST_UNKNOWN_ORG + at
    new, updated = max(1, round(pets * NEW_SHARE)), max(1, round(pets * 0.05))
    lives: dict[int, PetLife] = {}
    for ordinal, animal_id in enumerate(sorted(ids)):
        fresh: Literal["new", "updated", ""] = ""
        if ordinal >= pets - new:
            fresh = "new"
        elif rng.random() < updated / pets or ordinal == 1:
            fresh = "updated"
        first_at = _first_update(rng, start, fresh != "")
        huge = pets >= HUGE_FROM_PETS and ordinal == pets // 2
        pet = SimulatedPet(animal_id, ordinal, owners[ordinal], first_at, huge)
        lives[animal_id] = PetLife([(0, "added")], pet=pet, fresh=fresh)
    return Timeline(lives, {org_id: Life([(0, "added")]) for org_id in org_ids})


def _first_update(rng: Random, start: int, fresh: bool) -> int:  # noqa: FBT001 - one bool
    yesterday = start - DAY_S
    if fresh:
        return rng.randrange(yesterday, start - 60)
    if chance(rng, 0.37):
        return rng.randrange(yesterday - 29 * DAY_S, yesterday)
    if chance(rng, 0.90):
        return rng.randrange(yesterday - 730 * DAY_S, yesterday - 29 * DAY_S)
    years = 20 if chance(rng, 0.03) else 5
    return rng.randrange(yesterday - years * 365 * DAY_S, yesterday - 730 * DAY_S)


class _Day:
    """One day's events, in the order in which they need each other."""

    def __init__(self, timeline: Timeline, rng: Random, day: int, starts: list[int]) -> None:
        self.pets, self.orgs = timeline.pets, timeline.orgs
        self.rng, self.day, self.starts = rng, day, starts
        self.listed = [key for key, life in self.pets.items() if life.listed(day - 1)]
        self.free = self.listed.copy()
        rng.shuffle(self.free)

    def happen(self, pets: int) -> None:
        relisted = self.relist() if self.day > 1 else []
        left = self.close_orgs(relisted) if self.day > 1 else []
        self.leave(left, round(len(self.listed) * LEFT_SHARE))
        self.change_orgs()
        self.update(max(1, round(len(self.listed) * UPDATED_SHARE)))
        self.add(max(1, round(pets * NEW_SHARE)))

    def relist(self) -> list[int]:
        """Bring some back that left earlier and whose organisation isn't gone."""
        gone = [
            key
            for key, life in self.pets.items()
            if not life.listed(self.day - 1) and not self._lost_org(life.pet.org_id)
        ]
        count = max(1, round(len(self.listed) * RELISTED_SHARE))
        chosen = self.rng.sample(gone, min(len(gone), count))
        for at, key in enumerate(chosen):
            self.pets[key].ops.append((self.day, "relisted"))
            if at % 2:  # every other one comes back just as it was
                self.pets[key].edits.append(Edit(self.day, self._moment(), "text"))
        return chosen

    def close_orgs(self, relisted: list[int]) -> list[int]:
        """Let organisations go, small ones that today's relisted don't need; say whose pets go."""
        owned: dict[int, list[int]] = {}
        for key in self.listed:
            owned.setdefault(self.pets[key].pet.org_id, []).append(key)
        needed = {self.pets[key].pet.org_id for key in relisted}
        owners = [key for key in self.orgs if key in owned and key not in needed]
        owners.sort(key=lambda key: len(owned[key]))
        # Few pets go with their organisation, or every removal gate would trip over it.
        small = [key for key in owners if len(owned[key]) <= len(self.listed) // 50] or owners[:1]
        count = min(len(small), max(1, round(len(self.orgs) * ORG_LEFT_SHARE)))
        left = []
        for org_id in self.rng.sample(small, count):
            self.orgs[org_id].ops.append((self.day, "removed"))
            left += owned[org_id]
        return left

    def leave(self, left: list[int], count: int) -> None:
        """Let pets go: those that must, and at least one more, up to the count."""
        taken = set(left)
        self.free = [key for key in self.free if key not in taken]
        more = min(max(1, count - len(left)), len(self.free))
        for key in (*left, *(self.free.pop() for _ in range(more))):
            self.pets[key].ops.append((self.day, "removed"))

    def change_orgs(self) -> None:
        """Let organisations change, and new ones come."""
        alive = [key for key, life in self.orgs.items() if life.listed(self.day)]
        for org_id in self.rng.sample(alive, max(1, round(len(alive) * ORG_CHANGED_SHARE))):
            self.orgs[org_id].ops.append((self.day, "updated"))
            self.orgs[org_id].edits.append(Edit(self.day, self._moment(), "text"))
        for _ in range(max(1, round(len(alive) * ORG_NEW_SHARE))):
            self.orgs[max(self.orgs) + self.rng.randrange(1, 9)] = Life([(self.day, "added")])

    def update(self, count: int) -> None:
        """Edit pets: every fifth gets a picture, a few only another order or one picture less."""
        rare: dict[int, Kind] = {2: "reordered", 52: "reordered", 7: "picture-dropped"}
        for at in range(min(count, len(self.free))):
            kind = "pictures" if at % 5 == 0 else rare.get(at % 100, "text")
            life = self.pets[self.free.pop()]
            life.ops.append((self.day, "updated"))
            life.edits.append(Edit(self.day, self._moment(), kind))

    def add(self, count: int) -> None:
        """Bring new pets, the first ones for the new organisations."""
        new_orgs = [key for key, life in self.orgs.items() if life.ops[0][0] == self.day]
        orgs = [key for key, life in self.orgs.items() if life.listed(self.day)]
        animal_id, ordinal = max(*self.pets, NEWEST_OLD_ID), len(self.pets)
        for at in range(count):
            animal_id += self.rng.randrange(1, 3)
            org_id = new_orgs[at] if at < len(new_orgs) else self.rng.choice(orgs)
            days_ago = self.rng.randrange(2, 40) if chance(self.rng, 0.1) else 0
            pet = SimulatedPet(animal_id, ordinal + at, org_id, self._moment() - days_ago * DAY_S)
            self.pets[animal_id] = PetLife([(self.day, "added")], pet=pet)

    def _moment(self) -> int:
        return self.rng.randrange(self.starts[self.day - 1] + 60, self.starts[self.day] - 60)

    def _lost_org(self, org_id: int) -> bool:
        return org_id in self.orgs and not self.orgs[org_id].listed(self.day - 1)
