"""WebP: the chunks of its RIFF."""

from __future__ import annotations

import struct
from typing import Final

from consumers.pictures.formats.layout import MAX_PARTS, Layout, Span

_SHOWN: Final = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"})
_SAID: Final = 0x20 | 0x08 | 0x04
"""The flags of VP8X for a profile, EXIF and XMP."""


def is_webp(data: bytes) -> bool:
    """Tell by the magic numbers."""
    return data.startswith(b"RIFF") and data[8:12] == b"WEBP"


def read(data: bytes) -> Layout | None:
    """Walk the chunks; None where the first one isn't a WebP's."""
    size = _size(data)
    if size is None:
        return None
    riff_end = int.from_bytes(data[4:8], "little") + 8
    shown, metadata = [], []
    exif, profile = None, None
    at, is_cut = 12, False
    for _ in range(MAX_PARTS):
        if at + 8 > min(riff_end, len(data)):
            break
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        content = Span(at + 8, at + 8 + length)
        is_cut = content.stop > len(data)
        span = Span(at, min(content.stop + length % 2, len(data)))
        if name in _SHOWN:
            shown.append(span)
        else:
            metadata.append(span)
        if name == b"EXIF":
            exif = exif or content
        elif name == b"ICCP":
            profile = profile or content
        at = content.stop + length % 2
    else:
        raise ValueError
    padded = len(data) + (not is_cut)  # the last byte may be a pad that was left off
    end = min(riff_end, len(data)) if riff_end <= padded else None
    return Layout(
        "image/webp", *size, tuple(shown), tuple(metadata), end, exif,
        (profile,) if profile else (),
    )  # fmt: skip


def bare(layout: Layout, data: bytes) -> bytes:
    """Return what a decoder needs, and no more, in a RIFF of its own."""
    parts = [span.of(data) for span in layout.shown]
    chunks = b"".join(part + b"\0" * (len(part) % 2) for part in parts)
    if chunks.startswith(b"VP8X"):
        chunks = chunks[:8] + bytes((chunks[8] & ~_SAID,)) + chunks[9:]
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def _size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        return None
    return width, height
