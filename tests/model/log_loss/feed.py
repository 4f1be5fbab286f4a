"""A feed: what RescueGroups lists each day, and the exports that say so."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from log_loss.events import FIRST_ORG, Row, is_pet

DAY = 1_000
PETS = range(12)
ORGS = range(FIRST_ORG, FIRST_ORG + 4)
UPDATED, FULL, ORGS_FILE = 0, 1, 2


@dataclass
class Export:
    """An export on the server."""

    files: str
    start: int
    files_at: int
    updated: list[int]
    rows: dict[int, Row]
    """Of pets and organisations, as the newest of its files has them."""
    older_rows: dict[int, Row] = field(default_factory=dict)
    """Rows of pets_n that are older than those of updatedpets_n."""
    petlist: frozenset[int] | None = frozenset()
    orgs_short: bool = False
    whole: bool = True
    """pets_n is there."""
    bad: frozenset[int] = frozenset()
    """Keys whose rows are refused."""
    calm: bool = False
    """The gate lets everything pass."""
    scrub: bool = False
    """Everything is to be read."""

    def pets(self) -> list[int]:
        """Return the pets that pets_n lists."""
        return sorted(filter(is_pet, self.rows))

    def orgs(self) -> list[int]:
        """Return the organisations that orgs_n lists."""
        return sorted(key for key in self.rows if not is_pet(key))

    def present(self) -> dict[str, frozenset[int] | None]:
        """Return who is in the feed, as the petlist and the organisations' files say."""
        orgs = frozenset(self.orgs()[:1] if self.orgs_short else self.orgs())
        return {"pets": self.petlist, "orgs": orgs}

    def listed(self) -> dict[int, str]:
        """Return what is true that day."""
        return {key: row.content for key, row in self.rows.items()}


@dataclass
class Days:
    """The exports of a day, and the changes between them."""

    first: Export
    again: Export
    between: list[int]


def history(seed: int, days: int, *, quiet: bool) -> list[Days]:
    """Make a feed's days: pets join, change, leave, and come back."""
    random = Random(f"feed{seed}")  # noqa: S311  seeded on purpose
    now: dict[int, Row] = {}
    days_of_feed: list[Days] = []

    def pass_time(change: float, leave: float, join: float, at: int) -> set[int]:
        touched = set()
        for key in [*PETS, *ORGS]:
            chance, rare = random.random(), 0.3 if key >= FIRST_ORG else 1.0
            stamp = at if random.random() < 0.8 else at - 5 * DAY
            row = Row(random.choice("abcd"), stamp, ORGS_FILE if key >= FIRST_ORG else FULL)
            if key not in now:
                if chance < (join if rare == 1.0 else max(join, 0.2)):
                    now[key] = row
                    touched.add(key)
            elif chance < change * rare:
                now[key] = row
                touched.add(key)
            elif chance < (change + leave) * rare:
                del now[key]
        return touched

    for day in range(days):
        before = dict(now)
        join = 0.7 if day == 0 else 0.06 if quiet else 0.22
        touched = pass_time(*((0.04, 0.02, join) if quiet else (0.25, 0.1, join)), day * DAY)
        pets = [key for key in sorted(touched) if key in now and is_pet(key)]
        first = Export(f"D{day}", day * DAY, day * DAY, pets, dict(now))
        first.older_rows = {
            key: before[key]
            for key in pets
            if key in before and _older(before[key], now[key]) and random.random() < 0.3
        }
        later = pass_time(*((0.02, 0.01, 0.01) if quiet else (0.1, 0.05, 0.05)), day * DAY + 50)
        pets = [key for key in sorted(touched | later) if key in now and is_pet(key)]
        again = Export(f"D{day}'", day * DAY, day * DAY + 60, pets, dict(now))
        days_of_feed.append(Days(first, again, sorted(later)))
    return days_of_feed


def _older(before: Row, after: Row) -> bool:
    return before.updated < after.updated
