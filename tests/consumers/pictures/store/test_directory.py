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


async def test_t37_a_file_of_another_size_under_its_name_is_written_anew(tmp_path: Path) -> None:
    """T37: a disk that was full, or put back, may have left half of it."""
    store, data = DirectoryStore(tmp_path), drawn_picture()
    key = key_of(hashlib.sha256(data).hexdigest(), "jpg")
    (tmp_path / key).parent.mkdir(parents=True)
    (tmp_path / key).write_bytes(data[:20])
    await store.put(key, data)
    assert await store.get(key) == data


async def test_what_is_put_again_is_young_again_so_that_no_sweep_takes_it(tmp_path: Path) -> None:
    store, data = DirectoryStore(tmp_path), drawn_picture()
    key = key_of(hashlib.sha256(data).hexdigest(), "jpg")
    await store.put(key, data)
    os.utime(tmp_path / key, (0, 0))
    await store.put(key, data)
    (file,) = [file for shard in SHARDS async for file in store.files(shard)]
    assert file.age_s < 3_600


async def test_t37_a_file_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    """T37: another process may be at it, while this one lists the store."""
    part = tmp_path / f"{key_of('ab' * 32, 'jpg')}.0011aabb.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"half")
    store = DirectoryStore(tmp_path)
    assert [file.key for shard in SHARDS async for file in store.files(shard)] == []
    assert part.exists()
