"""The only door to Pillow here: thumbnails, made in a process of its own with little memory.

Rule 1: what decodes strangers' pictures may fall over; it takes nothing with it.
Rule 2: a decoder gets the pixels alone: no EXIF, profile, comment or trailer can fell it.
Rule 3: what is seen counts: all depths have the tones of a browser, colours are those of sRGB,
        what is transparent stands on white, and the picture is turned as EXIF says.
Rule 4: a file without its end is whole if all its pixels are there.
Rule 5: before the first request it gives up all else (`sandbox.py`), and has imported all it needs.
Rule 6: requests on stdin, responses on stdout: 4 bytes of length, then JSON or bytes, until EOF.
"""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import warnings
import zlib
from collections.abc import Sequence
from typing import IO, Final

from PIL import Image, ImageCms, ImageSequence

from consumers.pictures import sandbox
from consumers.pictures.formats import jpeg, reading
from consumers.pictures.formats.layout import Layout

_FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP")
_QUALITY: Final = 82
_MAX_PIXELS: Final = 70_000_000
UNDECODABLE: Final = (
    OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, ArithmeticError,
    NotImplementedError, AttributeError, AssertionError, struct.error, zlib.error,
    Image.DecompressionBombError,
)  # fmt: skip
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip
_PROFILED: Final = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
"""The colour space that a profile must be of, by the mode of what it is for."""
_WHITE: Final = 65_535
_SCREEN_GAMMA: Final = 2.2


def serve(requests: IO[bytes], responses: IO[bytes]) -> None:
    """Answer until there is no request any more."""
    while (head := _read_frame(requests)) is not None:
        data = _read_frame(requests) or b""
        try:
            images = thumbnails(data, json.loads(head))
        except MemoryError:
            _refuse(responses, b"memory")
            continue
        except CutError:
            _refuse(responses, b"truncated")
            continue
        except UNDECODABLE:
            _refuse(responses, b"undecodable")
            continue
        _write_frame(responses, b"ok")
        for image in images:
            _write_frame(responses, image)


def thumbnails(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Return a JPEG for each size, no side of it longer; never larger than the picture is."""
    layout = reading.read(data)
    if layout is None:
        raise ValueError
    longest = max(sizes)
    try:
        image = _decoded(layout, data, longest)
    except UNDECODABLE:
        if layout.end is None:
            raise CutError from None
        raise
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)  # first: all else is cheap then
    if layout.gamma is not None:
        image = _of_gamma(image, layout.gamma)
    image = _flat(_in_srgb(image, reading.profile(layout, data)))
    turn = _TURNS.get(reading.orientation(layout, data))
    if turn is not None:
        image = image.transpose(turn)
    images = []
    for size in sorted(sizes, reverse=True):
        image.thumbnail((size, size), Image.Resampling.LANCZOS)
        bare = Image.new("RGB", image.size)
        bare.paste(image)
        file = io.BytesIO()
        bare.save(file, "JPEG", quality=_QUALITY, optimize=True)
        images.append(file.getvalue())
    return images[::-1]


class CutError(Exception):
    """The file stops before all its pixels are there."""


def _decoded(layout: Layout, data: bytes, longest: int) -> Image.Image:
    """Return the picture in a mode of 8 bits that can be made smaller."""
    if layout.end is None and layout.content_type == "image/jpeg":
        _check_scans(layout, data)
    with Image.open(io.BytesIO(reading.bare(layout, data)), formats=_FORMATS) as opened:
        if layout.end is None and layout.content_type == "image/gif":
            for frame in ImageSequence.Iterator(opened):
                frame.load()
            opened.seek(0)
        opened.draft("RGB", (longest * 2, longest * 2))  # a JPEG is decoded at a fraction
        opened.load()
        depth = data[24] if layout.content_type == "image/png" else 8
        image = _with_scaled_transparency(opened, depth)
        if image.has_transparency_data:
            return image if image.mode == "RGBA" else image.convert("RGBA")
        return image if image.mode in _PROFILED else image.convert("RGB")


def _check_scans(layout: Layout, data: bytes) -> None:
    """Refuse a JPEG whose pixels depend on what would come behind its last byte."""
    sums = set()
    for seed in (None, 1):
        with Image.open(io.BytesIO(jpeg.continued(layout, data, seed)), formats=("JPEG",)) as image:
            image.load()
            sums.add(zlib.crc32(image.tobytes()))
    if len(sums) > 1:
        raise CutError


def _with_scaled_transparency(image: Image.Image, depth: int) -> Image.Image:
    """Return a picture of 8 bits, whose transparent colour is of 8 bits as well.

    Pillow keeps 16 bits of grey, which it can't make smaller nor convert but by cutting off what is
    brighter than 255; and the transparent colour in the depth of the file.
    """
    transparent = image.info.get("transparency")
    if image.mode in {"I", "I;16", "I;16B"}:
        deep = image.convert("I")
        grey = deep.point([value * 255 // _WHITE for value in range(_WHITE + 1)], "L")
        if not isinstance(transparent, int):
            return grey
        mask = [255] * (_WHITE + 1)
        mask[transparent & _WHITE] = 0
        return Image.merge("LA", (grey, deep.point(mask, "L")))
    if isinstance(transparent, int) and image.mode == "L":
        image.info["transparency"] = transparent * 255 // ((1 << depth) - 1)
    elif isinstance(transparent, tuple) and depth > 8:  # noqa: PLR2004  bits
        image.info["transparency"] = tuple(value >> depth - 8 for value in transparent)
    return image


def _of_gamma(image: Image.Image, gamma: float) -> Image.Image:
    """Return the picture with the tones that its gamma means on a screen of the usual one."""
    power = 1 / (gamma * _SCREEN_GAMMA)
    tones = [round(255 * (value / 255) ** power) for value in range(256)]
    bands = len(image.getbands())
    opaque = list(range(256)) if image.mode == "RGBA" else tones
    return image.point(tones * (bands - 1) + opaque)


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Return the picture with the colours that its profile means; as it is without a usable one."""
    if not profile:
        return image
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    opaque = image.convert("RGB") if alpha else image
    try:
        meant = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if meant.profile.xcolor_space.strip() != _PROFILED[opaque.mode]:
            return image
        shown = ImageCms.profileToProfile(
            opaque, meant, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    if shown is None:
        return image
    if alpha:
        shown.putalpha(alpha)
    return shown


def _flat(image: Image.Image) -> Image.Image:
    """Return the picture in RGB, on white where it is transparent."""
    if image.mode == "RGBA":
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _refuse(responses: IO[bytes], reason: bytes) -> None:
    _write_frame(responses, reason)
    _write_frame(responses, b"")


def _read_frame(file: IO[bytes]) -> bytes | None:
    head = file.read(4)
    return file.read(int.from_bytes(head, "big")) if len(head) == 4 else None  # noqa: PLR2004  the length's length


def _write_frame(file: IO[bytes], data: bytes) -> None:
    file.write(len(data).to_bytes(4, "big") + data)
    file.flush()


def main() -> None:
    """Serve on stdin and stdout, and be able to do nothing else."""
    os.nice(5)
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the header was looked at
    Image.MAX_IMAGE_PIXELS = _MAX_PIXELS
    Image.init()  # imports what it may need: later nothing can be opened
    sandbox.restrict()
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
