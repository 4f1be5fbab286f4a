"""What is said on the topics: events of pets and organisations, the lifecycle of exports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from log_loss.log import Place

PER_BASE = 1_000
"""Positions of a base."""

RESTATED_POSITION, REMOVAL_POSITION = 800, 900

Mode = Literal["daily", "whole", "snapshot"]
ORDER: dict[Mode, int] = {"daily": 0, "whole": 1, "snapshot": 2}

FIRST_ORG = 100
"""Keys from here on are organisations."""

Ends = dict[tuple[str, int], Place]
"""A place for each partition of pets and orgs."""


def is_pet(key: int) -> bool:
    """Tell a pet from an organisation."""
    return key < FIRST_ORG


def topic_of(key: int) -> str:
    """Return a key's topic."""
    return "pets" if is_pet(key) else "orgs"


def position(base: int, index: int) -> int:
    """Return the sequence of a position of a base."""
    return base * PER_BASE + index


@dataclass(frozen=True, slots=True)
class Row:
    """A pet or an organisation in a file: what it says, its lastUpdated, the file's rank."""

    content: str
    updated: int
    family: int


def wins(row: Row, before: Row) -> bool:
    """Tell whether a row wins over another of the same files, which was read before it."""
    if row.updated != before.updated:
        return row.updated > before.updated
    return row.family == before.family


@dataclass(frozen=True, slots=True)
class Event:
    """The whole state of a key."""

    key: int
    sequence: int
    digest: str
    content: str
    listed: bool
    start: int
    """Of its export."""
    files_at: int
    """The time of the export's files: later for a republication."""
    row: Row | None = None
    restated: bool = False
    again: bool = False
    """Published again, because it was stale."""

    @property
    def rank(self) -> tuple[int, str]:
        """What the guard compares."""
        return self.sequence, self.digest

    @property
    def base(self) -> int:
        """The base of the run that published it."""
        return self.sequence // PER_BASE

    @property
    def event_id(self) -> str:
        """The ce_id."""
        return f"{self.key}/{self.sequence}/{self.digest}"

    def story(self) -> str:
        """Tell it."""
        marks = {"removed": not self.listed, "restated": self.restated, "again": self.again}
        return " ".join([self.event_id, *(mark for mark, is_so in marks.items() if is_so)])


@dataclass(frozen=True)
class Started:
    """A run began."""

    name: str
    files: str
    start: int
    base: int
    mode: Mode


@dataclass(frozen=True)
class Completed:
    """A run ended well."""

    name: str
    files: str
    start: int
    base: int
    mode: Mode
    fold_ends: Ends
    ends: Ends
    snapshot: int = 0
    """The sequence of the newest snapshot; 0: none, or a loss is owed."""
    restated: int = 0
    """The sequence of a restatement whose petlist wasn't believed."""
    unstated: frozenset[int] = frozenset()
    believed: frozenset[int] | None = None
    """The model's own: what the petlist and the organisations' rows listed, if believed."""

    @property
    def floor(self) -> int:
        """The sequence below which nothing was restated."""
        return max(self.snapshot, self.restated)


@dataclass(frozen=True)
class Debt:
    """What a later completed must satisfy: one of a higher base, of this mode or more."""

    mode: Mode
    base: int
    why: str


@dataclass(frozen=True)
class Plan:
    """Removals that wait for a person."""

    plan_id: str
    start: int
    files_at: int
    base: int
    at: int
    removals: frozenset[int]


@dataclass(frozen=True)
class Decision:
    """What became of a plan."""

    plan_id: str
    state: Literal["approved", "expired", "superseded"]


Lifecycle = Started | Completed | Debt | Plan | Decision
