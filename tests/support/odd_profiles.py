"""Colour profiles written by hand: sRGB's colours in another order, so that it shows."""

from __future__ import annotations

import struct
from typing import Final

_PRIMARIES: Final = {
    b"rXYZ": (0.4361, 0.2225, 0.0139),
    b"gXYZ": (0.3851, 0.7169, 0.0971),
    b"bXYZ": (0.1431, 0.0606, 0.7141),
}
_WHITE: Final = (0.9642, 1.0, 0.8249)


def profile(space: str = "RGB", *, swapped: bool = False, gamma: float = 2.2) -> bytes:
    """Return a profile of a display; `swapped`: what it calls red is blue, and the reverse."""
    curve = struct.pack(">4sIIH", b"curv", 0, 1, int(gamma * 256)).ljust(16, b"\0")
    tags = {b"desc": b"desc" + bytes(4) + struct.pack(">I", 2) + b"x\0" + bytes(79),
            b"wtpt": _xyz(_WHITE), b"cprt": b"text" + bytes(4) + b"none\0\0\0\0"}  # fmt: skip
    if space == "GRAY":
        tags[b"kTRC"] = curve
    else:
        names = [b"bXYZ", b"gXYZ", b"rXYZ"] if swapped else list(_PRIMARIES)
        tags |= {name: _xyz(place) for name, place in zip(names, _PRIMARIES.values(), strict=True)}
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        table += name + struct.pack(">II", at + len(body), len(content))
        body += padded
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"none", 0x02400000, b"mntr",
                       space.ljust(4).encode(), b"XYZ ")  # fmt: skip
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">iii", *map(_fixed, _WHITE))
    return head.ljust(128, b"\0") + table + body


def _xyz(place: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">iii", *map(_fixed, place))


def _fixed(value: float) -> int:
    return round(value * 65536)
