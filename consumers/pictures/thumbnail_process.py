"""The only door to Pillow here: thumbnails, made in a process of its own with little memory.

Rule 1: what decodes strangers' pictures may fall over; it takes nothing with it.
Rule 2: turned as EXIF says; then EXIF (with its GPS), profiles and comments are left behind.
Rule 3: asked on stdin and answered on stdout: 4 bytes of length, then JSON or bytes, until EOF.
"""

from __future__ import annotations

import io
import json
import os
import resource
import sys
import warnings
from collections.abc import Sequence
from typing import IO, Final

from PIL import Image, ImageOps

MEMORY_BYTES: Final = 1024 * 1024 * 1024
_FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP")
_QUALITY: Final = 82
_MOST_PIXELS: Final = 70_000_000


def serve(asked: IO[bytes], told: IO[bytes]) -> None:
    """Answer until there is nothing more asked."""
    while (head := _read(asked)) is not None:
        data = _read(asked) or b""
        try:
            found = thumbnails(data, json.loads(head))
        except MemoryError:
            _write(told, b"memory")
            _write(told, b"")
            continue
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, EOFError):
            _write(told, b"undecodable")
            _write(told, b"")
            continue
        _write(told, b"ok")
        for one in found:
            _write(told, one)


def thumbnails(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Return a JPEG for each size, no side of it longer; never larger than the picture is."""
    found = []
    with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
        most = max(sizes)
        opened.draft("RGB", (most * 2, most * 2))  # a JPEG is decoded at a fraction
        opened.load()
        image: Image.Image = opened
        if image.mode not in {"RGB", "RGBA", "L", "CMYK"}:  # a palette can't be made smaller
            image = image.convert("RGBA" if image.has_transparency_data else "RGB")
        image.thumbnail((most, most), Image.Resampling.LANCZOS)  # first: all else is cheap then
        image = _flat(ImageOps.exif_transpose(image))
    for size in sorted(sizes, reverse=True):
        image.thumbnail((size, size), Image.Resampling.LANCZOS)
        bare = Image.new("RGB", image.size)
        bare.paste(image)
        file = io.BytesIO()
        bare.save(file, "JPEG", quality=_QUALITY, optimize=True)
        found.append(file.getvalue())
    return found[::-1]


def _flat(image: Image.Image) -> Image.Image:
    """Return the picture in RGB, on white where it is transparent."""
    if image.has_transparency_data:
        above = image.convert("RGBA")
        white = Image.new("RGBA", above.size, "white")
        return Image.alpha_composite(white, above).convert("RGB")
    return image.convert("RGB")


def _read(file: IO[bytes]) -> bytes | None:
    head = file.read(4)
    return file.read(int.from_bytes(head, "big")) if len(head) == 4 else None  # noqa: PLR2004  the length's length


def _write(file: IO[bytes], data: bytes) -> None:
    file.write(len(data).to_bytes(4, "big") + data)
    file.flush()


def main() -> None:
    """Serve on stdin and stdout, with a limit on memory, and no file to write to."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the header was looked at
    Image.MAX_IMAGE_PIXELS = _MOST_PIXELS
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
