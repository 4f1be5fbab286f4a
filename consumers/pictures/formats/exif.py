"""EXIF: how a picture is to be turned. Whatever can't be read turns nothing.

Rule 1: only the first directory is read, and of it only what stands inside of the block.
Rule 2: a block with numbers where words belong, or words where numbers do, is damaged or made up:
        it isn't believed in the rest either.
"""

from __future__ import annotations

import struct
from typing import Final

UPRIGHT: Final = 1
_ORIENTATION: Final = 0x0112
_MAX_ENTRIES: Final = 1_000
_WHOLE_NUMBERS: Final = {1: "B", 3: "H", 4: "I"}
_NUMBERS: Final = frozenset({1, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13})
_TEXT: Final = frozenset({2, 129})
_MISFITS: Final = {
    # description, maker, model, software, date, artist, computer, copyright
    **dict.fromkeys((0x10E, 0x10F, 0x110, 0x131, 0x132, 0x13B, 0x13C, 0x8298), _NUMBERS),
    # width, height, resolutions, their unit, the places of further directories
    **dict.fromkeys((0x100, 0x101, 0x11A, 0x11B, 0x128, 0x213, 0x8769, 0x8825), _TEXT),
}
_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}


def orientation(exif: bytes) -> int:
    r"""Return the orientation, 1 to 8, that a block of EXIF gives; 1 if it gives none.

    >>> orientation(b"no EXIF")
    1
    >>> orientation(b"MM\0*" + bytes((0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0)))
    6
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order = _ORDERS.get(exif[:4])
    try:
        return _orientation(exif, order) if order else UPRIGHT
    except struct.error:
        return UPRIGHT  # it is cut, or points beyond itself


def _orientation(exif: bytes, order: str) -> int:
    (at,) = struct.unpack_from(f"{order}I", exif, 4)
    (entries,) = struct.unpack_from(f"{order}H", exif, at)
    turn = UPRIGHT
    for place in range(at + 2, at + 2 + 12 * min(entries, _MAX_ENTRIES), 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", exif, place)
        if kind in _MISFITS.get(tag, ()):
            return UPRIGHT
        if tag == _ORIENTATION and turn == UPRIGHT and kind in _WHOLE_NUMBERS and count == 1:
            (turn,) = struct.unpack_from(f"{order}{_WHOLE_NUMBERS[kind]}", exif, place + 8)
    return turn if turn in range(UPRIGHT, 9) else UPRIGHT
