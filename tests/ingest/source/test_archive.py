"""The archive keeps raw files whole or not at all, gives them back, and notices damage."""

from __future__ import annotations

import errno
import os
import random
import stat
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import xxhash
import zstandard
from scripted_ftp import AT

from ingest.parse.rows import Row
from ingest.source.archive import Archive, ArchiveDamagedError, ArchiveFullError
from ingest.source.listing import Part, RemoteFile
from ingest.source.reader import Reader
from lab.simulator import export_files, history
from petstream.errors import BrokenFileError

EXPORT = "2026-11-02T08:00:01Z"
NAME = "pets_1.json"
MIB = 1024 * 1024


async def kept(archive: Archive, export_id: str = EXPORT, name: str = "pets_1.json") -> bytes:
    """Read a file again."""
    async with aclosing(archive.read(export_id, name)) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def keep(
    archive: Archive, data: bytes, export_id: str = EXPORT, *, step_bytes: int = 1_000
) -> None:
    """Write a file in pieces."""
    writer = await archive.open(export_id, NAME)
    for begin in range(0, len(data), step_bytes):
        await writer.write(data[begin : begin + step_bytes])
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


async def test_s9_an_archive_of_an_earlier_version_is_closed_to_others(tmp_path: Path) -> None:
    """S9: it holds contacts, whatever `PETSTREAM_CONTACTS` says."""
    (tmp_path / "archive").mkdir(mode=0o755)
    await keep(Archive(tmp_path / "archive"), b"{}")
    assert stat.S_IMODE((tmp_path / "archive").stat().st_mode) == 0o700


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


def noise(size_bytes: int) -> bytes:
    """Return bytes that don't shrink."""
    return random.Random(size_bytes).randbytes(size_bytes)  # noqa: S311  no secret


def rows_of_real_size(count: int) -> bytes:
    """Return rows of 8 KB that shrink as real ones do, some six times."""
    letters = random.Random(1)  # noqa: S311  no secret
    texts = [letters.randbytes(620).hex() for _ in range(97)]
    return b"".join(
        b'{"animalID":"%d","description":"%s"}\n' % (n, (texts[n % 97] * 7)[:7_950].encode())
        for n in range(count)
    )


@pytest.mark.parametrize(
    "size_bytes",
    [0, 1, 17, 4_096, 131_071, 131_073, MIB - 1, MIB, MIB + 1, 2 * MIB - 1, 2 * MIB, 2 * MIB + 1,
     5 * MIB + 3, 20 * MIB],
)  # fmt: skip
@pytest.mark.parametrize("step_bytes", [MIB, 65_537])
async def test_f1_a_file_of_any_size_is_read_again_byte_for_byte(
    tmp_path: Path, size_bytes: int, step_bytes: int
) -> None:
    """F1."""
    data = noise(size_bytes)
    await keep(Archive(tmp_path), data, step_bytes=step_bytes)
    assert xxhash.xxh3_128_digest(await kept(Archive(tmp_path))) == xxhash.xxh3_128_digest(data)


async def test_f1_a_part_of_ten_thousand_rows_of_real_size_is_read_again(tmp_path: Path) -> None:
    """F1: 80 MB, which pack to more than the archive reads at once; and 100 MB of one letter."""
    for data in (rows_of_real_size(10_000), b"x" * 100_000_000):
        archive = Archive(tmp_path)
        await keep(archive, data, step_bytes=MIB)
        async with aclosing(archive.read(EXPORT, NAME)) as chunks:
            pieces = [len(chunk) async for chunk in chunks]
        assert max(pieces) <= MIB  # memory: however well it had shrunk
        assert xxhash.xxh3_128_digest(await kept(archive)) == xxhash.xxh3_128_digest(data)


async def test_f1_a_small_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    """F1: every cut."""
    await keep(Archive(tmp_path), noise(700), step_bytes=100)
    (path,) = tmp_path.rglob("*.zst")
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        if cut < len(whole) - 4:  # the last four bytes are zstd's own check sum
            with pytest.raises(BrokenFileError):
                await kept(Archive(tmp_path))


async def test_f1_a_large_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    """F1: cuts of a file of several blocks, at the borders of what is read at once too."""
    await keep(Archive(tmp_path), noise(3 * MIB), step_bytes=MIB)
    (path,) = tmp_path.rglob("*.zst")
    whole = path.read_bytes()
    at = {len(whole) * n // 64 for n in range(64)} | {MIB - 1, MIB, MIB + 1, 2 * MIB}
    for cut in sorted(at):
        path.write_bytes(whole[:cut])
        with pytest.raises(BrokenFileError):
            await kept(Archive(tmp_path))


@pytest.mark.parametrize(
    "form", ["two frames", "a frame for each block", "skippable", "long", "19"]
)
async def test_f1_whatever_packed_it_anew_its_frames_are_read(tmp_path: Path, form: str) -> None:
    """F1: an archive that somebody packed harder, or with another tool."""
    data = noise(MIB) * 3
    await keep(Archive(tmp_path), data, step_bytes=MIB)
    (path,) = tmp_path.rglob("*.zst")
    pack = zstandard.ZstdCompressor(level=3).compress
    skippable = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"notes"
    window = zstandard.ZstdCompressionParameters.from_level(3, window_log=27, enable_ldm=True)
    path.write_bytes(
        {
            "two frames": pack(data[:MIB]) + pack(data[MIB:]),
            "a frame for each block": b"".join(
                pack(data[at : at + 65_536]) for at in range(0, len(data), 65_536)
            ),
            "skippable": skippable + pack(data[:100]) + skippable + pack(data[100:]),
            "long": zstandard.ZstdCompressor(compression_params=window).compress(data),
            "19": zstandard.ZstdCompressor(level=19).compress(data),
        }[form]
    )
    assert await kept(Archive(tmp_path)) == data


async def test_f1_what_the_disk_did_not_keep_is_noticed_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F1: it is read back before it appears under its name."""
    sync = os.fsync

    def forgetful(descriptor: int) -> None:
        sync(descriptor)
        if os.fstat(descriptor).st_size > 200_000:
            os.truncate(descriptor, 150_000)

    monkeypatch.setattr(os, "fsync", forgetful)
    archive = Archive(tmp_path)
    writer = await archive.open(EXPORT, NAME)
    await writer.write(noise(300_000))
    with pytest.raises(ArchiveDamagedError, match="check its disk"):
        await writer.commit()
    await writer.abort()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


async def test_f1_a_file_that_the_archive_cannot_give_back_costs_the_archive_not_the_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F1: reading goes on, and the user is lines once."""
    monkeypatch.setattr("ingest.source.archive._holds", lambda _path, _digest: False)
    files = export_files(history(pets=20, days=1), 0)
    data = next(data for name, data in files.items() if name.endswith("pets_1.json"))

    async def source(_part: Part) -> AsyncGenerator[bytes, None]:
        yield data

    lines: list[str] = []
    reader = Reader(source, Archive(tmp_path), EXPORT, lines.append)
    part = Part("pets", 1, RemoteFile(NAME, len(data), AT))
    rows = 0
    for _ in range(2):
        async for batch in reader.rows(part):
            rows += sum(isinstance(row, Row) for row in batch)
    await reader.settled()
    assert rows == 2 * data.count(b"\n")
    assert len(lines) == 1
    assert "reading goes on without the archive" in lines[0]


async def test_while_a_disk_is_slow_rows_are_read_and_the_archive_is_whole_once_it_is_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next file is read while the one before is read back; nothing is left over at the end."""
    goes_on = threading.Event()
    sync = os.fsync

    def slow(descriptor: int) -> None:
        if not goes_on.wait(30):
            raise OSError(errno.EIO, "nobody reads meanwhile")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    row = b'{"animalID":"1"}\n'
    names = ["pets_1.json", "pets_2.json"]

    async def source(_part: Part) -> AsyncGenerator[bytes, None]:
        yield row * 100

    async with aclosing(Reader(source, Archive(tmp_path), EXPORT, print)) as reader:
        for number in (1, 2):
            part = Part("pets", number, RemoteFile(f"pets_{number}.json", len(row) * 100, AT))
            async with aclosing(reader.rows(part)) as batches:
                assert len(await anext(batches)) == 100  # though nothing is synced so far
                if number == 2:
                    goes_on.set()
                assert [batch async for batch in batches] == []
    assert [await kept(Archive(tmp_path), name=name) for name in names] == [row * 100] * 2
    assert not list(tmp_path.rglob("*.part"))


async def test_t16_a_disk_that_fills_up_while_two_files_are_written_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T16: the file before is still read back when the next one begins."""
    began, goes_on = [], threading.Event()

    def full(path: Path, _digest: bytes) -> bool:
        began.append(path.name)
        goes_on.wait(30)
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("ingest.source.archive._holds", full)

    async def source(_part: Part) -> AsyncGenerator[bytes, None]:
        yield b'{"animalID":"1"}\n'

    lines: list[str] = []
    async with aclosing(Reader(source, Archive(tmp_path), EXPORT, lines.append)) as reader:
        for number in (1, 2):
            part = Part("pets", number, RemoteFile(f"pets_{number}.json", 17, AT))
            async with aclosing(reader.rows(part)) as batches:
                await anext(batches)
                if number == 2:
                    goes_on.set()
                assert [batch async for batch in batches] == []
    assert began == ["pets_1.json.zst.part", "pets_2.json.zst.part"]
    assert len(lines) == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
