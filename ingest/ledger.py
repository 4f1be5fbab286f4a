"""The ledger: the newest event of every key, folded from the topic itself.

Rule 1: the topic is the truth; this is only its fold, made anew at the start of every run.
Rule 2: the highest (sequence, digest) of a key wins, whatever the order of the log; a key whose
        last record isn't its newest is `stale` until it is published again.
Rule 3: a row whose raw digest is known is unchanged, and needs no parsing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import cramjam
import msgspec

from contracts.codec import RAW_DIGEST, Headers

_REMOVED: Final = b".removed"


class Entry(NamedTuple):
    """What is held of a key: the newest event that was published for it."""

    sequence: int
    digest: str
    raw_digest: bytes
    listed: bool
    packed: bytes

    def event(self) -> dict[str, Any]:
        """Return the event's value as plain JSON types."""
        found: dict[str, Any] = msgspec.json.decode(self.value())
        return found

    def value(self) -> bytes:
        """Return the event's value as published."""
        return bytes(cramjam.lz4.decompress_block(self.packed))


class Ledger:
    """The entries of one topic, by key, and the raw digests of the rows they came from."""

    def __init__(self) -> None:
        """Start empty; `fold` or `hold` fill it."""
        self.stale: set[int] = set()
        self._entries: dict[int, Entry] = {}
        self._by_raw: dict[bytes, int] = {}

    def fold(self, key: int, headers: Headers, value: bytes) -> None:
        """Take one record of the topic, in the order of the log."""
        found = dict(headers)
        sequence, digest = int(found["ce_sequence"]), found["ce_digest"].decode("ascii")
        held = self._entries.get(key)
        if held is not None and (held.sequence, held.digest) > (sequence, digest):
            self.stale.add(key)
            return
        listed = not found["ce_type"].endswith(_REMOVED)
        self.hold(key, Entry(sequence, digest, found.get(RAW_DIGEST, b""), listed, pack(value)))

    def hold(self, key: int, entry: Entry) -> None:
        """Take the newest event of a key, which is the last one in the log as well."""
        self.stale.discard(key)
        held = self._entries.get(key)
        if held is not None and held.raw_digest and self._by_raw.get(held.raw_digest) == key:
            del self._by_raw[held.raw_digest]
        if entry.listed and entry.raw_digest:
            self._by_raw[entry.raw_digest] = key
        self._entries[key] = entry

    def get(self, key: int) -> Entry | None:
        """Return what is held of a key."""
        return self._entries.get(key)

    def unchanged(self, raw_digest: bytes) -> int | None:
        """Return the key whose listed newest event came from a row of just these bytes."""
        return self._by_raw.get(raw_digest)

    def listed(self) -> Iterator[int]:
        """Return the keys that are in the feed as far as we published."""
        return (key for key, entry in self._entries.items() if entry.listed)

    def items(self) -> Iterable[tuple[int, Entry]]:
        """Return every key with its entry, removed ones too."""
        return self._entries.items()

    def __len__(self) -> int:
        """Return how many keys are held, removed ones too."""
        return len(self._entries)


def pack(value: bytes) -> bytes:
    """Return an event's value as an entry keeps it."""
    return bytes(cramjam.lz4.compress_block(value))
