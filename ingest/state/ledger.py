"""The ledger: the newest event of every key, folded from the topic itself.

Rule 1: the topic is the truth; this is only its fold, made anew at the start of every run.
Rule 2: which event of a key is its newest, `petstream.fold` decides. A key is `stale` if in no
        partition its newest event is its last record: a compaction would leave an older one. (Keys
        move when partitions are added; what lies in another partition since makes nothing stale.)
Rule 3: a row whose raw digest is held for its key is unchanged, and needs no parsing.
Rule 4: what is looked at on every row is in memory, some 300 bytes a key; values are in a store.
Rule 5: what is clear (no key is stale, or stands in two partitions) can be kept, and begun from:
        `ingest.state.checkpoint`. What a run has published since its fold lies where its key goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Any, Final, NamedTuple, Protocol, Self

import msgspec

from petstream.codec import Headers
from petstream.fold import Rank, is_newest, key_of, peek
from petstream.sequence import base_of

# sequence, position of the value, length of the raw digest, partition, standing
_HEAD: Final = Struct("<qqBHB")
_HEAD_BYTES: Final = _HEAD.size
_STANDING: Final = _HEAD_BYTES - 1
_REMOVED, _LISTED, _UPDATED = 0, 1, 2
"""A key's standing by its newest event: whatever isn't removed is listed."""

_SEQUENCE: Final = Struct("<q")
_WHERE_IT_GOES: Final = 2**16 - 1
"""Stands for the partition of a key that was published by this run."""


class ValueStore(Protocol):
    """Where values are kept apart: few of them are needed again."""

    def put(self, value: bytes) -> int:
        """Keep a value, and return its position."""

    def get(self, position: int) -> bytes:
        """Return the value of a position."""


class MemoryStore:
    """A store for few values."""

    def __init__(self) -> None:
        """Start empty."""
        self._values: list[bytes] = []

    def put(self, value: bytes) -> int:
        """Keep a value, and return its position."""
        self._values.append(value)
        return len(self._values) - 1

    def get(self, position: int) -> bytes:
        """Return the value of a position."""
        return self._values[position]


class Entry(NamedTuple):
    """What is held of a key: the newest event that was published for it."""

    sequence: int
    digest: str
    raw_digest: bytes
    listed: bool
    position: int
    values: ValueStore

    def event(self) -> dict[str, Any]:
        """Return the event's value as plain JSON types."""
        event: dict[str, Any] = msgspec.json.decode(self.value())
        return event

    def value(self) -> bytes:
        """Return the event's value as published."""
        return self.values.get(self.position)


class KeptLedger(msgspec.Struct, frozen=True):
    """What a ledger holds, to be begun from (rule 5); its values are in the store it had."""

    entries: dict[int, bytes]
    highest_sequence: int
    newest_start: bytes


class Ledger:
    """The entries of one topic, by key."""

    def __init__(
        self, values: ValueStore | None = None, place: Callable[[int], int] = lambda _key: 0
    ) -> None:
        """Start empty; `fold` or `hold` fill it.

        Args:
            values: where values are kept; None: in memory.
            place: gives the partition that a key goes to.
        """
        self._place = place
        self.stale: set[int] = set()
        self._values = MemoryStore() if values is None else values
        self._entries: dict[int, bytes] = {}  # packed: as objects they'd take thrice the room
        self._copies: dict[int, set[int]] = {}
        self._published = False
        self.highest_sequence = -1
        self.newest_start = b""
        """The start of the newest export that any event is of, as ``ce_time`` has it."""

    @classmethod
    def begun(cls, kept: KeptLedger, values: ValueStore, place: Callable[[int], int]) -> Self:
        """Return a ledger that goes on from what another held; the store is that one's."""
        ledger = cls(values, place)
        ledger._entries = kept.entries
        ledger.highest_sequence, ledger.newest_start = kept.highest_sequence, kept.newest_start
        return ledger

    def kept(self, start: bytes) -> KeptLedger | None:
        """Return what is held, to be begun from; None where that isn't clear (rule 5).

        Args:
            start: of the export of which events were published since the fold, as ``ce_time``.
        """
        if self.stale or self._copies:
            return None
        newest_start = max(self.newest_start, start) if self._published else self.newest_start
        return KeptLedger(self._entries, self.highest_sequence, newest_start)

    def fold(
        self, key: bytes | None, headers: Headers, value: bytes | None, partition: int = 0
    ) -> bool:
        """Take one record of the topic, in the order of the log; False if it isn't one of ours.

        A key whose last record is damaged, or a stranger's, is stale: consumers have refused it.
        """
        number = key_of(key)
        if number is None:
            return False
        head = peek(headers, value)
        packed = self._entries.get(number)
        if not is_newest(head, None if packed is None else _rank(packed)):
            if packed is not None:
                self._overlie(number, packed, partition)
            return head is not None
        if packed is not None and head.rank == _rank(packed) and number not in self.stale:
            at = self._partition(number, packed)
            if at != partition:  # it stands there as well
                self._copies.setdefault(number, {at}).add(partition)
                return True
        else:
            self._copies.pop(number, None)
        assert value is not None  # noqa: S101  it has a head
        self._take(
            number, head.sequence, head.digest, head.raw_digest, value, listed=head.listed,
            is_update=head.is_update, partition=partition,
        )  # fmt: skip
        self.newest_start = max(self.newest_start, head.start)
        return True

    def _overlie(self, key: int, packed: bytes, partition: int) -> None:
        """Note that an older record, or a damaged one, is a key's last in a partition."""
        copies = self._copies.get(key)
        if copies is None:
            if partition == self._partition(key, packed):
                self.stale.add(key)
            return
        copies.discard(partition)
        if not copies:
            self.stale.add(key)
            del self._copies[key]

    def hold(  # noqa: PLR0913  what an entry is made of
        self,
        key: int,
        sequence: int,
        digest: str,
        raw_digest: bytes,
        value: bytes,
        *,
        listed: bool,
        is_update: bool = False,
    ) -> None:
        """Take the newest event of a key, which is published, and the last in the log as well."""
        self._published = True
        self._take(
            key, sequence, digest, raw_digest, value, listed=listed, is_update=is_update,
            partition=_WHERE_IT_GOES,
        )  # fmt: skip

    def _take(  # noqa: PLR0913  the same
        self,
        key: int,
        sequence: int,
        digest: str,
        raw_digest: bytes,
        value: bytes,
        *,
        listed: bool,
        is_update: bool,
        partition: int,
    ) -> None:
        self.stale.discard(key)
        self.highest_sequence = max(self.highest_sequence, sequence)
        standing = _UPDATED if is_update else _LISTED if listed else _REMOVED
        position = self._values.put(value)
        head = _HEAD.pack(sequence, position, len(raw_digest), partition, standing)
        self._entries[key] = head + raw_digest + digest.encode("ascii")

    def rank(self, key: int) -> Rank | None:
        """Return the rank of what is held of a key."""
        packed = self._entries.get(key)
        return None if packed is None else _rank(packed)

    def sequence(self, key: int) -> int:
        """Return the sequence of what is held of a key; -1: nothing is."""
        packed = self._entries.get(key)
        return -1 if packed is None else int(_SEQUENCE.unpack_from(packed)[0])

    def get(self, key: int) -> Entry | None:
        """Return what is held of a key."""
        packed = self._entries.get(key)
        return None if packed is None else self._entry(packed)

    def came_from(self, key: int, raw_digest: bytes) -> bool:
        """Return whether a listed key's newest event came from a row of just these bytes."""
        packed = self._entries.get(key)
        return (
            packed is not None
            and bool(packed[_STANDING])
            and packed.startswith(raw_digest, _HEAD_BYTES)
        )

    def listed(self) -> Iterator[int]:
        """Return the keys that are in the feed as far as we published."""
        for key, packed in self._entries.items():
            if packed[_STANDING]:
                yield key

    def updates_of(self, base: int) -> Iterator[Entry]:
        """Return the newest events that are updates, of the export of this base."""
        for packed in self._entries.values():
            of_base = base_of(_SEQUENCE.unpack_from(packed)[0]) == base
            if of_base and packed[_STANDING] == _UPDATED:
                yield self._entry(packed)

    def items(self) -> Iterator[tuple[int, Entry]]:
        """Return every key with its entry, removed ones too."""
        for key, packed in self._entries.items():
            yield key, self._entry(packed)

    def __len__(self) -> int:
        """Return how many keys are held, removed ones too."""
        return len(self._entries)

    def _partition(self, key: int, packed: bytes) -> int:
        _, _, _, partition, _ = _HEAD.unpack_from(packed)
        return self._place(key) if partition == _WHERE_IT_GOES else int(partition)

    def _entry(self, packed: bytes) -> Entry:
        sequence, position, length, _, standing = _HEAD.unpack_from(packed)
        end = _HEAD.size + length
        raw_digest, digest = packed[_HEAD.size : end], packed[end:].decode("ascii")
        return Entry(sequence, digest, raw_digest, standing != _REMOVED, position, self._values)


def _rank(packed: bytes) -> Rank:
    sequence, _, length, _, _ = _HEAD.unpack_from(packed)
    return sequence, packed[_HEAD.size + length :].decode("ascii")
