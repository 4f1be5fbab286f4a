"""The only door to Pillow here: thumbnails, made in a process of its own with little memory.

Rule 1: what decodes strangers' pictures may fall over; it takes nothing with it.
Rule 2: turned as EXIF says; then EXIF (with its GPS), profiles and comments are left behind.
Rule 3: requests on stdin, responses on stdout: 4 bytes of length, then JSON or bytes, until EOF.
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
_MAX_PIXELS: Final = 70_000_000


def serve(requests: IO[bytes], responses: IO[bytes]) -> None:
    """Answer until there is no request any more."""
    while (head := _read_frame(requests)) is not None:
        data = _read_frame(requests) or b""
        try:
            images = thumbnails(data, json.loads(head))
        except MemoryError:
            _write_frame(responses, b"memory")
            _write_frame(responses, b"")
            continue
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, EOFError):
            _write_frame(responses, b"undecodable")
            _write_frame(responses, b"")
            continue
        _write_frame(responses, b"ok")
        for image in images:
            _write_frame(responses, image)


def thumbnails(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Return a JPEG for each size, no side of it longer; never larger than the picture is."""
    images = []
    with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
        longest = max(sizes)
        opened.draft("RGB", (longest * 2, longest * 2))  # a JPEG is decoded at a fraction
        opened.load()
        image: Image.Image = opened
        if image.mode not in {"RGB", "RGBA", "L", "CMYK"}:  # a palette can't be made smaller
            image = image.convert("RGBA" if image.has_transparency_data else "RGB")
        image.thumbnail(
            (longest, longest), Image.Resampling.LANCZOS
        )  # first: all else is cheap then
        image = _flat(ImageOps.exif_transpose(image))
    for size in sorted(sizes, reverse=True):
        image.thumbnail((size, size), Image.Resampling.LANCZOS)
        bare = Image.new("RGB", image.size)
        bare.paste(image)
        file = io.BytesIO()
        bare.save(file, "JPEG", quality=_QUALITY, optimize=True)
        images.append(file.getvalue())
    return images[::-1]


def _flat(image: Image.Image) -> Image.Image:
    """Return the picture in RGB, on white where it is transparent."""
    if image.has_transparency_data:
        above = image.convert("RGBA")
        white = Image.new("RGBA", above.size, "white")
        return Image.alpha_composite(white, above).convert("RGB")
    return image.convert("RGB")


def _read_frame(file: IO[bytes]) -> bytes | None:
    head = file.read(4)
    return file.read(int.from_bytes(head, "big")) if len(head) == 4 else None  # noqa: PLR2004  the length's length


def _write_frame(file: IO[bytes], data: bytes) -> None:
    file.write(len(data).to_bytes(4, "big") + data)
    file.flush()


def main() -> None:
    """Serve on stdin and stdout, with a limit on memory, and no file to write to."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the header was looked at
    Image.MAX_IMAGE_PIXELS = _MAX_PIXELS
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
