"""Bytes to framed rows to dicts: any chunking gives the same. Pure, and no file in memory.

Rule 1: we frame the rows ourselves, so that a bad one costs one row: the parser can't go on after
        an error, and some inputs crash it or eat all memory.
Rule 2: what could hurt the parser is refused before it sees it: numbers of a thousand digits (its
        C code dies of 4,301), deep nesting (memory is quadratic in it), a million keys, 4 MiB.
Rule 3: a chunk of whole rows is parsed at once, those of them mended that are odd; only where that
        fails, all are taken with care, and only where that fails, row by row. All come to the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import ijson

from ingest.parse.contacts import bytes_without_contacts
from ingest.parse.framing import ArrayFramer, LineFramer
from ingest.parse.sanitize import (
    danger,
    is_harmless,
    is_windows_1252,
    mend,
    without_odd_escapes,
)
from petstream.errors import PetstreamError

LONGEST_ROW_BYTES: Final = 4 * 1024 * 1024
KEPT_OF_BAD_BYTES: Final = 2_048
MENDED: Final = "text that was mended"
WINDOWS_1252: Final = "text in Windows-1252"

_MOST_BLANKS: Final = 4_096
_BUFFER_BYTES: Final = 64 * 1024
_WORDS: Final = (b"false", b"null", b"true")
_ARRAY_BEGINS: Final = re.compile(rb"[{\]]|false|null|true")
_BOM: Final = b"\xef\xbb\xbf"


class Row(NamedTuple):
    """A framed row: its number from 1, its byte offset in the unzipped file, its bytes."""

    number: int
    offset: int
    raw: bytes


class BadRow(NamedTuple):
    """A row that is set aside: where it stood, a stable word why, and what is kept of its bytes."""

    number: int
    offset: int
    reason: str
    message: str
    raw: bytes


class RowFramer:
    """Frames a file, whether it is JSON lines or one array, as its bytes come in."""

    def __init__(self) -> None:
        """Start at the beginning of a file."""
        self.rows = 0
        self.cut_last = False
        self.goes_on = False
        """Something stands behind the end of the array that the file is: rows may be lost there."""
        self.odd: tuple[str, ...] = ()
        self._head = b""
        self._first_line: bytes | None = b""
        self._framer: LineFramer | ArrayFramer | None = None

    def feed(self, chunk: bytes) -> list[Row | BadRow]:
        """Return the rows that end in this chunk."""
        if self._first_line is not None:
            self._note(chunk)
        if self._framer is None:
            self._head += chunk
            if not self._choose():
                return []
            chunk, self._head = self._head, b""
        assert self._framer is not None  # noqa: S101  `_choose` has made it
        return self._made(self._framer.feed(chunk))

    def finish(self) -> list[Row | BadRow]:
        """Return what is left at the end of the file, and know whether the last row is whole."""
        if self._framer is None:
            self._framer = LineFramer(LONGEST_ROW_BYTES)
            rows = self._made(self._framer.feed(self._head))
        else:
            rows = []
        rows += self._made(self._framer.finish())
        if self._first_line is not None:
            self._note(b"\n")
        last = self._framer.unterminated
        if isinstance(self._framer, ArrayFramer):
            self.cut_last, self.goes_on = not self._framer.closed, self._framer.goes_on
        elif last and rows and isinstance(rows[-1], Row):
            self.cut_last = isinstance(_parsed_alone(rows[-1]), BadRow)
        elif last:
            self.cut_last = True
        return rows

    def _note(self, chunk: bytes) -> None:
        """Note what is odd about the first line, of which its two ends are kept until then."""
        before, end, _ = chunk.partition(b"\n")
        line = (self._first_line or b"") + before
        self._first_line = None if end else line[: len(_BOM)] + line[len(_BOM) :][-1:]
        if end:
            odd = {
                "byte order mark": line.startswith(_BOM),
                "carriage returns": line.endswith(b"\r"),
            }
            self.odd = tuple(word for word, is_there in odd.items() if is_there)

    def _choose(self) -> bool:
        if len(self._head) < len(_BOM) and self._head[:1] in {b"", _BOM[:1]}:
            return False
        sign = self._head.removeprefix(_BOM).lstrip()
        first = sign[1:].lstrip() if sign.startswith(b"[") else sign
        if len(self._head) - len(first) > _MOST_BLANKS:
            self._framer = LineFramer(LONGEST_ROW_BYTES)  # nothing is kept to look further
        elif not first or (first is not sign and any(w.startswith(first) for w in _WORDS)):
            return False  # too little to tell
        elif first is not sign and _ARRAY_BEGINS.match(first):
            self._framer = ArrayFramer(LONGEST_ROW_BYTES)
        else:
            self._framer = LineFramer(LONGEST_ROW_BYTES)
        return True

    def _made(self, pieces: Sequence[tuple[int, bytes, int]]) -> list[Row | BadRow]:
        rows: list[Row | BadRow] = []
        for number, (offset, raw, length) in enumerate(pieces, self.rows + 1):
            if length > LONGEST_ROW_BYTES:
                message = f"the row has {length:,} bytes; {LONGEST_ROW_BYTES:,} is the most"
                rows.append(BadRow(number, offset, "too-long", message, kept_of(raw)))
            else:
                rows.append(Row(number, offset, raw))
        self.rows += len(rows)
        return rows


def assert_backend() -> None:
    """Refuse to work with a slow ijson: its other backends differ, and take twenty times as long.

    Raises:
        PetstreamError: the C backend isn't there.
    """
    if ijson.backend != "yajl2_c":
        raise PetstreamError(
            f"ijson runs on its {ijson.backend} backend, not on yajl2_c: install ijson from a "
            "wheel ('pip install --force-reinstall --only-binary ijson ijson')"
        )


def parse(rows: Sequence[Row], odd: Counter[str] | None = None) -> list[dict[str, Any] | BadRow]:
    """Return what each row holds, in order: an object, or why it can't be read.

    `odd` counts the rows whose text had to be mended.
    """
    ready = [without_odd_escapes(row.raw) for row in rows]
    refused: dict[int, BadRow] = {}
    for index in [index for index, raw in enumerate(ready) if not is_harmless(raw)]:
        ready[index] = mend(rows[index].raw)
        bad = _refused(rows[index], ready[index])
        if bad is not None:
            refused[index] = bad
    safe = [raw for index, raw in enumerate(ready) if index not in refused] if refused else ready
    objects = _parsed_together(safe)
    if objects is None:
        return parsed_with_care(rows, odd)
    if odd is not None:
        odd.update(_words_of(rows, ready))
    parsed: list[dict[str, Any] | BadRow] = [*objects]
    for index, bad in refused.items():  # from the first to the last: each lands where it stood
        parsed.insert(index, bad)
    return parsed


def parsed_with_care(
    rows: Sequence[Row], odd: Counter[str] | None = None
) -> list[dict[str, Any] | BadRow]:
    """Parse rows of which one may be broken: what is refused, mended or broken costs no other."""
    mended = [mend(row.raw) for row in rows]
    if odd is not None:
        odd.update(_words_of(rows, mended))
    parsed: list[dict[str, Any] | BadRow | None] = [*map(_refused, rows, mended)]
    safe = [index for index, bad in enumerate(parsed) if bad is None]
    together = _parsed_together([mended[index] for index in safe])
    for place, index in enumerate(safe):
        parsed[index] = together[place] if together is not None else _parsed_alone(rows[index])
    return [row for row in parsed if row is not None]


def kept_of(raw: bytes) -> bytes:
    """Return what is kept of a row that is set aside: its first bytes, without any contact."""
    return bytes_without_contacts(raw[: 2 * KEPT_OF_BAD_BYTES])[:KEPT_OF_BAD_BYTES]


def _parsed_together(ready: Sequence[bytes]) -> list[dict[str, Any]] | None:
    try:
        data = b"\n".join(ready)
        # the parser scans a text again for each buffer that it reaches into: one for a long row
        has_long = any(len(row) > _BUFFER_BYTES for row in ready)
        size_bytes = len(data) if has_long else _BUFFER_BYTES
        objects = list(ijson.items(data, "", multiple_values=True, buf_size=size_bytes))
    except (ijson.JSONError, ValueError, SystemError):
        return None
    whole = len(objects) == len(ready) and all(isinstance(each, dict) for each in objects)
    return objects if whole else None


def _parsed_alone(row: Row) -> dict[str, Any] | BadRow:
    raw = mend(row.raw)
    bad = _refused(row, raw)
    if bad is not None:
        return bad
    objects = _parsed_together([raw])
    return objects[0] if objects else _bad(row, "not-json", "the row isn't whole, valid JSON")


def _refused(row: Row, raw: bytes) -> BadRow | None:
    refusal = danger(raw)
    return None if refusal is None else _bad(row, *refusal)


def _words_of(rows: Sequence[Row], mended: Sequence[bytes]) -> dict[str, int]:
    """Return how many rows were odd, by what was odd."""
    changed = [
        row.raw
        for row, now in zip(rows, mended, strict=True)
        if now is not row.raw and now != row.raw
    ]
    recoded = sum(map(is_windows_1252, changed))
    words = {MENDED: len(changed) - recoded, WINDOWS_1252: recoded}
    return {word: number for word, number in words.items() if number}


def _bad(row: Row, reason: str, message: str) -> BadRow:
    return BadRow(row.number, row.offset, reason, message, kept_of(row.raw))
