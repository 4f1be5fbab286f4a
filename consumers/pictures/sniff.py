"""What a picture's bytes are: type and dimensions from the header, and the end; nothing decoded.

Rule 1: JPEG, PNG, GIF and WebP, by their bytes; what the host calls them doesn't matter.
Rule 2: a size beyond the cap is refused before anything is decoded.
Rule 3: nothing that is a page, a script or an archive as well. That is looked for in metadata and
        behind the end, never in pixels: in enough of them everything is spelled by chance.
Rule 4: what else stands behind the end is cut off. Without an end, only a decoder can tell whether
        the picture is whole: then it isn't refused here.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from consumers.pictures.formats.layout import MALFORMED, ContentType, Layout
from consumers.pictures.formats.reading import read
from consumers.pictures.retry_policy import RefusedPictureError

MAX_PIXELS: Final = 64_000_000
MAX_PIXELS_A_SIDE: Final = 16_384

_MARKUP: Final = re.compile(
    rb"<(?:script|html|body|svg|!doctype|iframe|\?php)(?=[\s/>])", re.IGNORECASE
)
_MARKUP_START: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*<")
_DOCUMENT: Final = b"%PDF-"
_DOCUMENT_WITHIN_BYTES: Final = 1_024
_ARCHIVE_END: Final = b"PK\x05\x06"
_ARCHIVE_END_BYTES: Final = 22
_MAX_COMMENT_BYTES: Final = 65_535


class PictureHeader(NamedTuple):
    """What the header says; `end`: how many of the bytes are the picture."""

    content_type: ContentType
    width: int
    height: int
    end: int

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
        layout = read(data)
    except MALFORMED:
        raise RefusedPictureError("truncated", "content") from None
    if layout is None:
        markup = _MARKUP_START.match(data) or _MARKUP.search(data[:1_024])
        raise RefusedPictureError("markup" if markup else "not-a-picture", "content")
    if layout.width <= 0 or layout.height <= 0:
        raise RefusedPictureError("no-pixels", "content")
    if max(layout.width, layout.height) > MAX_PIXELS_A_SIDE or (
        layout.width * layout.height > MAX_PIXELS
    ):
        raise RefusedPictureError("too-many-pixels", "content")
    if _is_something_else(layout, data):
        raise RefusedPictureError("polyglot", "content")
    end = len(data) if layout.end is None else layout.end
    return PictureHeader(layout.content_type, layout.width, layout.height, end)


def _is_something_else(layout: Layout, data: bytes) -> bool:
    behind = data[layout.end :] if layout.end is not None else b""
    texts = [span.of(data) for span in layout.metadata]
    if any(_MARKUP.search(text) for text in (*texts, behind)):
        return True
    early = (span for span in layout.metadata if span.start < _DOCUMENT_WITHIN_BYTES)
    if _DOCUMENT in behind or any(_DOCUMENT in span.of(data) for span in early):
        return True
    starts = [span.start for span in layout.metadata]
    for at in _archive_ends(layout, data):
        before = bisect_right(starts, at)
        is_behind = layout.end is not None and at >= layout.end
        if is_behind or (before and at < layout.metadata[before - 1].stop):
            return True
    return False


def _archive_ends(layout: Layout, data: bytes) -> Iterator[int]:
    """Yield where an archive's last record is: its comment reaches to where the bytes end."""
    for limit in {len(data), layout.end or len(data)}:
        at = data.find(_ARCHIVE_END, max(0, limit - _ARCHIVE_END_BYTES - _MAX_COMMENT_BYTES))
        while 0 <= at <= limit - _ARCHIVE_END_BYTES:
            (comment_bytes,) = struct.unpack_from("<H", data, at + 20)
            if at + _ARCHIVE_END_BYTES + int(comment_bytes) == limit:
                yield at
            at = data.find(_ARCHIVE_END, at + 1, limit)
