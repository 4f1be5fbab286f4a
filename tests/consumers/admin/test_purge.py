"""What of a store of pictures a purge takes, and what is somebody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from consumers.admin import purge
from consumers.admin.purge import count_pictures, delete_pictures
from consumers.pictures.store.interface import StoredFile, key_of

OURS = key_of("ab" * 32, "jpg")
THUMBNAIL = key_of("ab" * 32, "jpg", 320)
UNFINISHED = f"{key_of('cd' * 32, 'png')}.0011aabb.part"
OTHERS = ("ab/ab/notes.txt", "ab/ab/notes.part", "readme.txt", "zz/zz/1.jpg", "cd/cd/x.jpg.part")


async def test_only_what_is_named_after_its_content_goes_and_what_of_it_was_left_unfinished(
    tmp_path: Path,
) -> None:
    for name in (OURS, THUMBNAIL, UNFINISHED, *OTHERS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    url = tmp_path.as_uri()
    assert await count_pictures(url) == 3
    assert await delete_pictures(url) == 3
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == set(OTHERS)
    assert await count_pictures(url) == 0


class _Bucket:
    """A store that lists whatever is in it, as a bucket does."""

    def __init__(self) -> None:
        self.names = [OURS, THUMBNAIL, "ab/ab/notes.txt", f"ab/backups/{OURS}"]

    async def files(self, shard: str) -> AsyncIterator[StoredFile]:
        for name in tuple(self.names):
            if name.startswith(shard):
                yield StoredFile(name, 0.0)

    async def delete(self, key: str) -> None:
        self.names.remove(key)


async def test_in_a_bucket_only_what_is_named_after_its_content_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = _Bucket()
    monkeypatch.setattr(purge, "open_store", lambda _url: bucket)
    assert await count_pictures("s3://bucket/") == 2
    assert await delete_pictures("s3://bucket/") == 2
    assert bucket.names == ["ab/ab/notes.txt", f"ab/backups/{OURS}"]
