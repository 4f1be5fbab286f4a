"""JPEG: segments, the scans between them, and how to tell a file without its end from a cut one.

Rule 1: whatever stands between two segments is skipped, as decoders do.
Rule 2: an end inside a segment (of the small picture in EXIF, for instance) isn't the end.
Rule 3: colours need what JFIF and Adobe wrote; all other application data is metadata.
"""

# ruff: noqa: PLR2004  the numbers of the format

from __future__ import annotations

import random
import re
from typing import Final

from consumers.pictures.formats.layout import MAX_PARTS, Layout, Span

MAGIC: Final = b"\xff\xd8\xff"
END: Final = b"\xff\xd9"
_MARKER: Final = re.compile(rb"\xff[^\x00\xff]")
_BEHIND_SCAN: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_RESTART: Final = re.compile(rb"\xff[\xd0-\xd7]")
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_TABLES: Final = frozenset({0xC4, 0xCC, 0xDB, 0xDC, 0xDD})
_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_COLOURS: Final = {
    0xE0: re.compile(rb"JFIF\0.{9}", re.DOTALL),
    0xEE: re.compile(rb"Adobe.{7}", re.DOTALL),
}
_EXIF: Final = b"Exif\0"
_PROFILE: Final = b"ICC_PROFILE\0"
_COEFFICIENTS: Final = 64


def read(data: bytes) -> Layout:
    """Walk the segments and scans to the end."""
    return _Walk(data).layout()


def bare(layout: Layout, data: bytes) -> bytes:
    """Return what a decoder needs, and no more."""
    if layout.end is None:
        return continued(layout, data, None)
    return b"".join(span.of(data) for span in layout.shown) + END


def continued(layout: Layout, data: bytes, seed: int | None) -> bytes:
    """Return a file that stops without its end, gone on with in one way or another.

    If all pixels are there, the way makes no difference to what is decoded; `seed` None: zeros.
    The restart markers are those that a decoder waits for.
    """
    bits = random.Random(seed)  # noqa: S311  any bits do
    # a marker that was cut in two mustn't become another one
    parts = [b"".join(span.of(data) for span in layout.shown).rstrip(b"\xff")]
    markers = _RESTART.findall(layout.shown[-1].of(data))
    number = markers[-1][1] + 1 if markers else 0
    for step in range(64):
        noise = bytes(256) if seed is None else bits.randbytes(256).replace(b"\xff", b"\xfe")
        parts += [noise, bytes((0xFF, 0xD0 + (number + step) % 8))]
    return b"".join(parts) + END


class _Walk:
    """What is known of a file while its segments are read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._size: tuple[int, int] | None = None
        self._shown = [Span(0, 2)]
        self._metadata: list[Span] = []
        self._exif: Span | None = None
        self._profile: dict[int, Span] = {}
        self._components: set[int] = set()
        self._missing: dict[int, set[int]] = {}
        self._scans = 0

    def layout(self) -> Layout:
        end = self._end()
        if self._size is None or not self._scans:
            raise ValueError
        if end is None and any(self._missing.values()):
            raise ValueError  # a scan is missing: parts of the picture, or its fine grain
        width, height = self._size
        return Layout(
            "image/jpeg", width, height, tuple(self._shown), tuple(self._metadata), end, self._exif,
            tuple(self._profile[number] for number in sorted(self._profile)),
        )  # fmt: skip

    def _end(self) -> int | None:
        """Read all segments; return where the picture ends."""
        at = 2
        for _ in range(MAX_PARTS):
            pattern = _BEHIND_SCAN if self._scans else _MARKER
            match = pattern.search(self._data, at)
            if match is None:
                return None
            if match.start() > at:
                self._metadata.append(Span(at, match.start()))
            marker, at = self._data[match.end() - 1], match.end()
            if marker == 0xD9:
                return at
            if marker in _BARE:
                continue
            if at + 2 > len(self._data):
                return None
            stop = at + int.from_bytes(self._data[at : at + 2], "big")
            if stop < at + 2:
                raise ValueError
            if stop > len(self._data):
                return None
            at = self._segment(marker, Span(match.start(), stop))
        raise ValueError

    def _segment(self, marker: int, span: Span) -> int:
        """Note a segment, and the scan behind it; return where the next one may begin."""
        content = Span(span.start + 4, span.stop)
        if marker in _FRAMES:
            self._frame(content.of(self._data))
        elif marker == 0xDA:
            return self._scan(span, content.of(self._data))
        elif marker not in _TABLES and not self._is_of_colours(marker, content):
            self._metadata.append(span)
            self._note(marker, content)
            return span.stop
        self._shown.append(span)
        return span.stop

    def _is_of_colours(self, marker: int, content: Span) -> bool:
        pattern = _COLOURS.get(marker)
        return pattern is not None and pattern.match(content.of(self._data)) is not None

    def _frame(self, content: bytes) -> None:
        if self._size is not None:
            raise ValueError  # frames in frames: no decoder takes that
        height, width = int.from_bytes(content[1:3], "big"), int.from_bytes(content[3:5], "big")
        self._size = width, height
        components = content[6 : 6 + 3 * content[5] : 3]
        self._missing = {component: set(range(_COEFFICIENTS)) for component in components}

    def _scan(self, span: Span, content: bytes) -> int:
        """Note a scan: which of the coefficients it brings to their full depth."""
        components = content[1 : 1 + 2 * content[0] : 2]
        first, last, depth = content[-3], content[-2], content[-1] & 0x0F
        if not depth:
            for component in components:
                self._missing.get(component, set()).difference_update(range(first, last + 1))
        match = _BEHIND_SCAN.search(self._data, span.stop)
        stop = match.start() if match else len(self._data)
        self._shown.append(Span(span.start, stop))
        self._scans += 1
        return stop

    def _note(self, marker: int, content: Span) -> None:
        if marker == 0xE1 and self._data.startswith(_EXIF, content.start):
            self._exif = self._exif or Span(content.start + 6, content.stop)
        elif marker == 0xE2 and self._data.startswith(_PROFILE, content.start):
            number = self._data[content.start + 12]
            self._profile.setdefault(number, Span(content.start + 14, content.stop))
