"""JPEGs as cameras, phones and tools write them."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any, Final

from odd_pngs import MARKUP, TRAILERS, Odd, chunk, png
from odd_profiles import profile
from PIL import Image
from seen import scene

_TURNED: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip
_SHORT: Final = 3
_ADOBE: Final = b"Adobe\0\x64\0\0\0\0"


def jpeg(image: Image.Image | None = None, **options: Any) -> bytes:
    """Draw a JPEG; `options` are those of saving."""
    file = io.BytesIO()
    (image or scene()).save(file, "JPEG", **{"quality": 90} | options)
    return file.getvalue()


def segment(marker: int, content: bytes) -> bytes:
    """Return a segment."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def with_segments(data: bytes, *segments: bytes) -> bytes:
    """Return a JPEG with more segments at its beginning."""
    return data[:2] + b"".join(segments) + data[2:]


def exif(*entries: tuple[int, int, int, bytes], order: str = "<", at: int = 8) -> bytes:
    """Return the EXIF of a directory of (tag, type, count, value)."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at)
    body = b"".join(struct.pack(f"{order}HHI4s", *entry) for entry in entries)
    return head + struct.pack(f"{order}H", len(entries)) + body + bytes(4)


def orientation(turn: int, order: str = "<") -> tuple[int, int, int, bytes]:
    """Return the entry that turns a picture."""
    return (0x0112, _SHORT, 1, struct.pack(f"{order}H", turn) + bytes(2))


def turned(turn: int) -> Image.Image:
    """Return the drawing as a viewer shows it."""
    return scene().transpose(_TURNED[turn]) if turn in _TURNED else scene()


GOOD_EXIF: Final = {
    **{f"turned {turn}": (exif(orientation(turn)), turn) for turn in range(1, 9)},
    "turned 6, big-endian": (exif(orientation(6, ">"), order=">"), 6),
    "turned 8, as a long": (exif((0x0112, 4, 1, struct.pack("<I", 8))), 8),
    "turned 6, with two beginnings": (b"Exif\0\0" + exif(orientation(6)), 6),
    "turned 3, twice": (exif(orientation(3), orientation(6)), 3),
    "turned 6, behind a date beyond the block": (
        exif((0x0132, 2, 20, struct.pack("<I", 60_000)), orientation(6)), 6),
    "turned 6, with a place that is cut": (
        exif(orientation(6), (0x8825, 4, 1, struct.pack("<I", 999_999))), 6),
    "turned 6, a directory that follows itself": (
        exif(orientation(6))[:-4] + struct.pack("<I", 8), 6),
}  # fmt: skip
"""Blocks of EXIF, and the turn that they give."""

_MAKER_AS_NUMBER: Final = (0x010F, 5, 1, struct.pack("<I", 0x26))
_RESOLUTION_AS_TEXT: Final = (0x011A, 2, 4, b"high")
BAD_EXIF: Final = {
    "nothing": b"",
    "words": b"no EXIF here, just words",
    "of another order": b"XX*\0" + exif(orientation(6))[4:],
    "of another number": b"II+\0" + exif(orientation(6))[4:],
    "cut in its head": exif(orientation(6))[:6],
    "cut in an entry": exif(orientation(6))[:14],
    "a directory beyond the block": exif(orientation(6), at=70_000),
    "65,535 entries, and one there": (
        exif(orientation(1))[:8] + b"\xff\xff" + exif(orientation(1))[10:]),
    "turned 0": exif(orientation(0)),
    "turned 9": exif(orientation(9)),
    "turned 6,000": exif(orientation(6_000)),
    "turned as text": exif((0x0112, 2, 2, b"6\0\0\0")),
    "turned as a fraction": exif((0x0112, 5, 1, struct.pack("<I", 8))),
    "turned as nothing": exif((0x0112, 3, 0, b"\6\0\0\0")),
    "turned as two": exif((0x0112, 3, 2, b"\6\0\6\0")),
    "turned by a type nobody knows": exif((0x0112, 99, 1, b"\6\0\0\0")),
    "a maker in numbers": exif(orientation(6), _MAKER_AS_NUMBER),
    "a maker in numbers first": exif(_MAKER_AS_NUMBER, orientation(6)),
    "a resolution in words": exif(orientation(6), _RESOLUTION_AS_TEXT),
}  # fmt: skip
"""Blocks of EXIF that can't be read, or mean nothing: they turn nothing."""


def _kinds() -> Iterator[Odd]:
    yield "jpeg, 4:4:4", jpeg(subsampling=0), scene()
    yield "jpeg, 4:2:2", jpeg(subsampling=1), scene()
    yield "jpeg, 4:2:0", jpeg(subsampling=2), scene()
    yield "jpeg, coarse", jpeg(quality=40), scene()
    yield "jpeg, optimised", jpeg(optimize=True), scene()
    yield "jpeg, progressive", jpeg(progressive=True), scene()
    yield "jpeg, restarts", jpeg(restart_marker_blocks=2), scene()
    yield "jpeg, rgb", jpeg(keep_rgb=True), scene()
    yield "jpeg, grey", jpeg(scene().convert("L")), scene().convert("L")
    yield (
        "jpeg, grey, progressive",
        jpeg(scene().convert("L"), progressive=True),
        scene().convert("L"),
    )
    yield "jpeg, cmyk", jpeg(scene().convert("CMYK")), scene()
    yield "jpeg, cmyk, progressive", jpeg(scene().convert("CMYK"), progressive=True), scene()
    yield "jpeg, of a film: without tables", jpeg().replace(b"\xff\xc4", b"\xff\xef"), scene()
    yield "jpeg, ycck", _ycck(), scene()
    odd_size = scene().crop((0, 0, 91, 61))
    yield "jpeg, no whole blocks", jpeg(odd_size), odd_size
    swapped = Image.merge("RGB", scene().split()[::-1])
    yield (
        "jpeg, a profile with red and blue swapped",
        jpeg(swapped, icc_profile=profile(swapped=True)),
        scene(),
    )
    bright = scene().convert("L").point(lambda value: round(255 * (value / 255) ** (1 / 1.8 * 2.2)))
    yield (
        "jpeg, grey, with a profile",
        jpeg(bright, icc_profile=profile("GRAY", gamma=1.8)),
        scene().convert("L"),
    )


def _ycck() -> bytes:
    """Draw it as Photoshop does: inks inverted, and of these luminance and colour."""
    *inks, black = scene().convert("CMYK").split()
    luminance_and_colour = Image.merge("RGB", inks).convert("YCbCr").split()
    stored = [*luminance_and_colour, black.point(lambda value: 255 - value)]
    inverted = [band.point(lambda value: 255 - value) for band in stored]  # as is done in saving
    return jpeg(Image.merge("CMYK", inverted)).replace(_ADOBE + b"\0", _ADOBE + b"\2")


def _exif() -> Iterator[Odd]:
    for name, (block, turn) in GOOD_EXIF.items():
        data = with_segments(jpeg(), segment(0xE1, b"Exif\0\0" + block))
        yield f"jpeg, exif: {name}", data, turned(turn)
    for name, block in BAD_EXIF.items():
        data = with_segments(jpeg(), segment(0xE1, b"Exif\0\0" + block))
        yield f"jpeg, exif: {name}", data, scene()
    for turn in (6, 8):
        block = chunk(b"eXIf", exif(orientation(turn)))
        yield f"png, exif: turned {turn}", png(scene(), before=[block]), turned(turn)
    first, second = (segment(0xE1, b"Exif\0\0" + exif(orientation(turn))) for turn in (6, 3))
    yield "jpeg, exif: two blocks", with_segments(jpeg(), first, second), turned(6)


def _segments() -> Iterator[Odd]:
    plain = jpeg()
    thumbnail = segment(0xE1, b"Exif\0\0" + exif() + jpeg(Image.new("RGB", (16, 16))))
    half = profile(swapped=True)
    of_cmyk = half.replace(b"RGB ", b"CMYK", 1)
    xmp = b"http://ns.adobe.com/xap/1.0/\0"
    beside = {
        "a small picture in EXIF": thumbnail,
        "a profile that is cut": segment(0xE2, b"ICC_PROFILE\0\1\1" + half[:100]),
        "the second half of a profile": segment(0xE2, b"ICC_PROFILE\0\2\2" + half[200:]),
        "a profile of noise": segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(range(256)) * 9),
        "a profile of cmyk": segment(0xE2, b"ICC_PROFILE\0\1\1" + of_cmyk),
        "an index of more pictures": segment(0xE2, b"MPF\0II*\0\x08\0\0\0\xff\xff"),
        "a cut index": segment(0xE2, b"MPF\0"),
        "XMP": segment(0xE1, xmp + b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"),
        "XMP that turns": segment(0xE1, xmp + b"<rdf:Description tiff:Orientation='6'/>"),
        "a caption of Photoshop": segment(0xED, b"Photoshop 3.0\x008BIM\4\4\0\0\xff\xff\xff\xff"),
        "an empty JFIF": segment(0xE0, b"JFIF\0"),
        "a comment": segment(0xFE, b"\xff\xd9 is an end, and <3 is a heart, and a < b"),
        "an empty comment": segment(0xFE, b""),
        "a megabyte of comments": segment(0xFE, bytes(65_000)) * 16,
        "all application segments": b"".join(
            segment(marker, b"x" * 50) for marker in range(0xE1, 0xEE)),
        "fill bytes": b"\xff" * 300,
        "a stray restart": b"\xff\xd3",
        "bytes between segments": segment(0xFE, b"") + b"\x00\x10\x20 lost",
    }  # fmt: skip
    for name, data in beside.items():
        yield f"jpeg, {name}", with_segments(plain, data), scene()


def _ends() -> Iterator[Odd]:
    whole, fine = jpeg(), jpeg(progressive=True)
    for name, behind in TRAILERS.items():
        yield f"jpeg, behind its end: {name}", whole + behind, scene()
    yield "jpeg, behind its end: itself", whole + whole, scene()
    film = struct.pack(">I", 24) + b"ftypmp42" + bytes(12) + b"<svg\0<html\1" * 200
    yield "jpeg, behind its end: a film", whole + film, scene()
    yield "jpeg, no end", whole[:-2], scene()
    yield "jpeg, half an end", whole[:-1], scene()
    yield "jpeg, progressive, no end", fine[:-2], scene()
    yield "jpeg, restarts, no end", jpeg(restart_marker_rows=1)[:-2], scene()
    yield "jpeg, optimised, no end", jpeg(optimize=True)[:-2], scene()
    yield "jpeg, fill bytes before the end", whole[:-2] + b"\xff" * 40 + b"\xff\xd9", scene()
    yield "jpeg, bytes before the end", fine[:-2] + b"\xff\xfe\0\4ab lost \xff\xd9", scene()


def spelled_jpeg() -> bytes:
    """Return a JPEG whose pixels, and nothing else, spell markup."""
    whole = jpeg()
    middle = len(whole) - 300
    return whole[:middle] + MARKUP + whole[middle:]


def odd_jpegs() -> Iterator[Odd]:
    """Return each with its name and how it looks."""
    for part in (_kinds(), _exif(), _segments(), _ends()):
        yield from part
