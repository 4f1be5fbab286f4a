"""Files that are no pictures, or not whole, or something else as well: each with its reason."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from typing import Final

from odd_gifs_and_webps import blocks, gif, riff, webp
from odd_jpegs import jpeg, segment, with_segments
from odd_pngs import GREY, PALETTE, chunk, png
from PIL import Image
from seen import scene

from consumers.pictures.formats.png import MAGIC

Bad = tuple[str, bytes, str]

_SCRIPT: Final = b"<script>alert(1)</script>"
_PDF: Final = b"%PDF-1.7\n1 0 obj"


def archive(comment: bytes = b"") -> bytes:
    """Return a small archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        opened.writestr("a.html", "hello")
        opened.comment = comment
    return file.getvalue()


def bad_pictures() -> Iterator[Bad]:
    """Return each with its name and its reason."""
    yield from _others()
    yield from _sizes()
    yield from _cut()
    yield from _polyglots()
    yield from _broken()


def _others() -> Iterator[Bad]:
    box = b"\0\0\0\x18ftyp"
    files = {
        "nothing": (b"", "empty"),
        "a page": (b"<!DOCTYPE html><html><body>no such picture</body></html>", "markup"),
        "a page after blanks": (b"\r\n\t <html>", "markup"),
        "a drawing in SVG": (b"\xef\xbb\xbf<svg xmlns='http://www.w3.org/2000/svg'/>", "markup"),
        "an error in XML": (
            b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>",
            "markup",
        ),
        "an error in JSON": (b'{"error":"no such key"}', "not-a-picture"),
        "HEIC": (box + b"heic\0\0\0\0mif1heic", "not-a-picture"),
        "AVIF": (box + b"avif\0\0\0\0avifmif1", "not-a-picture"),
        "JPEG XL": (b"\xff\x0a" + bytes(60), "not-a-picture"),
        "JPEG 2000": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60), "not-a-picture"),
        "BMP": (b"BM" + bytes(60), "not-a-picture"),
        "TIFF": (b"II*\0" + bytes(60), "not-a-picture"),
        "ICO": (b"\0\0\1\0\1\0" + bytes(60), "not-a-picture"),
        "PDF": (_PDF, "not-a-picture"),
        "a film": (box + b"mp42\0\0\0\0mp42isom", "not-a-picture"),
        "sound": (b"RIFF\x24\0\0\0WAVEfmt ", "not-a-picture"),
        "a RIFF of nothing": (b"RIFF\x10\0\0\0WEBPpuPy" + bytes(8), "not-a-picture"),
        "zeros": (bytes(5_000), "not-a-picture"),
        "a line break before a JPEG": (b"\n" + jpeg(), "not-a-picture"),
        "a PNG of Apple's": (MAGIC + chunk(b"CgBI", bytes(4)) + png(scene())[8:], "not-a-picture"),
    }
    for name, (data, reason) in files.items():
        yield name, data, reason


def _sizes() -> Iterator[Bad]:
    narrow = png(Image.new("L", (1, 1)), GREY)
    for wide, high, reason in (
        (0, 1, "no-pixels"), (1, 0, "no-pixels"), (30_000, 30_000, "too-many-pixels"),
        (16_385, 1, "too-many-pixels"), (8_000, 8_001, "too-many-pixels"),
    ):  # fmt: skip
        size = struct.pack(">IIBBBBB", wide, high, 8, GREY, 0, 0, 0)
        yield f"png, {wide} x {high}", narrow[:8] + chunk(b"IHDR", size) + narrow[33:], reason
        lines = struct.pack(">HH", high, wide)
        yield f"jpeg, {wide} x {high}", jpeg().replace(struct.pack(">HH", 64, 96), lines), reason
    head, rest = blocks(gif())
    wide_image = rest.replace(struct.pack("<HH", 96, 64), struct.pack("<HH", 60_000, 60_000), 1)
    yield "gif, an image larger than its screen may be", head + wide_image, "too-many-pixels"


def _cut() -> Iterator[Bad]:
    fine = jpeg(progressive=True)
    last_scan = fine.rindex(b"\xff\xda")
    small = segment(0xE1, b"Exif\0\0" + jpeg(Image.new("RGB", (16, 16))))
    files = {
        "jpeg, half": jpeg()[: len(jpeg()) * 2 // 3],
        "jpeg, in its tables": jpeg()[:200],
        "jpeg, half, with a whole one in EXIF": with_segments(jpeg()[:-40], small),
        "jpeg, progressive, without its last scan": fine[:last_scan],
        "jpeg, restarts, half": jpeg(restart_marker_blocks=1)[:-300],
        "jpeg, an end without a scan": jpeg()[:20] + b"\xff\xd9",
        "png, half": png(scene())[:120],
        "png, only its head": png(scene())[:33],
        "png, interlaced, half": png(scene(), interlaced=True)[:250],
        "gif, half": gif()[:400],
        "gif, only its head": gif()[:120],
        "gif, animated, in its second image": gif(
            scene(), save_all=True, duration=50,
            append_images=[Image.effect_noise((96, 64), 80).convert("RGB")])[:2_000],
        "webp, half": webp()[:150],
        "webp, lossless, half": webp(lossless=True)[:70],
    }  # fmt: skip
    for name, data in files.items():
        yield name, data, "truncated"


def _polyglots() -> Iterator[Bad]:
    plain = {"jpeg": jpeg(), "png": png(scene()), "gif": gif(), "webp": webp()}
    for kind, data in plain.items():
        yield f"{kind}, a script behind its end", data + b"/*" + _SCRIPT, "polyglot"
        yield f"{kind}, a page behind its end", data + bytes(900) + b"<HTML\n>", "polyglot"
        yield f"{kind}, a program behind its end", data + b"<?php system('x');", "polyglot"
        yield f"{kind}, an archive behind its end", data + archive(), "polyglot"
        yield f"{kind}, an archive with a comment", data + archive(b"none" * 90), "polyglot"
        yield f"{kind}, a document behind its end", data + _PDF, "polyglot"
    head, rest = blocks(gif())
    long = struct.unpack("<I", webp()[16:20])[0]
    pixels = webp()[20 : 20 + long]
    extended = (b"VP8X", b"\4\0\0\0" + b"\x5f\0\0\x3f\0\0")
    for name, text in {
        "a script": _SCRIPT,
        "a drawing": b"<svg/onload=x>",
        "a document": _PDF,
    }.items():
        files = {
            "jpeg, in a comment": with_segments(jpeg(), segment(0xFE, text)),
            "jpeg, in EXIF": with_segments(jpeg(), segment(0xE1, b"Exif\0\0" + text)),
            "jpeg, in XMP": with_segments(jpeg(), segment(0xE1, b"http://ns.adobe.com/\0" + text)),
            "jpeg, between segments": with_segments(jpeg(), segment(0xFE, b""), text),
            "png, in a text": png(scene(), before=[chunk(b"tEXt", b"Title\0" + text)]),
            "png, behind its pixels": png(scene())[:-12] + b"\0\0\0\4lo t" + text,
            "png, in a chunk nobody knows": png(scene(), before=[chunk(b"puPy", text, 7)]),
            "gif, in a comment": head + b"!\xfe" + bytes([len(text)]) + text + b"\0" + rest,
            "gif, in an application's": (
                head + b"!\xff\x0bUNKNOWN 1.0" + bytes([len(text)]) + text + b"\0" + rest),
            "webp, in a chunk nobody knows": riff(extended, (b"puPy", text), (b"VP8 ", pixels)),
        }  # fmt: skip
        for where, data in files.items():
            yield f"{where}: {name}", data, "polyglot"
    spanning = archive(b" " * len(jpeg()))
    yield (
        "jpeg, an archive in a comment, whose comment is the picture",
        with_segments(jpeg(), segment(0xFE, spanning[: -len(jpeg())])).replace(
            struct.pack("<H", len(jpeg())) + jpeg()[2:],
            struct.pack("<H", len(jpeg()) - 2) + jpeg()[2:],
        ),
        "polyglot",
    )


def _broken() -> Iterator[Bad]:
    whole, head = png(scene()), png(scene())[8:33]
    fine = jpeg()
    size = fine.index(b"\xff\xc0")
    head_of_gif, rest = blocks(gif())
    files = {
        "png, its head's checksum is wrong": whole.replace(head, head[:-4] + b"oops"),
        "png, its pixels aren't packed": whole[:33] + chunk(b"IDAT", b"nonsense") + chunk(b"IEND"),
        "png, too few pixels": whole[:33] + png(Image.new("RGB", (9, 9)))[33:],
        "png, of a kind there isn't": whole.replace(
            head, chunk(b"IHDR", head[8:-4][:9] + b"\7" + head[8:-4][10:])),
        "png, without its palette": png(Image.new("P", (9, 9)), PALETTE).replace(
            b"PLTE", b"puPy"),
        "jpeg, of 12 bits": fine[: size + 4] + b"\x0c" + fine[size + 5 :],
        "jpeg, without its depths": fine.replace(b"\xff\xdb", b"\xff\xef"),
        "jpeg, lossless": fine.replace(b"\xff\xc0", b"\xff\xc3"),
        "gif, of words of 200 bits": head_of_gif + rest[:10] + b"\xc8" + rest[11:],
        "webp, its pixels are nonsense": riff((b"VP8 ", webp()[20:30] + b"nonsense" * 9)),
    }  # fmt: skip
    for name, data in files.items():
        yield name, data, "undecodable"
