"""Thumbnails, and the processes that make them."""

from __future__ import annotations

import asyncio
import io
import os
import struct
import zlib
from pathlib import Path

import pytest
from drawn_pictures import drawn_picture
from odd_pngs import chunk
from PIL import Image

from consumers.pictures import thumbnails
from consumers.pictures.retry_policy import RefusedPictureError
from consumers.pictures.sniff import sniff
from consumers.pictures.thumbnails import thumbnailer

ROOT = Path(__file__).parents[3]
GPS = 0x8825
ORIENTATION = 0x0112


async def test_t33_thumbnails_are_turned_and_say_nothing_of_where_they_were_taken() -> None:
    """T33: decoded in a process of its own; EXIF applied, then dropped."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be turned by 90 degrees
    exif.get_ifd(GPS)[1] = "N"
    original = drawn_picture(exif=exif, comment=b"Rex at home")
    assert b"Exif" in original
    async with thumbnailer() as processes:
        made = await processes.make(original, (20, 1_000))
    images = [Image.open(io.BytesIO(data)) for data in made]
    assert [image.size for image in images] == [(13, 20), (40, 60)]
    assert all(image.format == "JPEG" and not image.getexif() for image in images)
    assert all(b"Exif" not in data and b"Rex" not in data for data in made)
    red = images[1].convert("RGB").getpixel((20, 10))
    assert isinstance(red, tuple)
    assert red[0] > 200
    assert red[1] < 100  # the left half is on top now


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="an environment is looked at in /proc")
async def test_s3_what_decodes_strangers_pictures_has_nothing_to_steal_in_its_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S3: nor does it import what lies where the consumer was begun."""
    monkeypatch.setenv("PETSTREAM_DATABASE_URL", "postgresql://me:canary@127.0.0.1/pets")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    async with thumbnailer() as processes:
        await processes.make(drawn_picture(), (20,))
        (decoder,) = (
            process
            for process in Path("/proc").glob("[0-9]*")
            if b"thumbnail_process" in _read(process / "cmdline")
            and f"\nPPid:\t{os.getpid()}\n".encode() in _read(process / "status")
        )
        environment = _read(decoder / "environ").split(b"\0")
        command = _read(decoder / "cmdline").split(b"\0")
    names = {variable.partition(b"=")[0] for variable in environment} - {b""}
    assert names <= {b"PYTHONPATH", b"LC_CTYPE"}
    assert b"-P" in command


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # it has just ended
        return b""


async def test_t33_a_picture_that_fells_its_process_fells_nothing_else() -> None:
    """T33: bombs, and scans that stop early, are refused; the next picture is made all the same."""
    noise = Image.frombytes("RGB", (300, 300), os.urandom(270_000))
    file = io.BytesIO()
    noise.save(file, "JPEG")
    cut = file.getvalue()[: len(file.getvalue()) // 2]
    bomb = drawn_picture("PNG").replace(
        struct.pack(">II", 60, 40), struct.pack(">II", 60_000, 60_000)
    )
    async with thumbnailer() as processes:
        for bad in (cut, bomb, b"\xff\xd8\xff\xe0 nothing"):
            with pytest.raises(RefusedPictureError, match=r"undecodable|truncated|memory"):
                await processes.make(bad, (320,))
        for kind in ("JPEG", "PNG", "GIF", "WEBP"):
            (made,) = await processes.make(drawn_picture(kind), (30,))
            assert Image.open(io.BytesIO(made)).size == (30, 20)
    async with thumbnailer(deadline_s=0.001) as late:
        with pytest.raises(RefusedPictureError, match="decoding-late"):
            await late.make(drawn_picture(), (30,))


async def test_t33_the_largest_pictures_there_may_be_fit_into_the_memory_of_the_process() -> None:
    """T33: 64 million pixels of a few bytes are made small, or refused; they take nothing down."""
    file = io.BytesIO()
    Image.new("RGBA", (8_000, 8_000), (255, 0, 0, 128)).save(file, "PNG")
    assert len(file.getvalue()) < 2_000_000
    assert sniff(file.getvalue()).width == 8_000
    async with thumbnailer() as processes:
        (made,) = await processes.make(file.getvalue(), (30,))
    red = Image.open(io.BytesIO(made)).convert("RGB").getpixel((15, 15))
    assert isinstance(red, tuple)
    assert red[0] > 240  # on white
    assert 100 < red[1] < 150


async def test_t33_more_pixels_than_a_picture_has_are_not_even_tried() -> None:
    """T33: 256 million of them are 40 kB of PNG; who looked at its head may have been misled."""
    head = struct.pack(">IIBBBBB", 16_000, 16_000, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(16_000 * (1 + 16_000 // 8)))
    chunks = chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND")
    async with thumbnailer() as processes:
        with pytest.raises(RefusedPictureError, match="undecodable"):
            await processes.make(b"\x89PNG\r\n\x1a\n" + chunks, (30,))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
async def test_pictures_of_every_mode_are_made_small(mode: str) -> None:
    file = io.BytesIO()
    Image.new(mode, (64, 32)).save(file, "JPEG" if mode == "CMYK" else "PNG")
    async with thumbnailer() as processes:
        (made,) = await processes.make(file.getvalue(), (16,))
    assert Image.open(io.BytesIO(made)).size == (16, 8)


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "PPM", "ICO"])
async def test_t33_no_other_format_is_decoded(kind: str) -> None:
    """T33: the more decoders, the more to go wrong; these four are what the feed has."""
    file = io.BytesIO()
    Image.new("RGB", (32, 32)).save(file, kind)
    async with thumbnailer() as processes:
        with pytest.raises(RefusedPictureError, match="undecodable"):
            await processes.make(file.getvalue(), (16,))


async def test_t33_after_a_process_died_the_next_picture_gets_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """T33: killed by the system for its memory, for instance."""
    started = thumbnails._start  # noqa: SLF001  where a process comes from

    async def doomed() -> asyncio.subprocess.Process:
        process = await started()
        process.kill()
        return process

    async with thumbnailer() as processes:
        monkeypatch.setattr(thumbnails, "_start", doomed)
        with pytest.raises(RefusedPictureError, match="decoding-died"):
            await processes.make(drawn_picture(), (30,))
        monkeypatch.setattr(thumbnails, "_start", started)
        assert len(await processes.make(drawn_picture(), (30,))) == 1
