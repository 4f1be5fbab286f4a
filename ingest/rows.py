"""Bytes to framed rows to dicts: any chunking gives the same. Pure, and no file in memory.

Rule 1: we frame the rows ourselves, so that a bad one costs one row: the parser can't go on after
        an error, and some inputs crash it or eat all memory.
Rule 2: what could hurt the parser is refused before it sees it: numbers of a thousand digits (its
        C code dies of 4,301), deep nesting (memory is quadratic in it), a million keys, 4 MiB.
Rule 3: a chunk of whole rows is parsed at once; only where one of them is odd, with care, and only
        where that fails, row by row. All three come to the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import ijson

from contracts.errors import PetstreamError
from ingest.framing import ArrayFramer, LineFramer
from ingest.mending import mend, without_odd_escapes

LONGEST_ROW_BYTES: Final = 4 * 1024 * 1024
DEEPEST: Final = 32
MOST_KEYS: Final = 20_000
KEPT_OF_BAD_BYTES: Final = 2_048

_MOST_BRACKETS: Final = 4_096
_SHALLOW_BRACKETS: Final = 64
_MOST_BLANKS: Final = 4_096
_SHORT_BYTES: Final = 3 * MOST_KEYS  # a key and its value take four bytes at least
_LONG_NUMBER: Final = re.compile(rb"[0-9]{1000}")
_SAMPLE: Final = 250
_DIGITS_AT_SAMPLES: Final = re.compile(rb"[0-9]{3}")
_BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)
_BOM: Final = b"\xef\xbb\xbf"


class Row(NamedTuple):
    """A framed row: its number from 1, its byte offset in the unzipped file, its bytes."""

    number: int
    offset: int
    raw: bytes


class BadRow(NamedTuple):
    """A row that is set aside: where it stood, a stable word why, and its first 2,048 bytes."""

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
        self._head = b""
        self._framer: LineFramer | ArrayFramer | None = None

    def feed(self, chunk: bytes) -> list[Row | BadRow]:
        """Return the rows that end in this chunk."""
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
        last = self._framer.unterminated
        if isinstance(self._framer, ArrayFramer):
            self.cut_last = not self._framer.closed
        elif last and rows and isinstance(rows[-1], Row):
            self.cut_last = isinstance(_one(rows[-1]), BadRow)
        elif last:
            self.cut_last = True
        return rows

    def _choose(self) -> bool:
        if len(self._head) < len(_BOM) and self._head[:1] in {b"", _BOM[:1]}:
            return False
        sign = self._head.removeprefix(_BOM).lstrip()
        first = sign[1:].lstrip() if sign.startswith(b"[") else sign
        if len(self._head) - len(first) > _MOST_BLANKS:
            self._framer = LineFramer(LONGEST_ROW_BYTES)  # nothing is kept to look further
        elif not first:
            return False
        elif first is not sign and first[:1] in {b"{", b"]"}:
            self._framer = ArrayFramer(LONGEST_ROW_BYTES)
        else:
            self._framer = LineFramer(LONGEST_ROW_BYTES)
        return True

    def _made(self, pieces: Sequence[tuple[int, bytes, int]]) -> list[Row | BadRow]:
        found: list[Row | BadRow] = []
        for offset, raw, length in pieces:
            self.rows += 1
            if length > LONGEST_ROW_BYTES:
                message = f"the row has {length:,} bytes; {LONGEST_ROW_BYTES:,} is the most"
                found.append(BadRow(self.rows, offset, "too-long", message, raw))
            else:
                found.append(Row(self.rows, offset, raw))
        return found


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


def parse(rows: Sequence[Row]) -> list[dict[str, Any] | BadRow]:
    """Return what each row holds, in order: an object, or why it can't be read."""
    plain = [without_odd_escapes(row.raw) for row in rows]
    if all(map(is_harmless, plain)) and (found := _all(plain)) is not None:
        return [*found]
    return parsed_with_care(rows)


def is_harmless(raw: bytes) -> bool:
    """Tell, at the least cost, that the parser may see a row; False = look closer."""
    return (
        raw.startswith(b"{")
        and len(raw) < _SHORT_BYTES
        and raw.count(b"[") + raw.count(b"{") <= _SHALLOW_BRACKETS
        and not _holds_long_number(raw)
    )


def parsed_with_care(rows: Sequence[Row]) -> list[dict[str, Any] | BadRow]:
    """Parse rows of which one at least is odd: what is refused, mended or broken costs no other."""
    mended = [mend(row.raw) for row in rows]
    found: list[dict[str, Any] | BadRow | None] = [*map(refuse, rows, mended)]
    safe = [index for index, bad in enumerate(found) if bad is None]
    together = _all([mended[index] for index in safe])
    for place, index in enumerate(safe):
        found[index] = together[place] if together is not None else _one(rows[index])
    return [one for one in found if one is not None]


def refuse(row: Row, raw: bytes) -> BadRow | None:
    """Return why the parser must not see a row, mended to `raw`, or None: it may."""
    if not raw.lstrip().startswith(b"{"):
        return _bad(row, "not-an-object", "the row isn't a JSON object")
    if _holds_long_number(raw):
        return _bad(row, "digits", "the row holds a number of a thousand digits or more")
    brackets = raw.count(b"[") + raw.count(b"{")
    if brackets > _SHALLOW_BRACKETS and (brackets > _MOST_BRACKETS or _depth(raw) > DEEPEST):
        return _bad(row, "depth", f"the row is nested too deeply (at most {DEEPEST} levels)")
    if raw.count(b'":') > MOST_KEYS:
        return _bad(row, "keys", f"the row holds more than {MOST_KEYS:,} keys")
    return None


def _holds_long_number(raw: bytes) -> bool:
    """Look at every 250th byte first: searching all of every row costs as much as parsing it."""
    suspicious = _DIGITS_AT_SAMPLES.search(raw[::_SAMPLE]) is not None
    return suspicious and _LONG_NUMBER.search(raw) is not None


def _all(ready: Sequence[bytes]) -> list[dict[str, Any]] | None:
    try:
        found = list(ijson.items(b"\n".join(ready), "", multiple_values=True)) if ready else []
    except (ijson.JSONError, ValueError, SystemError):
        return None
    whole = len(found) == len(ready) and all(isinstance(one, dict) for one in found)
    return found if whole else None


def _one(row: Row) -> dict[str, Any] | BadRow:
    raw = mend(row.raw)
    bad = refuse(row, raw)
    if bad is not None:
        return bad
    found = _all([raw])
    return found[0] if found else _bad(row, "not-json", "the row isn't whole, valid JSON")


def _depth(raw: bytes) -> int:
    deepest = level = 0
    for piece in _BRACKETS.findall(raw):
        if piece in {b"[", b"{"}:
            level += 1
            deepest = max(deepest, level)
        elif piece in {b"]", b"}"}:
            level -= 1
    return deepest


def _bad(row: Row, reason: str, message: str) -> BadRow:
    return BadRow(row.number, row.offset, reason, message, row.raw[:KEPT_OF_BAD_BYTES])
