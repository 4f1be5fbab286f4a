"""What a directory of pictures holds, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import pytest
from drawn_pictures import drawn_picture

from consumers.pictures.store.directory import DirectoryStore
from consumers.pictures.store.interface import SHARDS, key_of


async def test_t34_t37_a_store_keeps_whole_files_under_names_of_its_own(tmp_path: Path) -> None:
    """T34: a content address only. T37: a file is whole or not there; leftovers go."""
    store = DirectoryStore(tmp_path / "store")
    data = drawn_picture()
    key = key_of(hashlib.sha256(data).hexdigest(), "jpg")
    await asyncio.gather(*(store.put(key, data) for _ in range(5)))
    assert await store.get(key) == data
    assert [path.name for path in (tmp_path / "store").rglob("*") if path.is_file()] == [
        key.rpartition("/")[2]
    ]
    part = tmp_path / "store" / f"{key}.0000.part"
    part.write_bytes(b"half")
    os.utime(part, (0, 0))
    keys = [file.key for shard in SHARDS async for file in store.files(shard)]
    assert keys == [key]
    assert not part.exists()
    await store.delete(key)
    await store.delete(key)
    assert not await store.has(key)
    for bad in ("../../etc/passwd", "/etc/passwd", f"{key}/../x", "ab/cd/x.jpg", ""):
        with pytest.raises(ValueError, match="not a key"):
            await store.put(bad, b"x")
