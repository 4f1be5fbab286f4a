"""A simulated RescueGroups over some days: what its exports hold, and what they must lead to.

Rule 1: a history is a plan and a seed. Rows are derived whenever they are asked for.
Rule 2: `truth` is what the export of a day holds, `expected` what a consumer of the daily files
        knows after it; they agree, as every change of a day is in that day's files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from lab.simulator.org_rows import org_row
from lab.simulator.pet_rows import pet_row
from lab.simulator.shapes import Row, seeded
from lab.simulator.timeline import Life, Op, Timeline, plan

EASTERN = ZoneInfo("America/New_York")
FEWEST_PETS = 10


def history(  # noqa: PLR0913 - all have defaults, most go by name
    seed: int = 7,
    pets: int = 2000,
    days: int = 3,
    *,
    first_day: date = date(2026, 11, 2),
    pictures_url: str = "http://127.0.0.1:8643",
    key: str = "Ab3dEf9h",
) -> History:
    """Plan `days` exports that begin with `pets` pets; the same arguments give the same bytes."""
    if pets < FEWEST_PETS or days < 1:
        raise ValueError(f"a history needs {FEWEST_PETS} pets and a day, not {pets} and {days}")
    starts = tuple(_start(seed, first_day, day) for day in range(days))
    timeline = plan(seed, pets, [int(start.timestamp()) for start in starts])
    return History(seed, days, key, pictures_url.rstrip("/"), starts, timeline)


def first_day_until(now: datetime, days: int) -> date:
    """Return the first of so many days whose last export is on the server by now.

    (A file time later than now names no export.)
    """
    written_by = timedelta(hours=4)  # exports begin about 03:00, and are written within minutes
    return (now.astimezone(EASTERN) - written_by).date() - timedelta(days=days - 1)


@dataclass(frozen=True, eq=False)
class Truth:
    """All rows of one export by id, derived when they are looked at."""

    pets: Mapping[int, Row]
    orgs: Mapping[int, Row]


@dataclass(frozen=True, eq=False)
class History:
    """Some days of exports; `days` is their number."""

    seed: int
    days: int
    key: str
    pictures_url: str
    starts: tuple[datetime, ...]
    timeline: Timeline

    def start(self, day: int) -> datetime:
        """When the export of that day began, about 03:00 in New York, in UTC."""
        return self.starts[day]

    def truth(self, day: int) -> Truth:
        """What the export of that day (from 0) holds."""
        self.starts[day]  # an IndexError now, not an empty export later
        return Truth(
            Rows(_listed(self.timeline.pets, day), lambda key: self.pet_row(key, day)),
            Rows(_listed(self.timeline.orgs, day), lambda key: self.org_row(key, day)),
        )

    def pet_row(self, animal_id: int, day: int) -> Row:
        """A pet's row as of that day, also if it isn't listed then."""
        life = self.timeline.pets[animal_id]
        edits = [edit for edit in life.edits if edit.day <= day]
        return pet_row(self.seed, self.pictures_url, life.pet, edits)

    def org_row(self, org_id: int, day: int) -> Row:
        """An organisation's row as of that day."""
        edits = sum(edit.day <= day for edit in self.timeline.orgs[org_id].edits)
        return org_row(self.seed, org_id, edits)


class Rows(Mapping[int, Row]):
    """A read-only dict of rows, in the order of ids, that holds none of them."""

    def __init__(self, keys: Iterable[int], row: Callable[[int], Row]) -> None:
        """Know the keys and how to derive the row of one."""
        self._keys = dict.fromkeys(keys)
        self._row = row

    def __getitem__(self, key: int) -> Row:
        """Derive a row; every call gives a new one, free to be changed."""
        if key not in self._keys:
            raise KeyError(key)
        return self._row(key)

    def __iter__(self) -> Iterator[int]:
        """Go through the ids."""
        return iter(self._keys)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        """Whether there is such a row, without deriving it."""
        return key in self._keys


@dataclass(frozen=True)
class DayChanges:
    """What one export changes for a consumer that knows the former ones."""

    added: frozenset[int]
    updated: frozenset[int]
    relisted: frozenset[int]
    removed: frozenset[int]
    unchanged: int


@dataclass(frozen=True, eq=False)
class Expected:
    """What must be true once the exports of all days up to one were taken in without faults."""

    pets: Mapping[int, Row]
    removed: dict[int, int]
    """Pets that are gone now, each with the day on which it went."""
    days: tuple[DayChanges, ...]
    pet_history: dict[int, tuple[tuple[int, Op], ...]]
    orgs: Mapping[int, Row]
    removed_orgs: dict[int, int]
    org_days: tuple[DayChanges, ...]
    org_history: dict[int, tuple[tuple[int, Op], ...]]


def expected(history: History, day: int) -> Expected:
    """Say what must be known after `day` when all days from 0 on were taken in, in order."""
    truth, timeline = history.truth(day), history.timeline
    pet_history, org_history = _ops(timeline.pets, day), _ops(timeline.orgs, day)
    return Expected(
        pets=truth.pets,
        removed=_removed(pet_history),
        days=_changes(pet_history, day),
        pet_history=pet_history,
        orgs=truth.orgs,
        removed_orgs=_removed(org_history),
        org_days=_changes(org_history, day),
        org_history=org_history,
    )


def _start(seed: int, first_day: date, day: int) -> datetime:
    late_s = seeded(seed, 12, day).randrange(30, 1_500)
    at = datetime.combine(first_day + timedelta(day), time(3), EASTERN) + timedelta(seconds=late_s)
    return at.astimezone(UTC)


def _listed(lives: Mapping[int, Life], day: int) -> list[int]:
    return sorted(key for key, life in lives.items() if life.listed(day))


def _ops(lives: Mapping[int, Life], day: int) -> dict[int, tuple[tuple[int, Op], ...]]:
    known = {key: tuple(op for op in life.ops if op[0] <= day) for key, life in lives.items()}
    return {key: ops for key, ops in known.items() if ops}


def _removed(ops: dict[int, tuple[tuple[int, Op], ...]]) -> dict[int, int]:
    return {key: went[-1][0] for key, went in ops.items() if went[-1][1] == "removed"}


def _changes(ops: dict[int, tuple[tuple[int, Op], ...]], day: int) -> tuple[DayChanges, ...]:
    sets: list[dict[Op, set[int]]] = [
        {"added": set(), "updated": set(), "relisted": set(), "removed": set()}
        for _ in range(day + 1)
    ]
    for key, went in ops.items():
        for at, op in went:
            sets[at][op].add(key)
    changes, listed = [], 0
    for ids in sets:
        unchanged = listed - len(ids["updated"]) - len(ids["removed"])
        listed += len(ids["added"]) + len(ids["relisted"]) - len(ids["removed"])
        changes.append(
            DayChanges(
                frozenset(ids["added"]),
                frozenset(ids["updated"]),
                frozenset(ids["relisted"]),
                frozenset(ids["removed"]),
                unchanged,
            )
        )
    return tuple(changes)
