"""What a picture's bytes are: type and dimensions from the header, and the end; nothing decoded.

Rule 1: JPEG, PNG, GIF and WebP, by their bytes; what the host calls them doesn't matter.
Rule 2: a size beyond the cap is refused before anything is decoded.
Rule 3: nothing that is a page, a script or an archive as well; nothing that lacks its end.
"""

# ruff: noqa: PLR2004  the numbers of the formats

from __future__ import annotations

import re
import struct
from typing import Final, Literal, NamedTuple

from consumers.pictures.retry_policy import RefusedPictureError

MAX_PIXELS: Final = 64_000_000
MAX_PIXELS_A_SIDE: Final = 16_384

_MARKUP: Final = re.compile(rb"<(?:script|html|body|svg|!doctype|iframe|\?php)\b", re.IGNORECASE)
_MARKUP_START: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*<")
_ARCHIVE_END: Final = b"PK\x05\x06"
_ARCHIVE_END_BYTES: Final = 22
_ARCHIVE_COMMENT_BYTES: Final = 65_535
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_MALFORMED: Final = (IndexError, struct.error, ValueError)


class PictureHeader(NamedTuple):
    """What the header says."""

    content_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    width: int
    height: int

    @property
    def suffix(self) -> str:
        """What the file's name ends with."""
        return "jpg" if self.content_type == "image/jpeg" else self.content_type[6:]


def sniff(data: bytes) -> PictureHeader:
    """Return what the bytes are.

    Raises:
        RefusedPictureError: `empty`, `markup`, `not-a-picture`, `truncated`, `too-many-pixels`,
            `no-pixels` or `polyglot`.
    """
    if not data:
        raise RefusedPictureError("empty", "content")
    try:
        header = _header(data)
    except _MALFORMED:
        raise RefusedPictureError("truncated", "content") from None
    if header is None:
        markup = _MARKUP_START.match(data) or _MARKUP.search(data[:1_024])
        raise RefusedPictureError("markup" if markup else "not-a-picture", "content")
    if header.width <= 0 or header.height <= 0:
        raise RefusedPictureError("no-pixels", "content")
    if max(header.width, header.height) > MAX_PIXELS_A_SIDE or (
        header.width * header.height > MAX_PIXELS
    ):
        raise RefusedPictureError("too-many-pixels", "content")
    _check_end(header, data)
    if _MARKUP.search(data) or b"%PDF-" in data[:1_024] or _is_archive(data):
        raise RefusedPictureError("polyglot", "content")
    return header


def _header(data: bytes) -> PictureHeader | None:
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data.startswith(_PNG):
        if data[12:16] != b"IHDR":
            return None
        return PictureHeader("image/png", *struct.unpack_from(">II", data, 16))
    if data.startswith((b"GIF87a", b"GIF89a")):
        return PictureHeader("image/gif", *struct.unpack_from("<HH", data, 6))
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp(data)
    return None


def _jpeg(data: bytes) -> PictureHeader:
    """Walk the segments to the frame header."""
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError
        while data[at] == 0xFF:  # fill bytes
            at += 1
        marker = data[at]
        at += 1
        if marker in _BARE:
            continue
        (length,) = struct.unpack_from(">H", data, at)
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 3)
            return PictureHeader("image/jpeg", width, height)
        if marker in {0xD9, 0xDA}:
            raise ValueError
        at += length


def _webp(data: bytes) -> PictureHeader | None:
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
    return PictureHeader("image/webp", width, height)


def _check_end(header: PictureHeader, data: bytes) -> None:
    """Refuse what stops early, and what goes on behind an end that is known."""
    try:
        extra = len(data) - _end(header, data)
    except _MALFORMED:
        extra = -1
    if extra < 0:
        raise RefusedPictureError("truncated", "content")
    # cameras write trailers of their own behind a JPEG; nobody does behind the others
    if extra > 1 and header.content_type != "image/jpeg":
        raise RefusedPictureError("polyglot", "content")


def _end(header: PictureHeader, data: bytes) -> int:
    if header.content_type == "image/jpeg":
        return data.rindex(b"\xff\xd9") + 2
    if header.content_type == "image/webp":
        return int(struct.unpack_from("<I", data, 4)[0]) + 8
    if header.content_type == "image/gif":
        return _gif_end(data)
    at = len(_PNG)
    while data[at + 4 : at + 8] != b"IEND":
        at += int(struct.unpack_from(">I", data, at)[0]) + 12
    return at + 12


def _gif_end(data: bytes) -> int:
    """Walk the blocks to the trailer."""
    at = 13 + _colours(data[10])
    while (block := data[at]) != 0x3B:
        if block == 0x2C:
            at += 11 + _colours(data[at + 9])
        elif block == 0x21:
            at += 2
        else:
            raise ValueError
        while length := data[at]:
            at += length + 1
        at += 1
    return at + 1


def _colours(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _is_archive(data: bytes) -> bool:
    at = data.rfind(_ARCHIVE_END, max(0, len(data) - _ARCHIVE_END_BYTES - _ARCHIVE_COMMENT_BYTES))
    if at < 0 or at + _ARCHIVE_END_BYTES > len(data):
        return False
    (comment_bytes,) = struct.unpack_from("<H", data, at + 20)
    return at + _ARCHIVE_END_BYTES + int(comment_bytes) == len(data)
