"""GIF: blocks up to the trailer, or as far as they make sense."""

# ruff: noqa: PLR2004  the numbers of the format

from __future__ import annotations

import struct
from typing import Final

from consumers.pictures.formats.layout import MAX_PARTS, Layout, Span

MAGICS: Final = (b"GIF87a", b"GIF89a")
_TRAILER: Final = b";"
_SCREEN: Final = Span(6, 10)


def read(data: bytes) -> Layout:
    """Walk the blocks to the trailer."""
    width, height = struct.unpack_from("<HH", data, _SCREEN.start)
    at = 13 + _colours(data[10])
    shown, metadata = [Span(0, at)], []
    images, end = 0, None
    for _ in range(MAX_PARTS):
        start = at
        if start >= len(data):
            break
        block = data[start]
        if block == 0x00:  # between blocks: nothing
            at += 1
            continue
        if block not in {0x21, 0x2C}:  # the trailer, or nothing that anybody can read
            if not images:
                raise ValueError
            end = start + (block == _TRAILER[0])
            break
        at = _behind(data, start)
        span = Span(start, min(at, len(data)))
        if block == 0x21 and data[start + 1 : start + 2] != b"\xf9":
            metadata.append(span)
            continue
        if block == 0x2C:
            left, top, wide, high = struct.unpack_from("<HHHH", data, start + 1)
            if not images:
                width, height = max(width, left + wide), max(height, top + high)
            images += 1
        shown.append(span)
    else:
        raise ValueError
    if not images:
        raise ValueError
    return Layout("image/gif", width, height, tuple(shown), tuple(metadata), end)


def bare(layout: Layout, data: bytes) -> bytes:
    """Return what a decoder needs, with a screen that its first image fits on."""
    body = b"".join(span.of(data) for span in layout.shown)
    screen = struct.pack("<HH", layout.width, layout.height)
    return body[: _SCREEN.start] + screen + body[_SCREEN.stop :] + _TRAILER


def _behind(data: bytes, at: int) -> int:
    """Return where a block is over; beyond the data where it is cut."""
    try:
        if data[at] == 0x2C:
            at += 11 + _colours(data[at + 9])
        else:
            at += 2
        while length := data[at]:
            at += length + 1
    except IndexError:
        return len(data) + 1
    return at + 1


def _colours(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
