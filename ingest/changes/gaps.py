"""Pets that the petlist names and nobody holds: which of them ask for pets_n. Pure.

Rule 1: a pet that no file of the last whole read held, or whose row was refused there, won't be in
        the next one either: it asks for no other whole read, until it's known or off the list.
Rule 2: each completed export says which those are, and each later one carries them on, as long as
        the list names them; a whole read begins anew.
Rule 3: more than `MOST_LACKING` aren't remembered: then something is wrong that is worth a read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from typing import Final

MOST_LACKING: Final = 1_000
"""How many ids a completed export remembers."""


def to_look_for(
    petlist: AbstractSet[int], listed: Iterable[int], lacked: Collection[int]
) -> frozenset[int]:
    """Return the pets for which pets_n is worth reading in a daily run.

    Args:
        petlist: the ids on this export's list.
        listed: the ids that are held and listed, after the daily files.
        lacked: what the newest completed export says that no whole read held.
    """
    return frozenset(petlist - frozenset(listed) - frozenset(lacked))


def lacking(
    petlist: AbstractSet[int], listed: Iterable[int], lacked: Collection[int], *, read_whole: bool
) -> tuple[int, ...]:
    """Return which ids a completed export is to say that no whole read held.

    Args:
        petlist: the ids on this export's list.
        listed: the ids that are held and listed at its end.
        lacked: what the completed export before it said.
        read_whole: pets_n was read in this run.
    """
    unknown = petlist - frozenset(listed)
    if not read_whole:
        unknown &= frozenset(lacked)
    return tuple(sorted(unknown)) if len(unknown) <= MOST_LACKING else ()
