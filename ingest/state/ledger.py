"""The ledger: the newest event of every key, folded from the topic itself.

Rule 1: the topic is the truth; this is only its fold, made anew at the start of every run.
Rule 2: the highest (sequence, digest) of a key wins, whatever the order of the log; a key whose
        last record isn't its newest is `stale` until it is published again.
Rule 3: a row whose raw digest is held for its key is unchanged, and needs no parsing.
Rule 4: what is looked at on every row is in memory, some 300 bytes a key; values are on a shelf.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from struct import Struct
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from petstream.codec import RAW_DIGEST, Headers
from petstream.events import SOURCE

_ID: Final = re.compile(rb"[0-9]{1,18}")
_REMOVED: Final = b".removed"
_HEAD: Final = Struct("<qqB?")  # sequence, place on the shelf, length of the raw digest, listed
_LISTED: Final = _HEAD.size - 1


class Shelf(Protocol):
    """Where values are put away; few of them are needed again."""

    def put(self, value: bytes) -> int:
        """Put a value away, and return its place."""

    def get(self, place: int) -> bytes:
        """Return the value of a place."""


class MemoryShelf:
    """A shelf for few values."""

    def __init__(self) -> None:
        """Start empty."""
        self._values: list[bytes] = []

    def put(self, value: bytes) -> int:
        """Put a value away, and return its place."""
        self._values.append(value)
        return len(self._values) - 1

    def get(self, place: int) -> bytes:
        """Return the value of a place."""
        return self._values[place]


class Entry(NamedTuple):
    """What is held of a key: the newest event that was published for it."""

    sequence: int
    digest: str
    raw_digest: bytes
    listed: bool
    place: int
    shelf: Shelf

    def event(self) -> dict[str, Any]:
        """Return the event's value as plain JSON types."""
        found: dict[str, Any] = msgspec.json.decode(self.value())
        return found

    def value(self) -> bytes:
        """Return the event's value as published."""
        return self.shelf.get(self.place)


class Ledger:
    """The entries of one topic, by key."""

    def __init__(self, shelf: Shelf | None = None) -> None:
        """Start empty, with values on `shelf` (None: in memory); `fold` or `hold` fill it."""
        self.stale: set[int] = set()
        self._shelf = MemoryShelf() if shelf is None else shelf
        self._entries: dict[int, bytes] = {}  # packed: as objects they'd take thrice the room

    def fold(self, key: bytes | None, headers: Headers, value: bytes | None) -> bool:
        """Take one record of the topic, in the order of the log; False if it isn't to be believed.

        A key whose last record is damaged, or a stranger's, is stale: consumers have refused it.
        """
        if key is None or not _ID.fullmatch(key):
            return False
        number = int(key)
        held = self.get(number)
        told = None if value is None else _told(headers, value)
        if (
            told is None
            or value is None
            or (held is not None and (held.sequence, held.digest) > told[:2])
        ):
            if held is not None:
                self.stale.add(number)
            return told is not None
        sequence, digest, raw_digest, listed = told
        self.hold(number, sequence, digest, raw_digest, value, listed=listed)
        return True

    def hold(  # noqa: PLR0913  what an entry is made of
        self, key: int, sequence: int, digest: str, raw_digest: bytes, value: bytes, *, listed: bool
    ) -> None:
        """Take the newest event of a key, which is the last one in the log as well."""
        self.stale.discard(key)
        head = _HEAD.pack(sequence, self._shelf.put(value), len(raw_digest), listed)
        self._entries[key] = head + raw_digest + digest.encode("ascii")

    def get(self, key: int) -> Entry | None:
        """Return what is held of a key."""
        packed = self._entries.get(key)
        return None if packed is None else self._entry(packed)

    def came_from(self, key: int, raw_digest: bytes) -> bool:
        """Tell whether a listed key's newest event came from a row of just these bytes."""
        packed = self._entries.get(key)
        return (
            packed is not None
            and bool(packed[_LISTED])
            and packed.startswith(raw_digest, _HEAD.size)
        )

    def listed(self) -> Iterator[int]:
        """Return the keys that are in the feed as far as we published."""
        return (key for key, packed in self._entries.items() if packed[_LISTED])

    def items(self) -> Iterator[tuple[int, Entry]]:
        """Return every key with its entry, removed ones too."""
        return ((key, self._entry(packed)) for key, packed in self._entries.items())

    def __len__(self) -> int:
        """Return how many keys are held, removed ones too."""
        return len(self._entries)

    def _entry(self, packed: bytes) -> Entry:
        sequence, place, length, listed = _HEAD.unpack_from(packed)
        end = _HEAD.size + length
        digest = packed[end:].decode("ascii")
        return Entry(sequence, digest, packed[_HEAD.size : end], listed, place, self._shelf)


class _Numbered(msgspec.Struct):
    """All that is read of an event while it is folded; the rest must be JSON."""

    sequence: int


_NUMBERED: Final = msgspec.json.Decoder(_Numbered)


def _told(headers: Headers, value: bytes) -> tuple[int, str, bytes, bool] | None:
    """Return sequence, digest, raw digest and whether it lists the key; None: not one of ours."""
    found = dict(headers)
    try:
        sequence, digest = int(found["ce_sequence"]), found["ce_digest"].decode("ascii")
        listed = not found["ce_type"].endswith(_REMOVED)
        if found["ce_source"] != SOURCE.encode() or _NUMBERED.decode(value).sequence != sequence:
            return None
    except (KeyError, ValueError, msgspec.DecodeError):
        return None
    return sequence, digest, found.get(RAW_DIGEST, b""), listed
