"""GIFs and WebPs as the world writes them."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any

from odd_jpegs import exif, orientation, turned
from odd_pngs import MARKUP, TRAILERS, Odd
from odd_profiles import profile
from PIL import Image
from seen import HEIGHT, WIDTH, corner, on_white, scene


def gif(image: Image.Image | None = None, **options: Any) -> bytes:
    """Draw a GIF; `options` are those of saving."""
    file = io.BytesIO()
    (image or scene().quantize(32, dither=Image.Dither.NONE)).save(file, "GIF", **options)
    return file.getvalue()


def blocks(data: bytes) -> tuple[bytes, bytes]:
    """Return a GIF's head with its table of colours, and the rest."""
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    return data[:at], data[at:]


def _gifs() -> Iterator[Odd]:
    whole = gif()
    head, rest = blocks(whole)
    yield "gif", whole, scene()
    yield "gif, 87a", b"GIF87a" + whole[6:], scene()
    yield "gif, interlaced", gif(interlace=1), scene()
    yield "gif, not interlaced", gif(interlace=0), scene()
    two = scene().quantize(2, dither=Image.Dither.NONE)
    yield "gif, two colours", gif(two), two.convert("RGB")
    grey = scene().convert("L")
    yield "gif, grey", gif(grey), grey
    clear = scene().quantize(32, dither=Image.Dither.NONE)
    index = clear.getpixel((1, HEIGHT - 1))
    yield "gif, one colour clear", gif(clear, transparency=index), on_white(scene(), corner())
    others = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("black", "navy")]
    film = gif(scene(), save_all=True, append_images=others, duration=50, loop=0)
    yield "gif, animated", film, scene()
    yield "gif, animated, no trailer", film[:-1], scene()
    yield "gif, no trailer", whole[:-1], scene()
    yield "gif, no trailer, no last block", whole[:-2], scene()
    for name, behind in TRAILERS.items():
        yield f"gif, behind its end: {name}", whole + behind, scene()
    yield "gif, a comment", head + b"!\xfe\4note\0" + rest, scene()
    yield "gif, a comment that isn't ended", head + b"!\xfe\4note\0" * 3 + rest[:-1], scene()
    yield "gif, an application nobody knows", head + b"!\xff\x0bUNKNOWN 1.0\3abc\0" + rest, scene()
    yield "gif, plain text", head + b"!\1\x0c" + bytes(12) + b"\2hi\0" + rest, scene()
    yield "gif, zeros between blocks", head + bytes(3) + rest[:-1] + bytes(2) + b";", scene()
    yield "gif, a screen of nothing", head[:6] + bytes(4) + head[10:] + rest, scene()
    small = head[:6] + struct.pack("<HH", 10, 10) + head[10:] + rest
    yield "gif, a screen smaller than its image", small, scene()
    table = head[13:]
    at = rest.index(b",")
    flags = 0x80 | rest[at + 9] & 0x40 | head[10] & 7
    local = rest[: at + 9] + bytes([flags]) + table + rest[at + 10 :]
    yield "gif, a table of its own", head[:10] + bytes([0]) + head[11:13] + local, scene()
    yield "gif, something else behind its image", whole[:-1] + b"lost", scene()


def spelled_gif() -> bytes:
    """Return a GIF whose pixels, in a block of their own, spell markup."""
    whole = gif()
    return whole[:-2] + bytes([len(MARKUP)]) + MARKUP + whole[-2:]


def spelled_webp() -> bytes:
    """Return a WebP whose pixels spell markup."""
    return riff((b"VP8 ", webp()[20:-40] + MARKUP))


def webp(image: Image.Image | None = None, **options: Any) -> bytes:
    """Draw a WebP; `options` are those of saving."""
    file = io.BytesIO()
    (image or scene()).save(file, "WEBP", **{"quality": 90} | options)
    return file.getvalue()


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """Return a WebP of chunks."""
    body = b"".join(
        name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
        for name, content in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _webps() -> Iterator[Odd]:
    whole = webp()
    clear = scene()
    clear.putalpha(corner())
    swapped = Image.merge("RGB", scene().split()[::-1])
    yield "webp", whole, scene()
    yield "webp, lossless", webp(lossless=True), scene()
    yield "webp, clear", webp(clear), on_white(scene(), corner())
    yield "webp, clear, lossless", webp(clear, lossless=True), on_white(scene(), corner())
    film = webp(scene(), save_all=True, append_images=[Image.new("RGB", scene().size)], duration=50)
    yield "webp, animated", film, scene()
    turn = exif(orientation(6))
    yield "webp, turned 6", webp(exif=turn), turned(6)
    yield "webp, turned 6, as JPEG writes it", webp(exif=b"Exif\0\0" + turn), turned(6)
    yield "webp, EXIF of words", webp(exif=b"no EXIF here"), scene()
    yield "webp, XMP", webp(xmp=b"<x:xmpmeta/>"), scene()
    yield (
        "webp, a profile with red and blue swapped",
        webp(swapped, icc_profile=profile(swapped=True)),
        scene(),
    )
    yield "webp, a profile of noise", webp(icc_profile=bytes(range(256))), scene()
    pixels = whole[20 : 20 + int.from_bytes(whole[16:20], "little")]
    size = struct.pack("<I", WIDTH - 1)[:3] + struct.pack("<I", HEIGHT - 1)[:3]
    extended = (b"VP8X", bytes([0x2C, 0, 0, 0]) + size)
    yield "webp, flags of what isn't there", riff(extended, (b"VP8 ", pixels)), scene()
    odd = riff(extended, (b"VP8 ", pixels), (b"EXIF", turn + b"x"))
    yield "webp, no pad at its end", odd[:-1], turned(6)
    yield "webp, EXIF that is cut off", odd[:-20], scene()
    yield (
        "webp, a chunk nobody knows",
        riff(extended, (b"puPy", b"woof"), (b"VP8 ", pixels)),
        scene(),
    )
    for name, behind in TRAILERS.items():
        yield f"webp, behind its end: {name}", whole + behind, scene()


def odd_gifs_and_webps() -> Iterator[Odd]:
    """Return each with its name and how it looks."""
    yield from _gifs()
    yield from _webps()
