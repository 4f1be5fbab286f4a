"""PNG: chunks up to IEND. What isn't critical can't cost the picture, however broken it is."""

# ruff: noqa: PLR2004  the numbers of the format

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Final

from consumers.pictures.formats.layout import MAX_PARTS, Layout, Span

MAGIC: Final = b"\x89PNG\r\n\x1a\n"
_PIXELS: Final = b"IDAT"
_END: Final = b"IEND"
_LOST: Final = b"lost"
_BESIDE: Final = frozenset({b"eXIf", b"iCCP", b"sRGB", b"gAMA"})
_NO_METADATA: Final = frozenset({b"tRNS", b"fdAT", b"fcTL", b"acTL"})


def read(data: bytes) -> Layout | None:
    """Walk the chunks; None where the first one isn't a PNG's."""
    if data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", data, 16)
    shown, metadata = [Span(0, len(MAGIC))], []
    beside: dict[bytes, Span] = {}
    end, has_pixels = None, False
    for name, span in _chunks(data):
        if name.isupper() or (name == b"tRNS" and _is_sound(span, data)):
            shown.append(span)
        elif name in _BESIDE and _is_sound(span, data):
            beside.setdefault(name, Span(span.start + 8, span.stop - 4))
        if name[0] & 0x20 and name not in _NO_METADATA:
            metadata.append(span)
        has_pixels = has_pixels or name == _PIXELS
        if name == _END and span.stop <= len(data):
            end = span.stop
    if not has_pixels:
        raise ValueError
    return Layout(
        "image/png", width, height, tuple(shown), tuple(metadata), end, beside.get(b"eXIf"),
        (beside[b"iCCP"],) if b"iCCP" in beside else (), _gamma(beside, data),
    )  # fmt: skip


def bare(layout: Layout, data: bytes) -> bytes:
    """Return what a decoder needs, and no more; with an end if there is none.

    The checksums of the pixels are made anew: their stream has one of its own.
    """
    parts = [span.of(data) for span in layout.shown]
    pixels = [_pixels(part) for part in parts if part[4:8] == _PIXELS]
    others = [part for part in parts if part[4:8] not in {_PIXELS, _END}]
    return b"".join((*others, _chunk(_PIXELS, b"".join(pixels)), _chunk(_END, b"")))


def profile_of(layout: Layout, data: bytes, most: int) -> bytes:
    """Return the colour profile, up to `most` bytes of it; empty if it can't be unpacked."""
    packed = b"".join(span.of(data) for span in layout.profile).partition(b"\0")[2]
    try:
        return zlib.decompressobj().decompress(packed[1:], most)
    except zlib.error:
        return b""


def _chunks(data: bytes) -> Iterator[tuple[bytes, Span]]:
    """Walk to the end, or to where the bytes stop: the last chunk may go beyond that."""
    at = len(MAGIC)
    for _ in range(MAX_PARTS):
        head = data[at : at + 8]
        if len(head) < 8:
            return
        name, stop = head[4:], at + int.from_bytes(head[:4], "big") + 12
        if not name.isalpha():  # nothing that anybody can read: where an end was lost, or cut off
            yield _LOST, Span(at, len(data))
            return
        yield name, Span(at, stop)
        if name == _END or stop > len(data):
            return
        at = stop
    raise ValueError


def _gamma(beside: Mapping[bytes, Span], data: bytes) -> float | None:
    if b"gAMA" not in beside or b"iCCP" in beside or b"sRGB" in beside:
        return None
    gamma = int.from_bytes(beside[b"gAMA"].of(data)[:4], "big") / 100_000
    return gamma if 0.1 <= gamma <= 10 else None


def _pixels(chunk: bytes) -> bytes:
    """Return what a chunk holds, or is left of that."""
    return chunk[8 : 8 + int.from_bytes(chunk[:4], "big")]


def _is_sound(span: Span, data: bytes) -> bool:
    """Tell whether a chunk is whole, by its checksum."""
    chunk = span.of(data)
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")


def _chunk(name: bytes, content: bytes) -> bytes:
    sum_of_it = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", sum_of_it)
