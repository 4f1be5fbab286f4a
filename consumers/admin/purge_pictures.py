"""The picture store counted for a purge, then emptied of what is ours.

Rule 1: ours is what is named after its content, and what a killed process left of such a file;
        anything else in that directory or bucket stays.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from consumers.pictures.store.directory import DirectoryStore, directory_of
from consumers.pictures.store.factory import open_store
from consumers.pictures.store.interface import KEY_PATTERN, SHARDS, PictureStore

_AT_ONCE: Final = 32
_KEY: Final = re.compile(KEY_PATTERN)
_PART: Final = re.compile(rf"{KEY_PATTERN}\.[0-9a-f]{{8}}\.part")


async def survey(url: str) -> int:
    """Return how many files are ours; raises `OSError` if the store is in trouble."""
    store = open_store(url)
    files = 0
    for shard in SHARDS:
        files += len(await _keys(store, shard))
    if isinstance(store, DirectoryStore):
        files += len(await asyncio.to_thread(_parts, directory_of(url)))
    return files


async def empty(url: str) -> int:
    """Delete what is ours, and return how much that was; raises `OSError` as `survey` does."""
    store = open_store(url)
    gone = 0
    for shard in SHARDS:
        keys = await _keys(store, shard)
        for at in range(0, len(keys), _AT_ONCE):
            await asyncio.gather(*[store.delete(key) for key in keys[at : at + _AT_ONCE]])
        gone += len(keys)
    if isinstance(store, DirectoryStore):
        gone += await asyncio.to_thread(_tidy, directory_of(url))
    return gone


async def _keys(store: PictureStore, shard: str) -> list[str]:
    return [file.key async for file in store.files(shard) if _KEY.fullmatch(file.key)]


def _parts(root: Path) -> list[Path]:
    """Return what killed processes left."""
    parts = (path for shard in SHARDS for path in (root / shard).glob("*/*.part"))
    return [path for path in parts if _PART.fullmatch(path.relative_to(root).as_posix())]


def _tidy(root: Path) -> int:
    """Take away what killed processes left, then every directory that is empty now."""
    parts = _parts(root)
    for path in parts:
        path.unlink(missing_ok=True)
    for directory in _directories(root):
        with suppress(OSError):  # something of somebody else is in it, or it isn't there
            directory.rmdir()
    return len(parts)


def _directories(root: Path) -> Iterator[Path]:
    for shard in SHARDS:
        inner = sorted((root / shard).glob("[0-9a-f][0-9a-f]"))
        yield from (path for path in inner if path.is_dir())
        yield root / shard
    yield root
