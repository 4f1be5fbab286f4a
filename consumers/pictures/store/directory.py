"""Pictures in a directory: files under the SHA-256 of what was fetched.

Rule 1: written beside, synced, renamed, directory synced: a name means whole bytes or nothing.
Rule 2: what is there already is only touched, so that the sweep sees that it is wanted.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from consumers.pictures.store.interface import KEY_PATTERN, StoredFile, StoreTroubleError
from petstream import failpoints

_KEY: Final = re.compile(KEY_PATTERN)
_ABANDONED_PART_S: Final = 3_600.0


def directory_of(url: str) -> Path:
    """Return the directory of a ``file:`` URL."""
    return Path(unquote(urlsplit(url).path))


class DirectoryStore:
    """Pictures in a directory."""

    def __init__(self, directory: Path) -> None:
        """Store pictures under `directory`, which is made when the first comes."""
        self._root = directory

    async def put(self, key: str, data: bytes) -> None:
        """Store bytes; durable when this returns."""
        try:
            await asyncio.to_thread(self._put, self._path(key), data)
        except OSError as error:
            why = error.strerror or type(error).__name__
            what = f"nothing can be kept in {self._root} ({why})"
            raise StoreTroubleError(what, "see to the disk, or mend PETSTREAM_PICTURES") from error

    async def has(self, key: str) -> bool:
        """Return whether there is such a key."""
        return await asyncio.to_thread(self._path(key).is_file)

    async def get(self, key: str) -> bytes:
        """Return what was put; raises `FileNotFoundError` if there is no such key."""
        return await asyncio.to_thread(self._path(key).read_bytes)

    async def files(self, shard: str) -> AsyncIterator[StoredFile]:
        """List the files whose keys begin with a shard."""
        for file in await asyncio.to_thread(self._list, shard):
            yield file

    async def delete(self, key: str) -> None:
        """Delete a key; harmless if it isn't there."""
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
            _make_durably(path.parent)
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
        _sync(path.parent)

    def _list(self, shard: str) -> list[StoredFile]:
        now = time.time()
        files: list[StoredFile] = []
        for path in sorted((self._root / shard).glob("*/*")):
            try:
                age_s = now - path.stat().st_mtime
            except FileNotFoundError:
                continue
            if path.name.endswith(".part"):
                if age_s > _ABANDONED_PART_S:
                    path.unlink(missing_ok=True)  # of a process that was killed
                continue
            key = path.relative_to(self._root).as_posix()
            if _KEY.fullmatch(key):
                files.append(StoredFile(key, age_s))
        return files


def _make_durably(directory: Path) -> None:
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    for path in missing:
        _sync(path.parent)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
