"""PNGs as the world writes them: every kind of pixel, and chunks that nobody may stumble over."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from odd_profiles import profile
from PIL import Image
from seen import HEIGHT, WIDTH, corner, grey, on_white, scene

from consumers.pictures.formats.png import MAGIC

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
_CHANNELS: Final = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
_PASSES: Final = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
)  # fmt: skip
_EVERY_KIND: Final = (
    *((GREY, depth) for depth in (1, 2, 4, 8, 16)), (RGB, 8), (RGB, 16),
    *((PALETTE, depth) for depth in (1, 2, 4, 8)), (GREY_ALPHA, 8), (GREY_ALPHA, 16),
    (RGBA, 8), (RGBA, 16),
)  # fmt: skip

Odd = tuple[str, bytes, Image.Image]


def chunk(name: bytes, content: bytes = b"", checksum: int | None = None) -> bytes:
    """Return a chunk; with a checksum of one's own, if it is to be wrong."""
    if checksum is None:
        checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def png(  # noqa: PLR0913  what a PNG may have
    image: Image.Image,
    kind: int = RGB,
    depth: int = 8,
    *,
    interlaced: bool = False,
    row_filter: int = 0,
    before: Iterable[bytes] = (),
    after: Iterable[bytes] = (),
    level: int = 9,
    idat_bytes: int = 1 << 16,
) -> bytes:
    """Write a PNG; `before` and `after` are chunks around its pixels, the palette before them."""
    width, height = image.size
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    pixels = b"".join(
        _rows(image.crop((0, 0, width, height)), kind, depth, row_filter, steps) for steps in passes
    )
    packed = zlib.compress(pixels, level)
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)
    palette = bytes(image.getpalette() or ())[: 3 << depth] if kind == PALETTE else b""
    return b"".join((
        MAGIC, chunk(b"IHDR", head), *([chunk(b"PLTE", palette)] if palette else ()), *before,
        *(chunk(b"IDAT", packed[at : at + idat_bytes]) for at in range(0, len(packed), idat_bytes)),
        *after, chunk(b"IEND"),
    ))  # fmt: skip


def _rows(
    image: Image.Image, kind: int, depth: int, row_filter: int, steps: tuple[int, int, int, int]
) -> bytes:
    """Return the filtered rows of a pass."""
    left, top, across, down = steps
    size = -(-(image.width - left) // across), -(-(image.height - top) // down)
    part = image.transform(
        size, Image.Transform.AFFINE,
        (across, 0, left + 0.5 - across / 2, 0, down, top + 0.5 - down / 2),
    )  # fmt: skip
    channels = _CHANNELS[kind]
    flat = part.tobytes()
    rows = []
    before = b""
    for y in range(part.height):
        samples = flat[y * part.width * channels : (y + 1) * part.width * channels]
        row = _packed(samples, depth, is_index=kind == PALETTE)
        step = max(1, channels * depth // 8)
        rows.append(
            bytes([row_filter]) + _filtered(row, before or bytes(len(row)), row_filter, step)
        )
        before = row
    return b"".join(rows)


def _packed(samples: bytes, depth: int, *, is_index: bool) -> bytes:
    if depth == 8:
        return samples
    if depth == 16:
        return b"".join(bytes((value, value)) for value in samples)
    bits = "".join(f"{value if is_index else value >> 8 - depth:0{depth}b}" for value in samples)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


def _filtered(row: bytes, above: bytes, row_filter: int, step: int) -> bytes:
    made = bytearray()
    for at, value in enumerate(row):
        left = row[at - step] if at >= step else 0
        corner_value = above[at - step] if at >= step else 0
        guess = left + above[at] - corner_value
        nearest = min((left, above[at], corner_value), key=lambda near: abs(guess - near))
        made.append(
            value - (0, left, above[at], (left + above[at]) // 2, nearest)[row_filter] & 255
        )
    return bytes(made)


def _indexed(colours: int) -> Image.Image:
    """Return the drawing with a palette."""
    return scene().quantize(colours, dither=Image.Dither.NONE)


def of_kind(kind: int, depth: int) -> tuple[Image.Image, Image.Image]:
    """Return what to write, and how it looks."""
    if kind == PALETTE:
        image = _indexed(1 << depth)
        return image, image.convert("RGB")
    shown = grey(depth) if kind in {GREY, GREY_ALPHA} else scene()
    if kind in {GREY_ALPHA, RGBA}:
        image = shown.copy()
        image.putalpha(corner())
        return image, on_white(shown, corner())
    return shown, shown


def _kinds() -> Iterator[Odd]:
    for interlaced in (False, True):
        for kind, depth in _EVERY_KIND:
            image, shown = of_kind(kind, depth)
            name = f"png kind {kind}, {depth} bits{', interlaced' if interlaced else ''}"
            yield name, png(image, kind, depth, interlaced=interlaced), shown
    for row_filter in (1, 2, 3, 4):
        yield f"png, filter {row_filter}", png(scene(), row_filter=row_filter), scene()


def _transparent() -> Iterator[Odd]:
    """One colour, or some of the palette, are transparent."""
    hidden = scene().getpixel((1, HEIGHT - 1))
    assert isinstance(hidden, tuple)
    for depth in (1, 2, 4, 8, 16):
        image = grey(depth)
        value = image.getpixel((1, HEIGHT - 1))
        assert isinstance(value, int)
        sample = value * 257 if depth == 16 else value >> 8 - depth
        mask = image.point(lambda shade, value=value: 255 * (shade != value))
        trns = chunk(b"tRNS", struct.pack(">H", sample))
        shown = on_white(image, mask)
        yield f"png, grey {depth} bits, one clear", png(image, GREY, depth, before=[trns]), shown
    for depth in (8, 16):
        wide = [value * 257 if depth == 16 else value for value in hidden]
        trns = chunk(b"tRNS", struct.pack(">HHH", *wide))
        shown = on_white(scene(), corner())
        yield f"png, rgb {depth} bits, one clear", png(scene(), RGB, depth, before=[trns]), shown
    for depth in (4, 8):
        image = _indexed(1 << depth)
        index = image.getpixel((1, HEIGHT - 1))
        assert isinstance(index, int)
        trns = chunk(b"tRNS", bytes(255 * (at != index) for at in range(index + 1)))
        shown = on_white(image, corner())
        yield (
            f"png, palette {depth} bits, one clear",
            png(image, PALETTE, depth, before=[trns]),
            shown,
        )


def _chunks() -> Iterator[Odd]:
    """Chunks beside the picture: odd, broken, huge."""
    wrong = 0xBADBAD
    huge = b"ICC\0\0" + zlib.compress(bytes(8_000_000))
    bomb = b"Comment\0\0" + zlib.compress(bytes(80_000_000), 1)
    beside: dict[str, Sequence[bytes]] = {
        "a large profile": [chunk(b"iCCP", huge)],
        "a profile that isn't deflated": [chunk(b"iCCP", b"ICC\0\0nonsense")],
        "a profile without a name": [chunk(b"iCCP", b"x" * 200)],
        "an empty profile": [chunk(b"iCCP")],
        "a profile with a bad checksum": [chunk(b"iCCP", huge[:200], wrong)],
        "a text with a bad checksum": [chunk(b"tEXt", b"Title\0Rex", wrong)],
        "a packed text of 80 MB": [chunk(b"zTXt", bomb)],
        "a text that isn't deflated": [chunk(b"zTXt", b"Title\0\0nonsense")],
        "a bad international text": [chunk(b"iTXt", b"Title\0\1\1\0\0\xff\xfe")],
        "a thousand texts": [chunk(b"tEXt", b"Title\0Rex")] * 1_000,
        "a short resolution": [chunk(b"pHYs", b"\0")],
        "a short gamma": [chunk(b"gAMA", b"\0")],
        "a gamma with a bad checksum": [chunk(b"gAMA", b"\0\0\xb1\x8f", wrong)],
        "short chromaticities": [chunk(b"cHRM", b"\0\0")],
        "a wrong sRGB": [chunk(b"sRGB", b"\7\7")],
        "a time of nowhen": [chunk(b"tIME", b"\xff" * 7)],
        "a histogram without a palette": [chunk(b"hIST", b"\0\1")],
        "a chunk nobody knows": [chunk(b"puPy", b"woof", wrong)],
        "a wrong transparency": [chunk(b"tRNS", struct.pack(">HHH", 40, 64, 208), wrong)],
        "a background": [chunk(b"bKGD", struct.pack(">HHH", 255, 0, 255))],
        "a suggested palette": [chunk(b"PLTE", bytes(range(48)))],
    }
    for name, chunks in beside.items():
        yield f"png, {name}", png(scene(), before=chunks), scene()
    late = [chunk(b"tEXt", b"Title\0Rex", wrong), chunk(b"iTXt", b"x"), chunk(b"zTXt", b"x\0\0y")]
    yield "png, bad texts behind the pixels", png(scene(), after=late), scene()
    frames = [chunk(b"acTL", struct.pack(">II", 2, 0))]
    second = struct.pack(">IIIIIHHBB", 1, WIDTH, HEIGHT, 0, 0, 1, 2, 0, 0)
    later = [chunk(b"fcTL", second), chunk(b"fdAT", struct.pack(">I", 2) + b"<svg onload=x>")]
    yield "png, animated", png(scene(), before=frames, after=later), scene()
    gamma = chunk(b"gAMA", struct.pack(">I", 100_000))
    linear = scene().point(lambda value: round(255 * (value / 255) ** 2.2))
    yield "png, samples of light itself", png(linear, before=[gamma]), scene()
    clear = linear.copy()
    clear.putalpha(128)
    shown = on_white(scene(), Image.new("L", scene().size, 128))
    yield "png, samples of light itself, half clear", png(clear, RGBA, before=[gamma]), shown
    usual = chunk(b"gAMA", struct.pack(">I", 45_455))
    yield "png, the usual gamma", png(scene(), before=[usual]), scene()
    none = chunk(b"gAMA", bytes(4))
    yield "png, a gamma of nothing", png(scene(), before=[none]), scene()
    srgb = [gamma, chunk(b"sRGB", b"\0")]
    yield "png, a gamma, and sRGB", png(scene(), before=srgb), scene()
    packed = chunk(b"iCCP", b"P\0\0" + zlib.compress(profile("RGB", swapped=True)))
    swapped = Image.merge("RGB", scene().split()[::-1])
    yield "png, a profile with red and blue swapped", png(swapped, before=[packed]), scene()


def spelled_scene() -> Image.Image:
    """Return the drawing with points whose colours spell markup."""
    image = scene()
    image.frombytes(image.tobytes()[: -len(MARKUP)] + MARKUP)
    return image


def _ends() -> Iterator[Odd]:
    """How the pixels are packed, and where the file ends."""
    whole = png(scene())
    yield "png, the pixels spell markup", png(spelled_scene(), level=0), spelled_scene()
    yield "png, chunks of a byte", png(scene(), idat_bytes=1), scene()
    yield "png, not packed", png(scene(), level=0), scene()
    yield "png, a bad checksum of its pixels", whole[:-16] + b"oops" + whole[-12:], scene()
    halves = png(scene(), idat_bytes=100)
    at = halves.index(b"IDAT") + 104
    yield "png, a bad checksum in its pixels", halves[:at] + b"oops" + halves[at + 4 :], scene()
    yield "png, an empty IDAT", png(scene(), after=[chunk(b"IDAT")]), scene()
    for name, behind in TRAILERS.items():
        yield f"png, behind its end: {name}", whole + behind, scene()
    yield "png, no IEND", whole[:-12], scene()
    yield "png, something else for its IEND", whole[:-12] + b"\0\0\0\4lo t and more", scene()
    yield "png, half an IEND", whole[:-6], scene()
    yield "png, no checksum of the pixels", whole[:-16], scene()
    yield "png, no checksum of their stream", whole[:-20], scene()


MARKUP: Final = b"<svg onload=x><script>y</script><?php z ?><html ><body ></html>PK\5\6" + bytes(18)
TRAILERS: Final = {
    "a line break": b"\r\n",
    "zeros": bytes(3_000),
    "words": b"uploaded by nobody; size < body, so what",
    "noise": bytes(value * value % 251 for value in range(5_000)),
    "another picture": png(Image.new("RGB", (8, 8), "black")),
}


def odd_pngs() -> Iterator[Odd]:
    """Return each with its name and how it looks."""
    for part in (_kinds(), _transparent(), _chunks(), _ends()):
        yield from part
