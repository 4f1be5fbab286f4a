"""What the fuzzer's bytes are made into: a payload, and how it is cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

CONTROL_BYTES: Final = 4
"""They stand behind the payload: so what is inserted before them leaves them what they are."""


class Fuzzed(NamedTuple):
    """A payload, and four bytes that choose what is done with it."""

    payload: bytes
    control: bytes

    def is_set(self, bit: int) -> bool:
        """Tell whether a bit of the first byte of control is set."""
        return bool(self.control[0] >> bit & 1)

    def chunks(self) -> Iterator[bytes]:
        """Return the payload in pieces: every few bytes at its beginning, then at three places."""
        size = len(self.payload)
        step, *places = self.control
        cuts = {place * size // 256 for place in places} | {size}
        if step:
            cuts |= set(range(0, min(size, 16 * step), step % 16 + 1))
        before = 0
        for cut in sorted(cuts):
            yield self.payload[before:cut]
            before = cut


def fuzzed(data: bytes) -> Fuzzed:
    """Take the fuzzer's bytes apart."""
    padded = data.rjust(CONTROL_BYTES, b"\0")
    return Fuzzed(padded[:-CONTROL_BYTES], padded[-CONTROL_BYTES:])


def seed(payload: bytes, control: bytes = b"\0\0\0\0") -> bytes:
    """Put a payload and its control together, as `fuzzed` takes them apart."""
    return payload + control.ljust(CONTROL_BYTES, b"\0")
