"""How the log becomes state: what a record is, which of a key counts, is all of it there? Pure.

Rule 1: a record is an event of ours if its headers say so, and its value is JSON with the same
        sequence and operation. Anything else is a stranger's or damaged: consumers make it a dead
        letter.
Rule 2: the highest (sequence, digest) of a key is its newest event, whatever the order of the log.
Rule 3: of equal ones the later counts: it is the one that a consumer may still have before it.
Rule 4: a key whose last record isn't its newest event, or is none of ours, is stale: after a
        compaction only that record is left, so the newest is to be published again.
Rule 5: on exports.v1, "newer" is decided per subject. 0.1 gave all records of an export one
        sequence: of equal ones the later in the log is the newer, unless it was there before.
Rule 6: a log that is shorter than it was has lost records that were acknowledged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeGuard

import msgspec
from msgspec import Struct

from petstream.codec import Headers, row_digest, sequence_of
from petstream.events import SOURCE

Rank = tuple[int, str]
"""Sequence and digest: of two events of a key, the one with the higher rank is the newer."""

_ID: Final = re.compile(rb"[0-9]{1,18}")
_SOURCE: Final = SOURCE.encode()
_REMOVED: Final = b".removed"
_UPDATED: Final = "updated"


class RecordHead(Struct, frozen=True, gc=False):
    """The head of an event; `listed` is False where it removes its key.

    `start` is that of its export, as ``ce_time`` has it: text order is the order of time.
    `is_update` is True where something of a listed key changed, or is stated again.
    """

    sequence: int
    digest: str
    listed: bool
    raw_digest: bytes
    start: bytes = b""
    is_update: bool = False

    @property
    def rank(self) -> Rank:
        """What orders the events of a key."""
        return self.sequence, self.digest


def key_of(key: bytes | None) -> int | None:
    """Return the id that a record is of; None where its key is no id.

    >>> key_of(b"22611034"), key_of(b"x"), key_of(None)
    (22611034, None, None)
    """
    return int(key) if key is not None and _ID.fullmatch(key) else None


def peek(headers: Headers, value: bytes | None) -> RecordHead | None:
    """Return the head of a record; None where it isn't an event of ours (rule 1)."""
    named = dict(headers)
    try:
        sequence, digest = sequence_of(named["ce_sequence"]), named["ce_digest"].decode("ascii")
        listed = not named["ce_type"].endswith(_REMOVED)
        if named["ce_source"] != _SOURCE or value is None:
            return None
        stated = _STATED.decode(value)
        if stated.sequence != sequence or not named["ce_type"].endswith(stated.op.encode()):
            return None
    except (KeyError, ValueError, msgspec.DecodeError):
        return None
    start, is_update = named.get("ce_time", b""), stated.op == _UPDATED
    return RecordHead(sequence, digest, listed, row_digest(named), start, is_update)


def is_newest(head: RecordHead | None, held: Rank | None) -> TypeGuard[RecordHead]:
    """Return whether a record takes the place of what is held of its key (rules 2 and 3).

    >>> head = RecordHead(7, "b", listed=True, raw_digest=b"")
    >>> is_newest(head, (7, "b")), is_newest(head, (7, "c")), is_newest(None, None)
    (True, False, False)
    """
    return head is not None and (held is None or held <= (head.sequence, head.digest))


class SubjectOrder:
    """Tells record by record of exports.v1 whether it is its subject's newest (rule 5)."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._sequences: dict[str, int] = {}
        self._digests: dict[str, set[str]] = {}

    def is_newest(self, subject: str, rank: Rank) -> bool:
        """Return whether a record is newer than all of its subject before it.

        >>> order = SubjectOrder()
        >>> [order.is_newest("export/1", rank) for rank in ((7, "b"), (7, "a"), (7, "b"), (6, "c"))]
        [True, True, False, False]
        """
        sequence, digest = rank
        held = self._sequences.get(subject, -1)
        if sequence > held:
            self._sequences[subject], self._digests[subject] = sequence, {digest}
            return True
        if sequence < held or digest in self._digests[subject]:
            return False
        self._digests[subject].add(digest)
        return True


def truncated(recorded: Mapping[str, int], now: Mapping[str, int]) -> list[str]:
    """Say which partitions, ``topic/partition``, end before where they were recorded to end.

    >>> truncated({"pets.v1/0": 9, "pets.v1/1": 4}, {"pets.v1/0": 8, "pets.v1/1": 5})
    ['pets.v1/0 ends at 8, not at 9 or behind']
    """
    return [
        f"{partition} ends at {now.get(partition, 0):,}, not at {end:,} or behind"
        for partition, end in sorted(recorded.items())
        if now.get(partition, 0) < end
    ]


class _Stated(Struct):
    """All that is read of a value; the rest must be JSON."""

    sequence: int
    op: str = ""


_STATED: Final = msgspec.json.Decoder(_Stated)
