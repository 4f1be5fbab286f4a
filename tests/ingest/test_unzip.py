"""Zip or plain is decided by content; every broken zip is a broken file, never an empty one."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from contracts.errors import BrokenFileError
from ingest.unzip import unzipped

ROWS = b"".join(b'{"animalID":"%d","name":"n%d"}\n' % (n, n * 7919) for n in range(4_000))


async def out(
    data: bytes, step: int = 10_000, *, most: int = 10_000_000, ratio: int = 200
) -> bytes:
    """Return what comes out of a file that arrives in chunks."""

    async def chunks() -> AsyncGenerator[bytes, None]:
        for begin in range(0, len(data), step):
            yield data[begin : begin + step]

    async with aclosing(unzipped(chunks(), max_output_bytes=most, max_ratio=ratio)) as found:
        return b"".join([chunk async for chunk in found])


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
        "encrypted": whole.replace(b"PK\x03\x04\x14\x00\x00\x00", b"PK\x03\x04\x14\x00\x01\x00", 1),
    }


@pytest.mark.parametrize("name", sorted(broken()))
async def test_a_broken_zip_is_a_broken_file(name: str) -> None:
    with pytest.raises(BrokenFileError):
        await out(broken()[name])


async def test_a_bomb_is_stopped_by_its_ratio_and_by_its_size() -> None:
    bomb = zipped(("pets_1.json", b"\0" * 50_000_000))
    assert len(bomb) < 60_000
    with pytest.raises(BrokenFileError, match="bomb"):
        await out(bomb, most=1_000_000_000)
    with pytest.raises(BrokenFileError, match="larger"):
        await out(bomb, ratio=1_000_000)
