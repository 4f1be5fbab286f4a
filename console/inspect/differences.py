"""What lies between two exports: who came, changed and left, by species, state and shelter. Pure.

Rule 1: both states are what the topics said when each export was done, key by key.
Rule 2: what is compared is what was published, so contacts count only where they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from petstream.events import Counts

_MOST: Final = 10
_MOVED: Final = 0.02
"""A share of filled fields that moves by so much is worth a line."""


class Moment(NamedTuple):
    """A pet as it stood when an export was done: its last event, and whether it was listed."""

    event: Mapping[str, Any]
    listed: bool


class Tally(msgspec.Struct, rename="camel"):
    """How many came, changed, came back and left."""

    added: int = 0
    updated: int = 0
    relisted: int = 0
    removed: int = 0


class Fill(msgspec.Struct, frozen=True, rename="camel"):
    """The share of listed pets that have a field, in each export."""

    field: str
    before: float
    after: float


class Side(msgspec.Struct, frozen=True, rename="camel"):
    """One export: its id, its mode, and what became of its rows of pets."""

    export_id: str
    mode: str
    counts: Counts


class Difference(msgspec.Struct, rename="camel"):
    """What lies between two exports; groups hold those with most to tell, largest first."""

    older: Side
    newer: Side
    listed_before: int
    listed_after: int
    total: Tally
    species: dict[str, Tally]
    states: dict[str, Tally]
    organizations: dict[str, Tally]
    changed_fields: dict[str, int]
    fills: list[Fill]
    orphans: int
    """Pets of the newer export whose organisation isn't in it."""
    whole: bool = True
    """False: the older one is so long ago that the topics may not hold all of it."""


def difference(
    older: Side,
    newer: Side,
    pets: Iterable[tuple[Moment | None, Moment | None]],
    organizations: Mapping[int, Mapping[str, Any]],
) -> Difference:
    """Compare two exports.

    Args:
        older: the export before.
        newer: the export after.
        pets: of each key, how it stood in each (None: there was no event of it yet).
        organizations: the records of those listed in the newer export, by id.
    """
    found = Difference(older, newer, 0, 0, Tally(), {}, {}, {}, {}, [], 0)
    filled = Counter[str](), Counter[str]()
    fields: Counter[str] = Counter()
    for before, after in pets:
        for moment, counter in zip((before, after), filled, strict=True):
            if moment is not None and moment.listed:
                counter.update(name for name, value in _pet(moment).items() if _is_filled(value))
        found.listed_before += before is not None and before.listed
        found.listed_after += after is not None and after.listed
        if after is None:
            continue
        owner = organizations.get(_pet(after).get("orgId") or 0)
        found.orphans += after.listed and owner is None
        what = _what(before, after)
        if what is None:
            continue
        if what == "updated" and before is not None:
            fields.update(_changed(_pet(before), _pet(after)))
        for tally in (found.total, *_groups(found, _pet(after), owner)):
            setattr(tally, what, getattr(tally, what) + 1)
    found.species, found.states = _largest(found.species), _largest(found.states)
    found.organizations = _largest(found.organizations)
    found.changed_fields = dict(fields.most_common(_MOST))
    found.fills = _moved(filled, (found.listed_before, found.listed_after))
    return found


def _what(before: Moment | None, after: Moment) -> str | None:
    if before is None or not before.listed:
        if not after.listed:
            return None
        return "added" if before is None else "relisted"
    if not after.listed:
        return "removed"
    return "updated" if _pet(before) != _pet(after) else None


def _groups(
    found: Difference, pet: Mapping[str, Any], owner: Mapping[str, Any] | None
) -> Iterable[Tally]:
    organization = f"{pet.get('orgId')} {(owner or {}).get('name') or ''}".strip()
    yield found.species.setdefault(pet.get("species") or "unknown", Tally())
    yield found.states.setdefault(((owner or {}).get("state") or "unknown").strip(), Tally())
    yield found.organizations.setdefault(organization, Tally())


def _largest(groups: dict[str, Tally]) -> dict[str, Tally]:
    def size(item: tuple[str, Tally]) -> tuple[int, str]:
        tally = item[1]
        return -(tally.added + tally.updated + tally.relisted + tally.removed), item[0]

    return dict(sorted(groups.items(), key=size)[:_MOST])


def _moved(filled: tuple[Counter[str], Counter[str]], listed: tuple[int, int]) -> list[Fill]:
    shares = [
        Fill(name, filled[0][name] / max(1, listed[0]), filled[1][name] / max(1, listed[1]))
        for name in sorted(filled[0].keys() | filled[1].keys())
    ]
    moved = [one for one in shares if abs(one.after - one.before) >= _MOVED]
    return sorted(moved, key=lambda one: -abs(one.after - one.before))[:_MOST]


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [name for name in {**after, **before} if before.get(name) != after.get(name)]


def _is_filled(value: object) -> bool:
    return value is not None and value not in ([], {}, "")


def _pet(moment: Moment) -> Mapping[str, Any]:
    pet: Mapping[str, Any] = moment.event["pet"]
    return pet
