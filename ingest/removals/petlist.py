"""petlist.csv: the ids of all pets in the feed, and what is wrong with the list. Pure.

Rule 1: ids are split on commas, white space and quotes; whatever else stands there is a reject.
Rule 2: a list that ends in the middle of a line may have been cut inside an id, which makes a wrong
        id: it must end with a line end; or, where the file is known to be whole (its writer ends
        no last row), with a whole id in a row that isn't longer than others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import xxhash

MOST_REJECTS: Final = 0.001
"""The share of pieces that may be no ids."""

_PIECE: Final = re.compile(rb'[^,\s"]+')
_BLANKS: Final = bytes.maketrans(b',"\t\n\r\f\v', b" " * 7)
_BLOCK_BYTES: Final = 64 * 1024
_AT_ONCE: Final = 4_096
_ID: Final = re.compile(rb"[0-9]{1,18}")
_LONGEST_ID: Final = 18
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class PetList:
    """The list: its ids, and how it looked."""

    ids: AbstractSet[int]
    rows: int
    rejects: int
    duplicates: int
    ends_cleanly: bool
    digest: str
    """Of the ids, whatever form they are in: equal = the same list."""


def read_petlist(data: bytes, *, is_whole: bool = False) -> PetList:
    """Return the ids of a list of any of the forms there may be.

    Args:
        data: the file.
        is_whole: these are as many bytes as the server has (SIZE), or the zip's check sum is right.
    """
    body = data.removeprefix(_BOM)
    unique: set[int] = set()
    pieces = rejects = 0
    for some in _pieces(body):
        ids = some if _are_ids(some) else [piece for piece in some if _ID.fullmatch(piece)]
        unique.update(map(int, ids))
        pieces += len(some)
        rejects += len(some) - len(ids)
    return PetList(
        ids=unique,
        rows=sum(1 for line in body.splitlines() if line.strip()),
        rejects=rejects,
        duplicates=pieces - rejects - len(unique),
        ends_cleanly=body.endswith((b"\n", b"\r")) or _last_is_whole(body, is_whole=is_whole),
        digest=_digest(unique),
    )


def problems(petlist: PetList) -> list[str]:
    """Say what keeps a list from being believed."""
    wrong = []
    pieces = len(petlist.ids) + petlist.duplicates + petlist.rejects
    if not petlist.ids:
        wrong.append("petlist.csv holds no id")
    if petlist.rejects and petlist.rejects > MOST_REJECTS * pieces + (1 if petlist.ids else 0):
        wrong.append(f"{petlist.rejects:,} of {pieces:,} pieces of petlist.csv are no ids")
    if petlist.ids and not petlist.ends_cleanly:
        wrong.append("petlist.csv is cut: it ends in the middle of a line")
    return wrong


def _pieces(body: bytes) -> Iterator[list[bytes]]:
    """Return what stands between the separators, by blocks: all at once would show in memory."""
    blank, begin = body.translate(_BLANKS), 0
    while begin < len(blank):
        end = blank.find(b" ", begin + _BLOCK_BYTES)
        end = len(blank) if end < 0 else end
        yield blank[begin:end].split()
        begin = end


def _are_ids(pieces: list[bytes]) -> bool:
    """Tell, at the least cost, that all of these are ids: nearly always they are."""
    return b"".join(pieces).isdigit() and max(map(len, pieces)) <= _LONGEST_ID


def _digest(ids: AbstractSet[int]) -> str:
    digest, numbers = xxhash.xxh3_128(), sorted(ids)
    for begin in range(0, len(numbers), _AT_ONCE):
        some = numbers[begin : begin + _AT_ONCE]
        digest.update("\n".join([*map(str, some), ""]).encode())
    return digest.hexdigest()


def _last_is_whole(body: bytes, *, is_whole: bool) -> bool:
    """Tell whether a list without a final line end may yet be whole (rule 2).

    Its last row isn't longer than its fellows, and ends as they do; its last id isn't a stump.
    """
    *fellows, last = [row.rstrip() for row in body.split(b"\n")]
    ids = _PIECE.findall(body)
    if len(ids) < 2:  # noqa: PLR2004  one id has no fellow to compare with
        return False
    if fellows and not is_whole:
        return False
    if fellows:
        longest = max(len(_PIECE.findall(row)) for row in fellows)
        if len(_PIECE.findall(last)) > longest:
            return False
        if last.endswith(b",") != fellows[0].endswith(b","):
            return False
    *before, cut = ids
    numbers = [int(each) for each in before if _ID.fullmatch(each)]
    in_order = all(lower < higher for lower, higher in pairwise(numbers))
    if in_order and _ID.fullmatch(cut) and numbers and int(cut) <= numbers[-1]:
        return False
    return len(cut) >= min(map(len, before))
