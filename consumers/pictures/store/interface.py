"""What a picture store is: its keys, its methods, and the trouble it may be in.

Rule 1: a key is made of the content alone: no id, name or URL of the feed touches the disk.
        SHA-256, since hosts are strangers: a picture made to collide would replace another pet's.
Rule 2: trouble is said as what is wrong and how to mend it: it is never the picture's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, NamedTuple, Protocol

KEY_PATTERN: Final = r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{64}(\.[0-9]{1,4})?\.(jpg|png|gif|webp)"
"""What every key looks like."""
SHARDS: Final = tuple(f"{number:02x}/" for number in range(256))
"""What keys begin with: the store is listed one shard at a time."""
_CONTENT_TYPES: Final = {
    "jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp",
}  # fmt: skip


class StoredFile(NamedTuple):
    """A file of the store, and how old it is."""

    key: str
    age_s: float


class StoreTroubleError(OSError):
    """A store doesn't do what it is there for; `lasting`: it won't mend by waiting."""

    def __init__(self, what: str, mend: str, *, lasting: bool = False) -> None:
        """Say what is wrong, and how to mend it."""
        super().__init__(f"{what}: {mend}")
        self.what, self.mend, self.lasting = what, mend, lasting


class PictureStore(Protocol):
    """Any store; trouble with it is an `OSError`, a `StoreTroubleError` where that can be."""

    async def put(self, key: str, data: bytes) -> None:
        """Store bytes; durable when this returns."""

    async def has(self, key: str) -> bool:
        """Return whether there is such a key."""

    async def get(self, key: str) -> bytes:
        """Return what was put; raises `FileNotFoundError` if there is no such key."""

    def files(self, shard: str) -> AsyncIterator[StoredFile]:
        """List the files whose keys begin with a shard."""

    async def delete(self, key: str) -> None:
        """Delete a key; harmless if it isn't there."""


def key_of(sha256: str, suffix: str, size: int | None = None) -> str:
    """Return the key of an original, or of its thumbnail.

    >>> key_of("ab" * 32, "jpg", 320)[:12], key_of("ab" * 32, "jpg", 320)[-7:]
    ('ab/ab/ababab', '320.jpg')
    """
    middle = "" if size is None else f".{size}"
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}{middle}.{suffix}"


def content_type(key: str) -> str:
    """Return what a key's bytes are, for HTTP.

    >>> content_type(key_of("ab" * 32, "png"))
    'image/png'
    """
    return _CONTENT_TYPES[key.rpartition(".")[2]]
