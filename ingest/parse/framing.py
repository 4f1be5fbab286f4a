"""Where rows begin and end: in JSON lines, or in one JSON array. Pure, sans I/O.

Rule 1: a piece is ``(offset, bytes, length)``; of a piece longer than allowed only the first 2,048
        bytes are kept, whatever its length.
Rule 2: blank lines, carriage returns and a byte order mark belong to no row.
"""

from __future__ import annotations

import re
from typing import Final, Literal

Piece = tuple[int, bytes, int]

_KEPT: Final = 2_048
_BOM: Final = b"\xef\xbb\xbf"
_NEXT: Final = re.compile(rb'["\[\]{}]')
_BEGIN: Final = re.compile(rb"[^\s,]")
_WORD_END: Final = re.compile(rb"[\s,\]]")
_STRING_END: Final = re.compile(rb'["\\]')


class LineFramer:
    """One row a line."""

    def __init__(self, longest_bytes: int) -> None:
        """Start at the beginning of a file."""
        self.unterminated = False
        self._longest = longest_bytes
        self._offset = 0
        self._begun: list[bytes] = []
        self._begun_bytes = 0

    def feed(self, chunk: bytes) -> list[Piece]:
        """Return the lines that end in this chunk."""
        pieces: list[Piece] = []
        begin, end = 0, chunk.find(b"\n")
        while end >= 0:  # `split` looks at each byte for itself: it takes twice as long
            line = chunk[begin:end]
            begin, end = end + 1, chunk.find(b"\n", end + 1)
            if self._begun_bytes:
                self._begin(line)
                whole, length = b"".join(self._begun), self._begun_bytes
                self._begun, self._begun_bytes = [], 0
            else:
                whole, length = line, len(line)
            self._end(pieces, whole, length)
            self._offset += length + 1
        self._begin(chunk[begin:])
        return pieces

    def finish(self) -> list[Piece]:
        """Return the last line, if the file doesn't end with a line end."""
        pieces: list[Piece] = []
        whole, length = b"".join(self._begun), self._begun_bytes
        self._begun, self._begun_bytes = [], 0
        self._end(pieces, whole, length)
        self.unterminated = bool(pieces)
        return pieces

    def _begin(self, part: bytes) -> None:
        if not part:
            return
        self._begun_bytes += len(part)
        if self._begun_bytes <= self._longest + 1 + len(_BOM):
            self._begun.append(part)
        else:
            _shorten(self._begun, part)

    def _end(self, pieces: list[Piece], whole: bytes, length: int) -> None:
        offset = self._offset
        if offset == 0 and whole.startswith(_BOM):
            whole, offset, length = whole[len(_BOM) :], len(_BOM), length - len(_BOM)
        if length > self._longest + 1:
            pieces.append((offset, whole[:_KEPT], length))
            return
        stripped = whole.strip(b" \t\r\x0b\x0c")
        if len(stripped) == length and 0 < length <= self._longest:
            pieces.append((offset, whole, length))  # nearly every row
        elif len(stripped) > self._longest:
            pieces.append((offset, stripped[:_KEPT], len(stripped)))
        elif stripped:
            pieces.append((offset + whole.index(stripped[:1]), stripped, len(stripped)))


class ArrayFramer:
    """One row an element of the one array that the file is, whatever the element is."""

    def __init__(self, longest_bytes: int) -> None:
        """Start at the beginning of a file."""
        self.closed = False
        self.goes_on = False
        """Something stands behind the array's end: brackets that don't match hide rows there."""
        self.unterminated = False
        self._longest = longest_bytes
        self._offset = 0  # of the chunk in the file
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._element: Literal["", "nested", "text", "word"] = ""
        self._begun: list[bytes] = []
        self._begun_bytes = 0
        self._begun_at = 0

    def feed(self, chunk: bytes) -> list[Piece]:
        """Return the elements that end in this chunk."""
        pieces: list[Piece] = []
        at, start = 0, 0 if self._element else -1
        while at < len(chunk):
            if self.closed:
                self.goes_on = self.goes_on or bool(chunk[at:].strip())
                break
            if self._in_string:
                at = self._string(chunk, at)
                ended = self._element == "text" and not self._in_string
            elif self._element == "word":
                at, ended = self._word(chunk, at)
            elif self._depth == 1 and not self._element:
                at = start = self._begin(chunk, at)
                if self._element:
                    self._begun_at = self._offset + start
                at, ended = at + 1, False
            else:
                at, ended = self._brackets(chunk, at)
            if ended:
                self._keep(chunk[start:at])
                whole, length = b"".join(self._begun), self._begun_bytes
                kept = whole if length <= self._longest else whole[:_KEPT]
                pieces.append((self._begun_at, kept, length))
                self._begun, self._begun_bytes, self._element, start = [], 0, "", -1
        if self._element:
            self._keep(chunk[start:])
        self._offset += len(chunk)
        return pieces

    def _begin(self, chunk: bytes, at: int) -> int:
        """Begin the next element, of whatever kind, or close the array; return where."""
        match = _BEGIN.search(chunk, at)
        if match is None:
            return len(chunk)
        sign = match[0]
        if sign == b"]":
            self._depth, self.closed = 0, True
        elif sign in b"[{":
            self._depth, self._element = 2, "nested"
        elif sign == b'"':
            self._in_string, self._element = True, "text"
        else:
            self._element = "word"
        return match.start()

    def _word(self, chunk: bytes, at: int) -> tuple[int, bool]:
        match = _WORD_END.search(chunk, at)
        return (len(chunk), False) if match is None else (match.start(), True)

    def _brackets(self, chunk: bytes, at: int) -> tuple[int, bool]:
        """Go to behind the next sign that counts; tell whether the element ends with it."""
        match = _NEXT.search(chunk, at)
        if match is None:
            return len(chunk), False
        sign = match[0]
        if sign == b'"':
            self._in_string = True
        elif sign in b"[{":
            self._depth += 1
        else:
            self._depth -= 1
        return match.end(), self._depth == 1 and self._element == "nested" and sign in b"]}"

    def finish(self) -> list[Piece]:
        """Return nothing: an element that didn't end isn't one (`closed` tells)."""
        return []

    def _string(self, chunk: bytes, at: int) -> int:
        if self._escaped:
            self._escaped = False
            return at + 1
        match = _STRING_END.search(chunk, at)
        if match is None:
            return len(chunk)
        if match[0] == b"\\":
            self._escaped = True
        else:
            self._in_string = False
        return match.end()

    def _keep(self, part: bytes) -> None:
        self._begun_bytes += len(part)
        if self._begun_bytes <= self._longest:
            self._begun.append(part)
        else:
            _shorten(self._begun, part)


def _shorten(begun: list[bytes], part: bytes) -> None:
    """Keep of a piece that is too long its beginning, however it was cut on its way."""
    most_bytes = _KEPT + len(_BOM)
    if len(begun) != 1 or len(begun[0]) != most_bytes:
        begun[:] = [b"".join([*begun, part[:most_bytes]])[:most_bytes]]
