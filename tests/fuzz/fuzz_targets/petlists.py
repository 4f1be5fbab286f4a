"""petlist.csv: whatever it holds is counted, and a list that is cut is never believed wrongly.

Rule 1: each piece is an id, an id once more, or a reject; an independent reading finds the same.
Rule 2: of a list by the book that is cut in the transfer, no wrong id is believed.
"""

from __future__ import annotations

import re
from typing import Final

from fuzz_targets.pieces import fuzzed, seed
from ingest.removals.petlist import problems, read_petlist

LONGEST_BYTES: Final = 4_096

_PIECES: Final = re.compile(rb"[\s,\"]+")


def run(data: bytes) -> None:
    """Read a list of these bytes, then the ids in it as a list by the book, cut somewhere."""
    given = fuzzed(data)
    pieces = [
        piece for piece in _PIECES.split(given.payload.removeprefix(b"\xef\xbb\xbf")) if piece
    ]
    ids = [int(piece) for piece in pieces if piece.isdigit() and len(piece) <= 18]
    for is_whole in (False, True):
        petlist = read_petlist(given.payload, is_whole=is_whole)
        assert petlist.ids == set(ids)
        assert petlist.duplicates == len(ids) - len(petlist.ids)
        assert petlist.rejects == len(pieces) - len(ids)
        if not petlist.ids:
            assert problems(petlist), "a list without an id is believed"
    _cut(ids, given.control)


def _cut(ids: list[int], control: bytes) -> None:
    a_row, place, form, _ = control
    separator, end = (b",", b", ", b'","', b"\t")[form % 4], (b"\n", b"\r\n")[form // 4 % 2]
    a_row = a_row % 100 + 1
    rows = [ids[at : at + a_row] for at in range(0, len(ids), a_row)]
    written = [separator.join(b"%d" % number for number in row) for row in rows]
    if separator == b'","':
        written = [b'"%b"' % row for row in written]
    whole = b"".join(row + end for row in written)
    if ids:
        petlist = read_petlist(whole)
        assert petlist.ids == set(ids)
        assert not problems(petlist), "a list by the book is doubted"
    at = place * len(whole) // 256
    cut = read_petlist(whole[:at])
    if at > whole.find(b"\n") and not problems(cut):  # a cut first row has no fellow to differ from
        assert cut.ids <= set(ids), "a stump of an id is believed"


def seeds() -> dict[str, bytes]:
    """Return lists in every form."""
    return {
        "rows": seed(b"22611034,22611035,22611036\n22611037,22611038\n", b"\2\x60"),
        "lines": seed(b"1\r\n2\r\n3\r\n", b"\0\x80\4"),
        "quoted": seed(b'"7","8"\n"9","8"\n', b"\1\x90\2"),
        "no-end": seed(b"22611034,22611035\n22611036,22611037", b"\0\xf0\1"),
        "header": seed(b"\xef\xbb\xbfanimalID\n1, 2, 3,\n", b"\1\x70\5"),
        "page": seed(b"<html><body>502 Bad Gateway 17</body></html>"),
    }  # fmt: skip


WORDS: Final = (
    b"22611034", b",", b'","', b"\r\n", b"\n", b"animalID", b"\x00", b"9" * 18, b"9" * 19,
)  # fmt: skip
