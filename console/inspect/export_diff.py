"""What lies between two exports: who came, changed and left, by species, state and shelter. Pure.

Rule 1: both states are what the topics said when each export was done, key by key.
Rule 2: what is compared is what was published, so contacts count only where they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec

from petstream.events import Counts

_MOST: Final = 10
_MOVED: Final = 0.02
"""A share of filled fields that moves by so much is worth a line."""


class PetState(NamedTuple):
    """A pet as it was when an export was done: its last event, and whether it was listed."""

    event: Mapping[str, Any]
    listed: bool

    @property
    def pet(self) -> Mapping[str, Any]:
        """The pet as it was published."""
        pet: Mapping[str, Any] = self.event["pet"]
        return pet


class PetStates(NamedTuple):
    """A pet in both exports; None: there was no event of it yet."""

    before: PetState | None
    after: PetState | None


class ChangeCounts(msgspec.Struct, rename="camel"):
    """How many came, changed, came back and left."""

    added: int = 0
    updated: int = 0
    relisted: int = 0
    removed: int = 0


class FillRate(msgspec.Struct, frozen=True, rename="camel"):
    """The share of listed pets that have a field, in each export."""

    field: str
    before: float
    after: float


class ComparedExport(msgspec.Struct, frozen=True, rename="camel"):
    """One export: its id, its mode, and what became of its rows of pets."""

    export_id: str
    mode: str
    counts: Counts


class ExportDiff(msgspec.Struct, rename="camel"):
    """What lies between two exports; of each grouping, the groups with most changes come first."""

    older: ComparedExport
    newer: ComparedExport
    listed_before: int
    listed_after: int
    total: ChangeCounts
    species: dict[str, ChangeCounts]
    states: dict[str, ChangeCounts]
    organizations: dict[str, ChangeCounts]
    changed_fields: dict[str, int]
    fills: list[FillRate]
    orphans: int
    """Pets of the newer export whose organisation isn't in it."""
    whole: bool = True
    """False: the older one is so long ago that the topics may not hold all of it."""


def compare_exports(
    older: ComparedExport,
    newer: ComparedExport,
    pets: Iterable[PetStates],
    organizations: Mapping[int, Mapping[str, Any]],
) -> ExportDiff:
    """Compare two exports.

    Args:
        older: the export before.
        newer: the export after.
        pets: of each key, how it was in each.
        organizations: the records of those listed in the newer export, by id.
    """
    diff = ExportDiff(older, newer, 0, 0, ChangeCounts(), {}, {}, {}, {}, [], 0)
    filled_before, filled_after = Counter[str](), Counter[str]()
    fields: Counter[str] = Counter()
    for states in pets:
        before, after = states.before, states.after
        if before is not None and before.listed:
            diff.listed_before += 1
            filled_before.update(_filled_fields(before))
        if after is None:
            continue
        if after.listed:
            diff.listed_after += 1
            filled_after.update(_filled_fields(after))
        owner = organizations.get(after.pet.get("orgId") or 0)
        diff.orphans += after.listed and owner is None
        change = _change(before, after)
        if change is None:
            continue
        if change == "updated" and before is not None:
            fields.update(_changed_fields(before.pet, after.pet))
        for counts in (diff.total, *_groups(diff, after.pet, owner)):
            setattr(counts, change, getattr(counts, change) + 1)
    diff.species, diff.states = _largest(diff.species), _largest(diff.states)
    diff.organizations = _largest(diff.organizations)
    diff.changed_fields = dict(fields.most_common(_MOST))
    diff.fills = _moved_most(
        FillRate(
            name,
            filled_before[name] / max(1, diff.listed_before),
            filled_after[name] / max(1, diff.listed_after),
        )
        for name in sorted(filled_before.keys() | filled_after.keys())
    )
    return diff


def _filled_fields(state: PetState) -> list[str]:
    return [
        name for name, value in state.pet.items() if value is not None and value not in ([], {}, "")
    ]


def _change(
    before: PetState | None, after: PetState
) -> Literal["added", "updated", "relisted", "removed"] | None:
    if before is None or not before.listed:
        if not after.listed:
            return None
        return "added" if before is None else "relisted"
    if not after.listed:
        return "removed"
    return "updated" if before.pet != after.pet else None


def _changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [name for name in {**after, **before} if before.get(name) != after.get(name)]


def _groups(
    diff: ExportDiff, pet: Mapping[str, Any], owner: Mapping[str, Any] | None
) -> Iterable[ChangeCounts]:
    organization = f"{pet.get('orgId')} {(owner or {}).get('name') or ''}".strip()
    state = ((owner or {}).get("state") or "unknown").strip()
    yield diff.species.setdefault(pet.get("species") or "unknown", ChangeCounts())
    yield diff.states.setdefault(state, ChangeCounts())
    yield diff.organizations.setdefault(organization, ChangeCounts())


def _largest(groups: dict[str, ChangeCounts]) -> dict[str, ChangeCounts]:
    def order(name: str) -> tuple[int, str]:
        counts = groups[name]
        return -(counts.added + counts.updated + counts.relisted + counts.removed), name

    return {name: groups[name] for name in sorted(groups, key=order)[:_MOST]}


def _moved_most(rates: Iterable[FillRate]) -> list[FillRate]:
    moved = [rate for rate in rates if abs(rate.after - rate.before) >= _MOVED]
    return sorted(moved, key=lambda rate: -abs(rate.after - rate.before))[:_MOST]
