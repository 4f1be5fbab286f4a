"""What a row changes of its key, or that it changes nothing. Pure.

Rule 1: rows of one export compete: the newest ``lastUpdated`` wins; a tie goes to the family that
        is read first (updated, new, full), within a family to the later row.
Rule 2: between exports the newer export wins, whatever ``lastUpdated`` says: a row of an export
        older than the one that is held is skipped.
Rule 3: an event's sequence is its row's place; where the ledger holds that much already, held + 1.
Rule 4: equal once normalised is unchanged; but a removed key equals no row: it is relisted.
Rule 5: a snapshot states what is unchanged again: as held, with the sequence of its row.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from ingest.state.ledger import Entry
from petstream import codec
from petstream.events import Op
from petstream.sequence import Family, base_of, family_of

_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Precedence(NamedTuple):
    """What decides which row of an export wins for its key."""

    family: Family
    updated_at: datetime | None


class Change(NamedTuple):
    """What is to be published for a key."""

    op: Op
    sequence: int
    changed: tuple[str, ...]
    old: Mapping[str, Any]
    first_seen_at: str | None
    record: bytes
    """The whole normalised pet or organisation as JSON."""
    digest: str
    """Of `record`."""


def wins(row: Precedence, before: Precedence | None) -> bool:
    """Tell whether a row wins over the one that won for its key before, in the same export."""
    if before is None:
        return True
    if (row.updated_at or _EVER) != (before.updated_at or _EVER):
        return (row.updated_at or _EVER) > (before.updated_at or _EVER)
    return row.family == before.family


def change_of(name: str, record: bytes, sequence: int, held: Entry | None) -> Change | None:
    """Compare a row's normalised record with what is held; None = unchanged.

    Args:
        name: of the record in the event, ``pet`` or ``organization``.
        record: the normalised record as JSON.
        sequence: the row's own place (`petstream.sequence.row_sequence`).
        held: the key's newest event, or None.
    """
    digest = codec.digest(record)
    if held is None:
        return Change("added", sequence, (), {}, None, record, digest)
    if held.listed and held.digest == digest:
        return None
    event = held.event()
    before = event[name]
    changed = differing(msgspec.json.decode(record), before)
    if held.listed and not changed:
        return None
    return Change(
        op="updated" if held.listed else "relisted",
        sequence=max(sequence, held.sequence + 1),
        changed=changed,
        old={field: before.get(field) for field in changed},
        first_seen_at=event["firstSeenAt"],
        record=record,
        digest=digest,
    )


def differing(now: Mapping[str, Any], before: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of what differs; what isn't there is as if it were null.

    >>> differing({"a": 1, "b": None}, {"b": 2, "c": 3})
    ('a', 'b', 'c')
    """
    if now.keys() == before.keys():  # but where contacts came or went; a list is made faster
        return tuple([name for name, value in now.items() if value != before[name]])
    return tuple(name for name in {**now, **before} if now.get(name) != before.get(name))


def restated(name: str, sequence: int, held: Entry) -> Change:
    """Return a held record stated again, unchanged, at its row's place (rule 5)."""
    stated = _STATED.decode(held.value())
    return Change(
        op="updated",
        sequence=max(sequence, held.sequence + 1),
        changed=(),
        old={},
        first_seen_at=stated.first_seen_at,
        record=bytes(getattr(stated, name)),
        digest=held.digest,
    )


def outdated(row: Precedence, sequence: int, held: Entry) -> bool:
    """Tell whether what is held is newer than this row (rules 1 and 2, across runs)."""
    if base_of(held.sequence) != base_of(sequence):
        return base_of(held.sequence) > base_of(sequence)
    if row.family == "orgs":
        return held.sequence > sequence
    if not held.listed:
        return True  # removed by this same export: the petlist or a person has decided
    before = Precedence(family_of(held.sequence), updated_at(held))
    if row.updated_at == before.updated_at and row.family == before.family:
        return held.sequence > sequence
    return not wins(row, before)


def removal_of(name: str, sequence: int, held: Entry) -> Change | None:
    """Return the change that a key left the feed, unless something newer is held of it."""
    if not held.listed or held.sequence >= sequence:
        return None
    stated = _STATED.decode(held.value())
    return Change(
        op="removed",
        sequence=sequence,
        changed=("listed",),
        old={"listed": True},
        first_seen_at=stated.first_seen_at,
        record=bytes(getattr(stated, name)),
        digest=held.digest,
    )


def updated_at(held: Entry) -> datetime | None:
    """Return the ``lastUpdated`` of a held pet."""
    stamp = held.event()["pet"].get("updatedAt")
    return datetime.fromisoformat(stamp) if stamp else None


class _Restatement(msgspec.Struct):
    """What is stated again of a held event: its record word for word, and nothing is decoded."""

    first_seen_at: str = msgspec.field(name="firstSeenAt")
    pet: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    organization: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


_STATED: Final = msgspec.json.Decoder(_Restatement)
