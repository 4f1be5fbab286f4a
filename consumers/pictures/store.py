"""Where pictures are kept: files under the SHA-256 of what was fetched.

Rule 1: a key is made of the content alone: no id, name or URL of the feed touches the disk.
        SHA-256, since hosts are strangers: a picture made to collide would replace another pet's.
Rule 2: written beside, synced, renamed, directory synced: a name means whole bytes or nothing.
Rule 3: what is there already is only touched, so that the sweep sees that it is wanted.
Rule 4: trouble is said as what is wrong and how to mend it: it is never the picture's.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from petstream import failpoints

KEY: Final = r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{64}(\.[0-9]{1,4})?\.(jpg|png|gif|webp)"
"""What every key looks like."""
_KEY: Final = re.compile(KEY)
_TYPES: Final = {
    "jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp",
}  # fmt: skip
SHARDS: Final = tuple(f"{number:02x}/" for number in range(256))
"""What keys begin with: the store is looked through one at a time."""


class Kept(NamedTuple):
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
        """Keep bytes; durable when this returns."""

    async def has(self, key: str) -> bool:
        """Tell whether there is such a key."""

    async def get(self, key: str) -> bytes:
        """Return what was put."""

    def kept(self, shard: str) -> AsyncIterator[Kept]:
        """Walk the keys that begin with a shard."""

    async def drop(self, key: str) -> None:
        """Keep it no longer; harmless if it isn't there."""


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
    return _TYPES[key.rpartition(".")[2]]


def store_of(url: str) -> PictureStore:
    """Return the store that `PETSTREAM_PICTURES` names."""
    if url.startswith("s3:"):
        from consumers.pictures.s3_store import BucketStore  # noqa: PLC0415  only where it is used

        return BucketStore(url)
    return DirectoryStore(directory_of(url))


async def probe(store: PictureStore) -> None:
    """Put something small, look for it, and take it away again; raises what keeps it from that."""
    data = secrets.token_bytes(32)
    key = key_of(hashlib.sha256(data).hexdigest(), "jpg")
    await store.put(key, data)
    try:
        if await store.get(key) != data:
            raise StoreTroubleError(
                "the picture store gives back something else than was put", "see to its server"
            )
    finally:
        await store.drop(key)


def directory_of(url: str) -> Path:
    """Return the directory of a ``file:`` URL."""
    return Path(unquote(urlsplit(url).path))


class DirectoryStore:
    """Pictures in a directory."""

    def __init__(self, directory: Path) -> None:
        """Keep pictures under `directory`, which is made when the first comes."""
        self._root = directory

    async def put(self, key: str, data: bytes) -> None:
        """Keep bytes; durable when this returns."""
        try:
            await asyncio.to_thread(self._put, self._path(key), data)
        except OSError as error:
            why = error.strerror or type(error).__name__
            what = f"nothing can be kept in {self._root} ({why})"
            raise StoreTroubleError(what, "see to the disk, or mend PETSTREAM_PICTURES") from error

    async def has(self, key: str) -> bool:
        """Tell whether there is such a key."""
        return await asyncio.to_thread(self._path(key).is_file)

    async def get(self, key: str) -> bytes:
        """Return what was put."""
        return await asyncio.to_thread(self._path(key).read_bytes)

    async def kept(self, shard: str) -> AsyncIterator[Kept]:
        """Walk the keys that begin with a shard."""
        for found in await asyncio.to_thread(self._walk, shard):
            yield found

    async def drop(self, key: str) -> None:
        """Keep it no longer; harmless if it isn't there."""
        await asyncio.to_thread(self._path(key).unlink, missing_ok=True)

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key.removesuffix(".part")):
            raise ValueError("not a key of the picture store")
        return self._root / key

    def _put(self, path: Path, data: bytes) -> None:
        try:
            if path.stat().st_size == len(data):
                os.utime(path)
                return
        except FileNotFoundError:
            self._make(path.parent)
        part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
        try:
            with part.open("xb") as file:
                failpoints.point("picture.part.begun")
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            failpoints.point("picture.part.written")
            part.rename(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        _synced(path.parent)

    def _make(self, directory: Path) -> None:
        missing = [directory, *directory.parents]
        made = [one for one in missing if not one.exists()]
        directory.mkdir(parents=True, exist_ok=True)
        for one in made:
            _synced(one.parent)

    def _walk(self, shard: str) -> list[Kept]:
        now, found = time.time(), []
        for path in sorted((self._root / shard).glob("*/*")):
            try:
                age_s = now - path.stat().st_mtime
            except FileNotFoundError:
                continue
            if path.name.endswith(".part"):
                if age_s > _PART_S:
                    path.unlink(missing_ok=True)  # of a process that was killed
                continue
            key = path.relative_to(self._root).as_posix()
            if _KEY.fullmatch(key):
                found.append(Kept(key, age_s))
        return found


_PART_S: Final = 3_600.0


def _synced(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
