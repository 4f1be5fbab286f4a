"""A file is whole or broken, and its name and what is wrong are said."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.source import reader
from ingest.source.archive import Archive
from ingest.source.listing import Part, RemoteFile
from petstream.errors import BrokenFileError
from petstream.settings import FtpUrl

PART = Part("pets", 1, RemoteFile("Ab3dEf9h_pets_1.json", 1, datetime(2026, 11, 2, tzinfo=UTC)))
ROW = b'{"animalID":"1","name":"Biscuit"}\n'


async def read(monkeypatch: pytest.MonkeyPatch, data: bytes, directory: Path) -> int:
    """Read a file of these bytes; return how many rows came."""

    async def stream(*_: Any) -> AsyncGenerator[bytes, None]:
        yield data

    monkeypatch.setattr(reader, "stream", stream)
    ftp = FtpUrl("apikey-Ab3dEf9h", "secret", "localhost", 21, "", tls=False)
    from_wire = reader.from_ftp(ftp)
    export = reader.Reader(from_wire, Archive(directory), "2026-11-02T08:00:01Z", print)
    async with aclosing(export):
        return sum([len(batch) async for batch in export.rows(PART)])


@pytest.mark.parametrize("end", range(1, len(ROW) - 1))
async def test_t19_a_file_whose_last_row_is_cut_is_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, end: int
) -> None:
    """T19, T1: cut anywhere in its last row; named without the key."""
    with pytest.raises(BrokenFileError, match=r"^pets_1\.json is cut") as caught:
        await read(monkeypatch, ROW * 3 + ROW[:end], tmp_path)
    assert "Ab3dEf9h" not in str(caught.value)


async def test_t19_a_last_row_without_its_line_end_is_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """T19: the end of the line isn't part of the row; the archive's name holds no key (T27)."""
    assert await read(monkeypatch, (ROW * 3).strip(), tmp_path) == 3
    names = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(names) == ["pets_1.json.zst", "pets_1.json.zst.xxh128"]


async def test_t18_an_array_that_goes_on_behind_its_end_is_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """T18: its brackets don't match, so rows behind them were lost in silence."""
    for behind in (b'{"animalID":"2"}]', b"\n<b>Warning</b>"):
        with pytest.raises(BrokenFileError, match=r"^pets_1\.json is broken: .* row 1\)") as caught:
            await read(monkeypatch, b"[" + ROW.strip() + b"]" + behind, tmp_path)
        assert "Ab3dEf9h" not in str(caught.value)
    assert await read(monkeypatch, b"[" + ROW.strip() + b"]\r\n", tmp_path) == 1


async def test_t9_a_broken_zip_is_named_and_leaves_nothing_in_the_archive(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """T9: broken, not completed, named."""
    with pytest.raises(BrokenFileError, match=r"^pets_1\.json is broken: the zip"):
        await read(monkeypatch, b"PK\x03\x04" + bytes(40), tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_a_petlist_of_any_size_is_not_kept_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def stream(*_args: Any) -> AsyncGenerator[bytes, None]:
        for _ in range(100):
            yield b"22611034\n"

    monkeypatch.setattr(reader, "stream", stream)
    from_wire = reader.from_ftp(FtpUrl("apikey", "secret", "localhost", 21, "", tls=False))
    petlist = Part("petlist", 0, PART.remote)
    export = reader.Reader(from_wire, None, "2026-11-02T08:00:01Z", print)
    assert len(await export.whole(petlist, most_bytes=900)) == 900
    with pytest.raises(BrokenFileError, match=r"^petlist\.csv is larger than 899 bytes"):
        await export.whole(petlist, most_bytes=899)


async def test_how_far_all_files_are_is_said_and_never_more_than_there_is() -> None:
    reports: list[tuple[int, int]] = []
    meter = reader.ByteMeter(10, lambda done, total: reports.append((done, total)))

    async def file(*chunks: bytes) -> AsyncGenerator[bytes, None]:
        for chunk in chunks:
            yield chunk

    assert [chunk async for chunk in meter.counted(file(b"1234", b"56"))] == [b"1234", b"56"]
    assert [chunk async for chunk in meter.counted(file(b"7890", b"read again"))]
    assert reports == [(4, 10), (6, 10), (10, 10), (20, 20)]
