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

from consumers.pictures.store import (
    SHARDS,
    DirectoryStore,
    PictureStore,
    directory_of,
    store_of,
)

_AT_ONCE: Final = 32
_NAME: Final = r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{64}(\.\d{1,4})?\.(jpg|png|gif|webp)"
_KEY: Final = re.compile(_NAME)
_PART: Final = re.compile(rf"{_NAME}\.[0-9a-f]{{8}}\.part")


async def survey(url: str) -> int:
    """Return how many files are ours; raises `OSError` if the store is in trouble."""
    store = store_of(url)
    files = 0
    for shard in SHARDS:
        files += len(await _keys(store, shard))
    if isinstance(store, DirectoryStore):
        files += len(await asyncio.to_thread(_parts, directory_of(url)))
    return files


async def empty(url: str) -> int:
    """Delete what is ours, and return how much that was; raises `OSError` as `survey` does."""
    store = store_of(url)
    gone = 0
    for shard in SHARDS:
        keys = await _keys(store, shard)
        for at in range(0, len(keys), _AT_ONCE):
            await asyncio.gather(*[store.drop(key) for key in keys[at : at + _AT_ONCE]])
        gone += len(keys)
    if isinstance(store, DirectoryStore):
        gone += await asyncio.to_thread(_tidy, directory_of(url))
    return gone


async def _keys(store: PictureStore, shard: str) -> list[str]:
    return [one.key async for one in store.kept(shard) if _KEY.fullmatch(one.key)]


def _parts(root: Path) -> list[Path]:
    """Return what killed processes left."""
    found = (path for shard in SHARDS for path in (root / shard).glob("*/*.part"))
    return [path for path in found if _PART.fullmatch(path.relative_to(root).as_posix())]


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
