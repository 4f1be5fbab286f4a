"""What can be wrong with an export, by name.

Rule 1: a fault changes files on their way out, never the history: `expected` knows nothing of it.
Rule 2: faults of rows strike the first part of pets_n, updatedpets_n and newpets_n alike, so that
        daily runs and scrubs both meet them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lab.simulator.shapes import encode
from petstream.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FAULTS: dict[str, str] = {
    "missing-petlist": "petlist.csv isn't there",
    "empty-petlist": "petlist.csv has no bytes",
    "truncated-petlist": "petlist.csv ends at half, inside an id",
    "short-petlist": "petlist.csv ends cleanly, but names 40 % of the pets only",
    "html-petlist": "petlist.csv is an HTML error page",
    "stale-petlist": "petlist.csv is yesterday's, with yesterday's time",
    "stale-pets": "all files but petlist.csv are yesterday's, times too (from the second day on)",
    "late-export": "nothing new was written: yesterday's files stay",
    "missing-part": "the last but one part of each pets family is missing (a lone part is no. 2)",
    "cut-file": "the first file of each pets family stops at half of its bytes (zips too)",
    "cut-last-row": "the last row of each pets family stops in its middle, without a line end",
    "bad-row": "among the rows stand `false`, a PHP warning and a cut row (no real row is lost)",
    "repeated-rows": "the first rows of each pets part stand there twice",
    "number-ids": "ids are JSON numbers, not strings",
    "odd-pictures": 'pictures is "" or null instead of [], or an object keyed by index',
    "odd-text": "names hold a NUL, a lone surrogate and raw bytes that aren't UTF-8",
    "crlf": "a BOM at the start, CRLF line ends and blank lines",
    "no-stamp": "orgs_1.json begins without the time stamp row",
    "moved-pictures": "all picture URLs are under another path, with the same media ids and times",
}

_PETLIST = "petlist.csv"
_PAGE = b"<!DOCTYPE html>\n<html><body><h1>503 Service Unavailable</h1></body></html>\n"
_WARNING = b"<br />\n<b>Warning</b>:  Invalid argument supplied for foreach() in line 512<br />"


def check(faults: Sequence[str]) -> None:
    """Refuse names that are no fault."""
    for name in faults:
        if name not in FAULTS:
            raise UsageError(f"unknown fault {name!r}; known are: {', '.join(FAULTS)}")


def damaged(
    faults: Sequence[str], name: str, content: bytes, part: int, parts: int
) -> tuple[str, bytes] | None:
    """Apply faults to a file before it is zipped; None = the file isn't written."""
    for fault in faults:
        if name == _PETLIST:
            if fault == "missing-petlist":
                return None
            content = _PETLIST_FAULTS.get(fault, _same)(content)
        elif name.startswith("orgs"):
            content = _stampless(content) if fault == "no-stamp" and part == 1 else content
        elif fault == "missing-part" and part == parts - 1:
            return None
        elif fault == "missing-part" and parts == 1:
            name = name.replace("_1.", "_2.")
        elif fault == "cut-last-row" and part == parts:
            content = content[: -len(content.rstrip().rsplit(b"\n", 1)[-1]) // 2 - 1]
        else:
            content = _ROW_FAULTS.get(fault, _same)(content)
    return name, content


def damaged_bytes(faults: Sequence[str], name: str, content: bytes) -> bytes:
    """Apply faults of transport to a file as it goes out, zipped or not."""
    if "cut-file" in faults and name.endswith("pets_1.json"):
        return content[: len(content) // 2]
    return content


def _same(content: bytes) -> bytes:
    return content


def _stampless(content: bytes) -> bytes:
    first, _, rest = content.partition(b"\n")
    return content if b'"orgID"' in first else rest


def _truncated(content: bytes) -> bytes:
    """Stop behind the first digit of an id near the middle."""
    return content[: content.rindex(b",", 0, max(len(content) // 2, content.index(b",") + 1)) + 2]


def _short(content: bytes) -> bytes:
    ids = content.replace(b"\n", b",").rstrip(b",").split(b",")
    kept = ids[: len(ids) * 2 // 5]
    lines = (b",".join(kept[at : at + 100]) + b"\n" for at in range(0, len(kept), 100))
    return b"".join(lines)


def _bad_rows(content: bytes) -> bytes:
    first, newline, rest = content.partition(b"\n")
    cut = first[: len(first) // 2]
    return newline.join((first, b"false", _WARNING, cut, rest))


def _repeated(content: bytes) -> bytes:
    return content + b"".join(line + b"\n" for line in content.split(b"\n", 3)[:3] if line)


def _crlf(content: bytes) -> bytes:
    return b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n") + b"\r\n\r\n"


def _moved(content: bytes) -> bytes:
    r"""`http:\\/\\/host\\/701\\/pictures…` becomes `http:\\/\\/host\\/cdn\\/701\\/pictures…`."""
    return _each_row(content, _move)


def _number_ids(content: bytes) -> bytes:
    return _each_row(content, _with_number_ids)


def _odd_pictures(content: bytes) -> bytes:
    return _each_row(content, _with_odd_pictures)


def _odd_text(content: bytes) -> bytes:
    lines = _each_row(content, _with_odd_name).split(b"\n")
    for at in range(1, len(lines) - 1, 10):
        lines[at] = lines[at].replace(b'"name":"', b'"name":"\xff\xfe ')
    return b"\n".join(lines)


def _each_row(content: bytes, change: Callable[[int, dict[str, Any]], None]) -> bytes:
    lines = content.split(b"\n")
    for at, line in enumerate(lines):
        if line.startswith(b"{") and line.endswith(b"}"):
            row = json.loads(line)
            change(at, row)
            lines[at] = encode(row)
    return b"\n".join(lines)


def _move(_at: int, row: dict[str, Any]) -> None:
    folder = f"/{row['orgID']}/pictures/"
    moved = json.dumps(row["pictures"]).replace(folder, "/cdn" + folder)
    row["pictures"] = json.loads(moved)


def _with_number_ids(_at: int, row: dict[str, Any]) -> None:
    row["orgID"], row["animalID"] = int(row["orgID"]), int(row["animalID"])


def _with_odd_pictures(at: int, row: dict[str, Any]) -> None:
    if not row["pictures"]:
        row["pictures"] = "" if at % 2 else None
    elif at % 3 == 0:
        row["pictures"] = {str(index): picture for index, picture in enumerate(row["pictures"])}


def _with_odd_name(at: int, row: dict[str, Any]) -> None:
    if at % 10 == 0:
        row["name"] += "\x00\ud800"


_PETLIST_FAULTS: dict[str, Callable[[bytes], bytes]] = {
    "empty-petlist": lambda _: b"",
    "html-petlist": lambda _: _PAGE,
    "truncated-petlist": _truncated,
    "short-petlist": _short,
}
_ROW_FAULTS: dict[str, Callable[[bytes], bytes]] = {
    "bad-row": _bad_rows,
    "repeated-rows": _repeated,
    "number-ids": _number_ids,
    "odd-pictures": _odd_pictures,
    "odd-text": _odd_text,
    "crlf": _crlf,
    "moved-pictures": _moved,
}
