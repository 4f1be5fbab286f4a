"""The removal limits: more removals at once than these wait for a person.

Rule 1: they are the same for what an export removes and for what a snapshot sweep takes.
"""

from __future__ import annotations

from typing import Final, NamedTuple

SMALLEST_FOR_SHARE: Final = 20
"""The share counts from this many listed keys up: of three pets, one may well go."""


class RemovalLimits(NamedTuple):
    """How many removals pass: a share of the listed keys, and a number."""

    max_share: float
    max_count: int


def passed(removals: int, listed: int, limits: RemovalLimits, what: str) -> list[str]:
    """Say which limits so many removals pass.

    >>> passed(3, 30, RemovalLimits(0.05, 5_000), "pets")
    ['3 of 30 pets would go, more than PETSTREAM_REMOVAL_MAX_SHARE=0.05']
    """
    reasons = []
    if removals > limits.max_count:
        reasons.append(
            f"{removals:,} {what} would go, more than PETSTREAM_REMOVAL_MAX_COUNT="
            f"{limits.max_count}"
        )
    if listed >= SMALLEST_FOR_SHARE and removals > limits.max_share * listed:
        reasons.append(
            f"{removals:,} of {listed:,} {what} would go, more than "
            f"PETSTREAM_REMOVAL_MAX_SHARE={limits.max_share:g}"
        )
    return reasons
