"""The archive keeps raw files whole or not at all, and notices damage."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.source.archive import Archive, ArchiveFullError
from petstream.errors import BrokenFileError

EXPORT = "2026-11-02T08:00:01Z"


async def kept(archive: Archive, export_id: str = EXPORT, name: str = "pets_1.json") -> bytes:
    """Read a file again."""
    async with aclosing(archive.read(export_id, name)) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def keep(archive: Archive, data: bytes, export_id: str = EXPORT) -> None:
    """Write a file."""
    writer = await archive.open(export_id, "pets_1.json")
    for begin in range(0, len(data), 1_000):
        await writer.write(data[begin : begin + 1_000])
    await writer.commit()


async def test_what_was_kept_is_read_again(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    data = b'{"animalID":"1"}\n' * 5_000
    await keep(archive, data)
    assert await kept(archive) == data
    assert await archive.exports() == [EXPORT]


async def test_a_file_is_not_there_before_it_is_whole(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    writer = await archive.open(EXPORT, "pets_1.json")
    await writer.write(b"half")
    with pytest.raises(BrokenFileError):
        await kept(archive)
    await writer.abort()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_t17_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    await keep(archive, b"some rows\n" * 1_000)
    (path,) = tmp_path.rglob("*.zst")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(BrokenFileError):
        await kept(archive)


async def test_old_exports_are_pruned_by_their_start(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    await keep(archive, b"old", "2026-10-01T08:00:00Z")
    await keep(archive, b"new")
    gone = await archive.prune(14, datetime(2026, 11, 3, tzinfo=UTC))
    assert gone == ["2026-10-01T08:00:00Z"]
    assert await archive.exports() == [EXPORT]


async def test_a_directory_that_is_no_export_is_neither_listed_nor_pruned(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    await keep(archive, b"new", f"{EXPORT}.2")
    for name in ("0-notes", "lost+found"):
        (tmp_path / name).mkdir()
    assert await archive.exports() == [f"{EXPORT}.2"]
    assert await archive.prune(14, datetime(2026, 11, 3, tzinfo=UTC)) == []
    assert (tmp_path / "0-notes").is_dir()


async def test_t16_a_full_disk_is_said_when_a_file_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.source.archive.SPARE_BYTES", 1 << 62)
    with pytest.raises(ArchiveFullError, match="make room"):
        await Archive(tmp_path).open(EXPORT, "pets_1.json")


async def test_a_name_never_leaves_the_archive(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="logical"):
        await Archive(tmp_path).open(EXPORT, "../pets_1.json")
