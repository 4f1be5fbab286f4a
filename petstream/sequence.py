"""The sequence: one integer below 2^53 per event that only grows for its key.

Rule 1: ``sequence = base_s * PER_SECOND + position``; the base is the export's start in seconds.
Rule 2: positions depend only on the file's family and the row in it, so that reading the same
        export again gives the same sequences, in whatever mode it is read.
Rule 3: all removals of an export share one position, after every row.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Literal

Family = Literal["orgs", "pets", "updatedpets", "newpets"]

PER_SECOND: Final = 4_000_000
"""Positions an export may use: two exports never start within one second."""

LIMIT: Final = 2**53
"""All sequences are below: a double holds them exactly. Exports reach it in May 2041."""

REMOVAL_POSITION: Final = PER_SECOND - 1_000
"""Where removals stand; the places above are for corrections (held sequence + 1)."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_POSITION: Final[dict[str, int]] = {
    "orgs": 0,
    "updatedpets": 0,
    "newpets": 1_000_000,
    "pets": 2_000_000,
}
_ROOM: Final[dict[str, int]] = {
    "orgs": 3_900_000,
    "updatedpets": 1_000_000,
    "newpets": 1_000_000,
    "pets": 1_900_000,
}


def row_sequence(base_s: int, family: Family, index: int) -> int:
    """Return the sequence of row ``index`` (0-based over all parts) of a family.

    >>> row_sequence(1, "newpets", 2)
    5000002
    """
    if index >= _ROOM[family]:
        message = f"more than {_ROOM[family]:,} rows in {family}: the sequence has no room for them"
        raise OverflowError(message)
    return base_s * PER_SECOND + _FIRST_POSITION[family] + index


def removal_sequence(base_s: int) -> int:
    """Return the sequence that all removals of an export share."""
    return base_s * PER_SECOND + REMOVAL_POSITION


def microseconds(now: datetime) -> int:
    """Return the sequence of a dead letter: when it was written, in microseconds since 1970.

    >>> from datetime import UTC
    >>> microseconds(datetime(2026, 11, 23, 8, 12, 4, 7, tzinfo=UTC))
    1795421524000007
    """
    return (now - _EPOCH) // timedelta(microseconds=1)


def base_of(sequence: int) -> int:
    """Return the base (seconds since 1970) of the export that made this sequence."""
    return sequence // PER_SECOND


def family_of(sequence: int) -> Family:
    """Return the family of the pet file whose row made this sequence."""
    position = sequence % PER_SECOND
    if position < _FIRST_POSITION["newpets"]:
        return "updatedpets"
    return "newpets" if position < _FIRST_POSITION["pets"] else "pets"
