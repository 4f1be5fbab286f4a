"""Shelters that lose nearly all their pets at once: worth a line, and no reason to hold. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Final

from ingest.state.ledger import Ledger

FEWEST_PETS: Final = 50
MOST_LOST: Final = 0.90
"""An organisation of so many pets that loses more than this share of them is reported."""


def closures(pets: Ledger, removals: Collection[int]) -> list[str]:
    """Say which organisations lose nearly all of many pets, before the removals are made.

    (What isn't removed is looked at only where somebody loses so many: it is every pet.)
    """
    if len(removals) <= FEWEST_PETS * MOST_LOST:
        return []
    lost = _by_organization(pets, removals)
    many = {org for org, number in lost.items() if number > FEWEST_PETS * MOST_LOST}
    if not many:
        return []
    gone = frozenset(removals)
    staying = _by_organization(pets, [key for key in pets.listed() if key not in gone])
    return [
        f"organization {org} loses {lost[org]:,} of its {lost[org] + staying[org]:,} pets"
        for org in sorted(many)
        if lost[org] + staying[org] >= FEWEST_PETS
        and lost[org] > MOST_LOST * (lost[org] + staying[org])
    ]


def _by_organization(pets: Ledger, keys: Collection[int]) -> Counter[int]:
    held = (pets.get(key) for key in keys)
    owners = (entry.event()["pet"].get("orgId") for entry in held if entry is not None)
    return Counter(owner for owner in owners if owner is not None)
