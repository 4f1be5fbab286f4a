"""What a row means for its key: an event, or nothing.

Rule 1: rows of one export compete: the newest ``lastUpdated`` wins; a tie goes to the family that
        is read first (updated, new, full), within a family to the later row.
Rule 2: between exports the newer export wins, whatever ``lastUpdated`` says: a row of an export
        older than the one that is held is passed over.
Rule 3: an event's sequence is its row's place; where the ledger holds that much already, held + 1.
Rule 4: equal once normalised is unchanged; but a removed key equals no row: it is relisted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from ingest.state.ledger import Entry
from petstream.events import Op
from petstream.sequence import Family, base_of, family_of

_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Spoken(NamedTuple):
    """The row that speaks for a key in this export so far."""

    family: Family
    updated_at: datetime | None


class Change(NamedTuple):
    """What is to be published for a key."""

    op: Op
    sequence: int
    changed: tuple[str, ...]
    old: Mapping[str, Any]
    first_seen_at: str | None


def speaks(row: Spoken, before: Spoken | None) -> bool:
    """Tell whether a row wins over the one that spoke for its key before, in the same export."""
    if before is None:
        return True
    if (row.updated_at or _EVER) != (before.updated_at or _EVER):
        return (row.updated_at or _EVER) > (before.updated_at or _EVER)
    return row.family == before.family


def outdated(row: Spoken, sequence: int, held: Entry) -> bool:
    """Tell whether what is held is newer than this row (rules 1 and 2, across runs)."""
    if base_of(held.sequence) != base_of(sequence):
        return base_of(held.sequence) > base_of(sequence)
    if row.family == "orgs":
        return held.sequence > sequence
    if not held.listed:
        return True  # removed by this same export: the petlist or a person has decided
    told = Spoken(family_of(held.sequence), updated_at(held))
    if row.updated_at == told.updated_at and row.family == told.family:
        return held.sequence > sequence
    return not speaks(row, told)


def change(
    *, sequence: int, digest: str, value: bytes, record: str, held: Entry | None
) -> Change | None:
    """Compare a row's normalised value with what is held; None = unchanged.

    Args:
        sequence: the row's own place (`petstream.sequence.row_sequence`).
        digest: of `value`.
        value: the normalised record as JSON.
        record: its name in the event, ``pet`` or ``organization``.
        held: the key's newest event, or None.
    """
    if held is None:
        return Change("added", sequence, (), {}, None)
    if held.listed and held.digest == digest:
        return None
    event = held.event()
    before = event[record]
    now = msgspec.json.decode(value)
    changed = tuple(name for name in {**now, **before} if now.get(name) != before.get(name))
    if held.listed and not changed:
        return None
    return Change(
        op="updated" if held.listed else "relisted",
        sequence=max(sequence, held.sequence + 1),
        changed=changed,
        old={name: before.get(name) for name in changed},
        first_seen_at=event["firstSeenAt"],
    )


def updated_at(held: Entry) -> datetime | None:
    """Return the ``lastUpdated`` of a held pet."""
    stamp = held.event()["pet"].get("updatedAt")
    return datetime.fromisoformat(stamp) if stamp else None
