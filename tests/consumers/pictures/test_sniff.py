"""Pictures without a server: what bytes are, where they may come from, when to try again."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import struct
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from consumers.pictures.retry_policy import MISSES, RefusedPictureError, retry_after_s, verdict
from consumers.pictures.sniff import sniffed
from consumers.pictures.store import SHARDS, DirectoryStore, key_of
from consumers.pictures.thumbnails import thumbnailer
from consumers.pictures.url_policy import checked_url, is_public

NOBODY: frozenset[str] = frozenset()
GPS = 0x8825
ORIENTATION = 0x0112


def drawn(kind: str = "JPEG", width: int = 60, height: int = 40, **options: object) -> bytes:
    image = Image.new("RGB", (width, height), "white")
    image.paste("red", (0, 0, width // 2, height))
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def refused(data: bytes) -> str:
    with pytest.raises(RefusedPictureError) as error:
        sniffed(data)
    return error.value.reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_t33_four_types_are_known_by_their_bytes(kind: str) -> None:
    """T33: sniffed, with the dimensions of the header."""
    assert sniffed(drawn(kind)) == (f"image/{kind.lower()}", 60, 40)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_t33_a_picture_cut_anywhere_is_refused(kind: str) -> None:
    """T33: truncated; no cut passes, and none raises anything else."""
    whole = drawn(kind)
    for cut in range(1, len(whole) - 1):
        with pytest.raises(RefusedPictureError):
            sniffed(whole[:cut])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>no such picture</body></html>", "markup"),
        (b"\xef\xbb\xbf\n <svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>", "markup"),
        (b"<?xml version='1.0'?><svg/>", "markup"),
        (b"%PDF-1.7\n", "not-a-picture"),
        (b"BM" + bytes(60), "not-a-picture"),
        (b'{"error":"no such key"}', "not-a-picture"),
    ],
)
def test_t33_what_is_no_picture_is_refused_by_name(data: bytes, reason: str) -> None:
    """T33: HTML with 200, SVG and the like."""
    assert refused(data) == reason


def huge(kind: str) -> bytes:
    side = 30_000
    if kind == "PNG":
        return drawn("PNG").replace(struct.pack(">II", 60, 40), struct.pack(">II", side, side))
    if kind == "GIF":
        return drawn("GIF").replace(struct.pack("<HH", 60, 40), struct.pack("<HH", side, side), 1)
    return drawn().replace(struct.pack(">HH", 40, 60), struct.pack(">HH", side, side))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_t33_more_pixels_than_the_cap_are_refused_from_the_header(kind: str) -> None:
    """T33: 30,000 x 30,000."""
    assert refused(huge(kind)) == "too-many-pixels"


def test_t33_a_picture_that_is_something_else_as_well_is_refused() -> None:
    """T33: polyglots."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("a.html", "hello")
    assert refused(drawn() + archive.getvalue()) == "polyglot"
    assert refused(drawn("GIF") + b"/*<script>alert(1)</script>*/") == "polyglot"
    assert refused(drawn("PNG") + b"more") == "polyglot"
    assert refused(drawn(comment=b"<script>alert(1)</script>")) == "polyglot"
    assert refused(drawn(comment=b"<?php system('x');")) == "polyglot"


PRIVATE = """127.0.0.1 127.8.9.1 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0
    192.0.0.8 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 ::1 :: fe80::1 fe80::1%eth0 fc00::1
    fd12::1 ff02::1 fec0::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::127.0.0.1 64:ff9b::7f00:1
    2002:7f00:1:: 2001:0:7f00:1::1 2001:db8::1 localhost x"""


@pytest.mark.parametrize("address", PRIVATE.split())
def test_t30_no_address_but_a_public_one_is_connected_to(address: str) -> None:
    """T30: private, loopback, link-local, CGNAT, ULA, mapped."""
    assert not is_public(address)


def test_t30_public_addresses_are() -> None:
    """T30, the other side."""
    assert is_public("93.184.216.34")
    assert is_public("2606:4700::6810:84e5")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://a.example/1.jpg", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("data:image/png;base64,AA", "scheme"),
        ("//a.example/1.jpg", "scheme"),
        ("1.jpg", "scheme"),
        ("http://me:secret@a.example/1.jpg", "user-in-url"),
        ("http://me@a.example/1.jpg", "user-in-url"),
        ("http://@a.example/1.jpg", "user-in-url"),
        ("http://a.example:22/1.jpg", "port"),
        ("http://a.example:443/1.jpg", "port"),
        ("https://a.example:80/1.jpg", "port"),
        ("http://a.example:99999/1.jpg", "bad-url"),
        ("http://a.example\\@b.example/1.jpg", "bad-url"),
        ("http://a.example/1.jpg\r\nX: y", "bad-url"),
        ("http://[::1/1.jpg", "bad-url"),
        ("http:///1.jpg", "bad-url"),
        ("http://a.example/" + "x" * 5_000, "bad-url"),
    ],
)
def test_t30_a_url_of_any_other_kind_is_refused(url: str, reason: str) -> None:
    """T30: other schemes and ports, user:pass@."""
    with pytest.raises(RefusedPictureError) as error:
        checked_url(url, NOBODY, NOBODY)
    assert error.value.reason == reason


def test_t30_a_list_of_hosts_is_kept_to() -> None:
    """T30: the optional allow-list, and the explicit setting for a host of one's own."""
    allowed = frozenset({"cdn.example"})
    assert checked_url("https://CDN.example./1.jpg", allowed, NOBODY).port == 443
    with pytest.raises(RefusedPictureError, match="host-not-allowed"):
        checked_url("https://cdn.example.evil.example/1.jpg", allowed, NOBODY)
    trusted = frozenset({"127.0.0.1:8080"})
    assert checked_url("http://127.0.0.1:8080/1.jpg", allowed, trusted).port == 8080
    with pytest.raises(RefusedPictureError, match="port"):
        checked_url("http://127.0.0.1:8081/1.jpg", NOBODY, trusted)


def test_t35_a_picture_is_gone_when_its_host_said_so_three_times_days_apart() -> None:
    """T35: 404 and 410."""
    missing = RefusedPictureError("http-404", "missing")
    first, second = verdict(missing, 1, 0), verdict(missing, 2, 1)
    assert (first.status, first.misses, second.status) == ("due", 1, "due")
    assert min(first.wait_s or 0, second.wait_s or 0) > 20 * 3_600
    assert verdict(missing, 3, MISSES - 1) == ("gone", MISSES, None)


def test_t35_trouble_is_tried_again_ever_more_seldom_and_as_the_host_says() -> None:
    """T35: 429, 5xx, timeouts: jittered backoff, Retry-After."""
    trouble = RefusedPictureError("http-503", "trouble")
    waits = [verdict(trouble, tries, 0).wait_s or 0 for tries in (1, 5, 20)]
    assert 50 < waits[0] < 80 < waits[1] < 1_300 < waits[2] < 120_000
    asked = verdict(RefusedPictureError("http-429", "trouble", 7_200.0), 1, 0)
    assert asked.status == "due"
    assert (asked.wait_s or 0) >= 7_200
    assert len({verdict(RefusedPictureError("x", "trouble"), 3, 0).wait_s for _ in range(9)}) > 1
    assert verdict(RefusedPictureError("x", "trouble"), 30, 0) == ("failed", 0, None)
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


def test_content_that_is_refused_is_tried_again_for_three_days_and_an_address_never() -> None:
    refusal = RefusedPictureError("markup", "content")
    assert verdict(refusal, 1, 0).wait_s
    assert verdict(refusal, 3, 0) == ("failed", 0, None)
    assert verdict(RefusedPictureError("address-refused"), 1, 0) == ("failed", 0, None)


async def test_t33_thumbnails_are_turned_and_say_nothing_of_where_they_were_taken() -> None:
    """T33: decoded in a process of its own; EXIF applied, then dropped."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # to be turned by 90 degrees
    exif.get_ifd(GPS)[1] = "N"
    original = drawn(exif=exif, comment=b"Rex at home")
    assert b"Exif" in original
    async with thumbnailer() as small:
        found = await small.make(original, (20, 1_000))
    images = [Image.open(io.BytesIO(one)) for one in found]
    assert [image.size for image in images] == [(13, 20), (40, 60)]
    assert all(image.format == "JPEG" and not image.getexif() for image in images)
    assert all(b"Exif" not in one and b"Rex" not in one for one in found)
    red = images[1].convert("RGB").getpixel((20, 10))
    assert isinstance(red, tuple)
    assert red[0] > 200
    assert red[1] < 100  # the left half is on top now


async def test_t33_a_picture_that_fells_its_process_fells_nothing_else() -> None:
    """T33: bombs, and scans that stop early, are refused; the next picture is made all the same."""
    noise = Image.frombytes("RGB", (300, 300), os.urandom(270_000))
    file = io.BytesIO()
    noise.save(file, "JPEG")
    cut = file.getvalue()[: len(file.getvalue()) // 2]
    bomb = drawn("PNG").replace(struct.pack(">II", 60, 40), struct.pack(">II", 60_000, 60_000))
    async with thumbnailer() as small:
        for bad in (cut, bomb, b"\xff\xd8\xff\xe0 nothing"):
            with pytest.raises(RefusedPictureError, match=r"undecodable|memory"):
                await small.make(bad, (320,))
        for kind in ("JPEG", "PNG", "GIF", "WEBP"):
            (made,) = await small.make(drawn(kind), (30,))
            assert Image.open(io.BytesIO(made)).size == (30, 20)
    async with thumbnailer(deadline_s=0.001) as late:
        with pytest.raises(RefusedPictureError, match="decoding-late"):
            await late.make(drawn(), (30,))


async def test_t34_t37_a_store_keeps_whole_files_under_names_of_its_own(tmp_path: Path) -> None:
    """T34: a content address only. T37: a file is whole or not there; leftovers go."""
    store = DirectoryStore(tmp_path / "store")
    data = drawn()
    key = key_of(hashlib.sha256(data).hexdigest(), "jpg")
    await asyncio.gather(*(store.put(key, data) for _ in range(5)))
    assert await store.get(key) == data
    assert [path.name for path in (tmp_path / "store").rglob("*") if path.is_file()] == [
        key.rpartition("/")[2]
    ]
    left = tmp_path / "store" / f"{key}.0000.part"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    kept = [one.key for shard in SHARDS async for one in store.kept(shard)]
    assert kept == [key]
    assert not left.exists()
    await store.drop(key)
    await store.drop(key)
    assert not await store.has(key)
    for bad in ("../../etc/passwd", "/etc/passwd", f"{key}/../x", "ab/cd/x.jpg", ""):
        with pytest.raises(ValueError, match="not a key"):
            await store.put(bad, b"x")


async def test_t33_the_largest_pictures_there_may_be_fit_into_the_memory_of_the_process() -> None:
    """T33: 64 million pixels of a few bytes are made small, or refused; they take nothing down."""
    file = io.BytesIO()
    Image.new("RGBA", (8_000, 8_000), (255, 0, 0, 128)).save(file, "PNG")
    assert len(file.getvalue()) < 2_000_000
    assert sniffed(file.getvalue()).width == 8_000
    async with thumbnailer() as small:
        (made,) = await small.make(file.getvalue(), (30,))
    red = Image.open(io.BytesIO(made)).convert("RGB").getpixel((15, 15))
    assert isinstance(red, tuple)
    assert red[0] > 240  # on white
    assert 100 < red[1] < 150


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
async def test_pictures_of_every_mode_are_made_small(mode: str) -> None:
    file = io.BytesIO()
    Image.new(mode, (64, 32)).save(file, "JPEG" if mode == "CMYK" else "PNG")
    async with thumbnailer() as small:
        (made,) = await small.make(file.getvalue(), (16,))
    assert Image.open(io.BytesIO(made)).size == (16, 8)
