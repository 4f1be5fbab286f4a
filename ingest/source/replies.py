"""What FTP servers answer, read as widely as other clients read it. Pure.

Rule 1: what can't be read is None: the caller falls back, or says so in a line about the server.
Rule 2: only the digits count: around them stand any words, with or without parentheses.
Rule 3: nothing that is read here becomes an address or a path of ours: of a passive reply it's the
        port alone, of a listing the names as the server spells them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

_SIX_NUMBERS: Final = re.compile(
    r"(?<![0-9])[0-9]{1,3}(?:\s*,\s*[0-9]{1,3}){3}\s*,\s*([0-9]{1,3})\s*,\s*([0-9]{1,3})(?![0-9])",
    re.ASCII,
)
_EXTENDED: Final = re.compile(
    r"([|!#$%&*+/;<=>?@^_`~\\])[12]?\1[0-9A-Fa-f.:]{0,45}\1([0-9]{1,5})(?![0-9])", re.ASCII
)
_HIGHEST_PORT: Final = 65_535
_HIGHEST_BYTE: Final = 255
_SIZE: Final = re.compile(
    r"(?<![\w.,-])([0-9]{1,3}(?:,[0-9]{3}){1,5}|[0-9]{1,18})(?!\w|[.,][0-9])", re.ASCII
)
_TIME: Final = re.compile(r"(?<![0-9])([0-9]{4})([0-9]{10})(?![0-9])", re.ASCII)
_TIME_SINCE_1900: Final = re.compile(r"(?<![0-9])19(1[0-9]{2})([0-9]{10})(?![0-9])", re.ASCII)
_LIKE_LS: Final = re.compile(r"[-lbcdps][-rwxsStT]{9}[+.@]?\s.*\s", re.ASCII)
_LIKE_DIR: Final = re.compile(
    r"[0-9]{2}[-/][0-9]{2}[-/][0-9]{2,4}\s+[0-9]{2}:[0-9]{2}([AP]M)?\s.*\s"
)
_FACTS: Final = re.compile(r"\s*((?:[A-Za-z][A-Za-z0-9.\-]*=[^;\r\n]*;)+) (.*)", re.ASCII)
_DIRECTORIES: Final = frozenset({"dir", "cdir", "pdir"})


def passive_port(lines: Sequence[str]) -> int | None:
    """Return the port of a data connection, in the form of PASV or of EPSV, whichever was asked."""
    for line in reversed(lines):
        for match in reversed(list(_EXTENDED.finditer(line))):
            port = int(match[2])
            if 0 < port <= _HIGHEST_PORT:
                return port
        for match in reversed(list(_SIX_NUMBERS.finditer(line))):
            high, low = int(match[1]), int(match[2])
            port = high * 256 + low
            if port > 0 and high <= _HIGHEST_BYTE and low <= _HIGHEST_BYTE:
                return port
    return None


def size(lines: Sequence[str]) -> int | None:
    """Return a file's size in bytes, from the answer to SIZE."""
    for line in reversed(lines):
        match = _SIZE.search(line)
        if match is not None:
            return int(match[1].replace(",", ""))
    return None


def time(lines: Sequence[str]) -> datetime | None:
    """Return a file's time, from the answer to MDTM, which is UTC.

    (Some servers write the years since 1900 behind `19`.)
    """
    for line in reversed(lines):
        match = _TIME.search(line)
        text = match and match[0]
        if match is None and (odd := _TIME_SINCE_1900.search(line)) is not None:
            text = f"{1900 + int(odd[1])}{odd[2]}"
        if text:
            try:
                return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
            except ValueError:
                continue
    return None


def facts(lines: Sequence[str]) -> tuple[int | None, datetime | None]:
    """Return a file's size and time, from the answer to MLST."""
    for line in lines:
        match = _FACTS.search(line)
        if match is None:
            continue
        known = dict(fact.lower().partition("=")[::2] for fact in match[1].split(";") if fact)
        return size([known.get("size", "")]), time([known.get("modify", "")])
    return None, None


def names(listed: str) -> list[str]:
    """Return the names of a listing, each once: of NLST, of MLSD, or in the looks of LIST."""
    return list(dict.fromkeys(_names(listed)))


def _names(listed: str) -> Iterator[str]:
    # not `splitlines`: it splits at ten signs more, which may stand in names of others' files
    for written in listed.split("\n"):
        line = written.strip("\r \t")
        with_facts = _FACTS.fullmatch(line)
        if with_facts is not None:
            kind = re.search(r"type=([a-z]+)", with_facts[1].lower())
            if kind is not None and kind[1] in _DIRECTORIES:
                continue
            line = with_facts[2]
        elif _LIKE_LS.match(line) or _LIKE_DIR.match(line):
            if line.startswith("d") or "<DIR>" in line:
                continue
            line = line.partition(" -> ")[0].rpartition(" ")[2]
        if line and "\0" not in line and "\r" not in line and ".." not in line:
            yield line
