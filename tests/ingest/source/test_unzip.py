"""Zip or plain is decided by content; every broken zip is a broken file, never an empty one."""

from __future__ import annotations

import io
import random
import subprocess
import sys
import zipfile
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest

from ingest.parse.rows import Row, RowFramer, parse
from ingest.source.unzip import unzipped
from petstream.errors import BrokenFileError

ROWS = b"".join(b'{"animalID":"%d","name":"n%d"}\n' % (n, n * 7919) for n in range(4_000))


async def out(
    data: bytes, step: int = 10_000, *, most: int = 10_000_000, ratio: int = 200
) -> bytes:
    """Return what comes out of a file that arrives in chunks."""

    async def chunks() -> AsyncGenerator[bytes, None]:
        for begin in range(0, len(data), step):
            yield data[begin : begin + step]

    async with aclosing(unzipped(chunks(), max_output_bytes=most, max_ratio=ratio)) as unpacked:
        return b"".join([chunk async for chunk in unpacked])


def zipped(*members: tuple[str, bytes], zip64: bool = False) -> bytes:
    """Return a zip of these members."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            with archive.open(name, "w", force_zip64=zip64) as member:
                member.write(data)
    return made.getvalue()


@pytest.mark.parametrize("step", [1, 7, 10_000])
async def test_plain_bytes_pass_through(step: int) -> None:
    assert await out(b"PK is not a zip\n", step) == b"PK is not a zip\n"
    assert await out(b"", step) == b""


@pytest.mark.parametrize("step", [3, 1_000, 10_000_000])
async def test_the_member_of_a_zip_comes_out_whole(step: int) -> None:
    small = zipped(("Ab3dEf9h_pets_1.json", ROWS[:3_000]))
    assert await out(small, step) == ROWS[:3_000]


async def test_zip64_and_other_members_beside_it_are_fine() -> None:
    assert await out(zipped(("pets_1.json", ROWS), zip64=True)) == ROWS
    assert await out(zipped(("readme.txt", b"hi"), ("pets_1.json", ROWS))) == ROWS


async def test_data_after_the_end_changes_nothing() -> None:
    assert await out(zipped(("pets_1.json", ROWS)) + b"more") == ROWS


def broken() -> dict[str, bytes]:
    """Return the zoo, by name."""
    whole = zipped(("pets_1.json", ROWS))
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    return {
        "cut in half": whole[: len(whole) // 2],
        "cut in its head": whole[:20],
        "damaged": bytes(damaged),
        "without its directory": whole[: whole.rindex(b"PK\x01\x02")],
        "empty": zipped(),
        "two files of an export": zipped(("pets_1.json", ROWS), ("pets_2.json", ROWS)),
        "no file of an export": zipped(("readme.txt", ROWS)),
        "a traversing name": zipped(("../pets_1.json", ROWS)),
        "an absolute name": zipped(("/etc/pets_1.json", ROWS)),
        "a zip in a zip": zipped(("pets_1.zip", whole)),
        "packed by Deflate64, and damaged": whole.replace(
            b"PK\x03\x04\x14\x00\x00\x00\x08", b"PK\x03\x04\x14\x00\x00\x00\x09", 1
        ).replace(b"pets_1.json", b"pets_1.json\xff", 1),
        "encrypted": whole.replace(b"PK\x03\x04\x14\x00\x00\x00", b"PK\x03\x04\x14\x00\x01\x00", 1),
    }


async def test_t9_whatever_deflate64_makes_of_bytes_is_a_broken_file() -> None:
    """T9: found by fuzzing: its reader raises errors of three kinds, which were called a bug."""
    head = b"PK\x03\x04\x14\x00\x00\x00\x09\x00" + bytes(16) + b"\x0b\x00\x00\x00pets_1.json"
    rng = random.Random(64)  # noqa: S311  bytes, no secret
    for size in range(1, 300):
        with pytest.raises(BrokenFileError):
            await out(head + rng.randbytes(size))


@pytest.mark.parametrize("name", sorted(broken()))
async def test_a_broken_zip_is_a_broken_file(name: str) -> None:
    with pytest.raises(BrokenFileError):
        await out(broken()[name])


async def test_t9_a_small_zip_cut_anywhere_is_broken() -> None:
    """T9: cut at every byte, also inside its directory and its end: never taken for whole."""
    whole = zipped(("pets_1.json", ROWS[:2_000]))
    commented = whole[:-2] + b"\x09\x00a comment"
    assert await out(commented) == ROWS[:2_000]
    assert await out(commented + b"behind") == ROWS[:2_000]
    for end in range(4, len(commented)):
        with pytest.raises(BrokenFileError):
            await out(commented[:end])


async def test_t9_a_stored_member_and_one_with_its_size_behind_it_come_out_whole() -> None:
    """T9: method 0; a data descriptor, as a writer makes that can't go back."""
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("pets_1.json", ROWS)
    assert await out(stored.getvalue(), 1_000) == ROWS

    class OneWay(io.BytesIO):
        """A file that can't go back."""

        def seekable(self) -> bool:
            """It can't."""
            return False

        def seek(self, *_: int) -> int:
            """It can't."""
            raise OSError("one way")

    one_way = OneWay()
    with zipfile.ZipFile(one_way, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pets_1.json", ROWS)
    assert b"PK\x07\x08" in one_way.getvalue(), "its size stands behind it"
    assert await out(one_way.getvalue(), 1_000) == ROWS


async def test_t9_a_symbolic_link_is_bytes_like_any_other(tmp_path: Path) -> None:
    """T9: what it points to is neither read nor made."""
    link = zipfile.ZipInfo("pets_1.json")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(link, str(tmp_path / "elsewhere"))
    assert await out(made.getvalue()) == str(tmp_path / "elsewhere").encode()
    assert list(tmp_path.iterdir()) == []


async def test_t9_bytes_before_a_zip_make_it_no_zip() -> None:
    """T9: decided by content: rows are looked for in it, and none are found."""
    strange = b"junk\n" + zipped(("pets_1.json", ROWS))
    assert await out(strange) == strange
    framer = RowFramer()
    rows = [*framer.feed(strange), *framer.finish()]
    parsed = parse([row for row in rows if isinstance(row, Row)])
    assert not [row for row in parsed if isinstance(row, dict)]


async def test_t9_a_zip_is_read_to_the_transfers_end() -> None:
    """T9: the transfer's own last check comes after the last byte, also behind the zip's end."""
    ended = False

    async def chunks() -> AsyncGenerator[bytes, None]:
        nonlocal ended
        yield zipped(("pets_1.json", ROWS))
        yield b"more"
        ended = True

    async with aclosing(unzipped(chunks(), max_output_bytes=10**7, max_ratio=200)) as unpacked:
        assert b"".join([chunk async for chunk in unpacked]) == ROWS
    assert ended


_BOMB = """
import asyncio, io, zipfile
from petstream.errors import BrokenFileError
from ingest.source.unzip import unzipped
made = io.BytesIO()
with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
    with archive.open("pets_1.json", "w") as member:
        for _ in range(210):
            member.write(bytes(1_000_000))
data = made.getvalue()
assert len(data) < 250_000
def most_kb():  # not ru_maxrss: that counts what whoever started us held as well
    return int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
before = most_kb()
async def main(ratio, most):
    async def chunks():
        for begin in range(0, len(data), 10_000):
            yield data[begin:begin + 10_000]
    out = 0
    try:
        async for chunk in unzipped(chunks(), max_output_bytes=most, max_ratio=ratio):
            out += len(chunk)
    except BrokenFileError as error:
        print("broken", error)
    else:
        print("whole", out)
asyncio.run(main(200, 1 << 32))
asyncio.run(main(1 << 20, 1 << 32))
asyncio.run(main(1 << 20, 100_000_000))
assert most_kb() - before < 40_000, "kB more"
"""


def test_t8_200_kb_that_become_210_mb_are_broken_and_cost_no_memory() -> None:
    """T8: stopped by ratio or size; and where neither is reached, memory stays flat."""
    done = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-c", _BOMB], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["broken", "whole", "broken"]


async def test_a_bomb_is_stopped_by_its_ratio_and_by_its_size() -> None:
    bomb = zipped(("pets_1.json", b"\0" * 50_000_000))
    assert len(bomb) < 60_000
    with pytest.raises(BrokenFileError, match="bomb"):
        await out(bomb, most=1_000_000_000)
    with pytest.raises(BrokenFileError, match="larger"):
        await out(bomb, ratio=1_000_000)


@pytest.mark.parametrize(
    "names",
    [
        ("export/pets_1.json",), ("a/b/c/Ab3dEf9h_pets_1.json",), ("export\\pets_1.json",),
        ("./pets_1.json",), ("export/", "export/pets_1.json"), ("Export/PETS_1.JSON",),
        ("__MACOSX/._pets_1.json", "pets_1.json"), ("export/readme.txt", "export/pets_1.json"),
    ],
)  # fmt: skip
async def test_f12_a_member_in_a_folder_is_known_by_its_own_name(names: tuple[str, ...]) -> None:
    """F12: whatever lies beside it, as long as it's one file of an export."""
    members = ((name, ROWS if name.lower().endswith("pets_1.json") and "._" not in name else b"")
               for name in names)  # fmt: skip
    assert await out(zipped(*members)) == ROWS


@pytest.mark.parametrize(
    "names",
    [
        ("../pets_1.json",), ("a/../pets_1.json",), ("/pets_1.json",), ("C:/pets_1.json",),
        ("C:\\pets_1.json",), ("a//pets_1.json",), ("pets_1.json/",), ("a/b/readme.txt",),
        ("pets_1.json", "old/pets_1.json"), ("a/orgs_1.json", "b/pets_1.json"),
    ],
)  # fmt: skip
async def test_f12_a_folder_that_climbs_or_several_files_of_an_export_are_refused(
    names: tuple[str, ...],
) -> None:
    """F12, T9."""
    with pytest.raises(BrokenFileError):
        await out(zipped(*((name, ROWS) for name in names)))
