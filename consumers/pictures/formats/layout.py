"""What a picture's file is made of: the parts that show it, what is only said of it, its end."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

ContentType = Literal["image/jpeg", "image/png", "image/gif", "image/webp"]

MALFORMED: Final = (IndexError, struct.error, ValueError)
"""What a reader of a format raises where the bytes stop, or make no sense, before any pixels."""
MAX_PARTS: Final = 200_000
"""Nobody writes so many; each costs a step."""


class Span(NamedTuple):
    """Bytes of a file, from and up to."""

    start: int
    stop: int

    def of(self, data: bytes) -> bytes:
        """Return the bytes."""
        return data[self.start : self.stop]


@dataclass(frozen=True)
class Layout:
    """A picture's file, read by its headers.

    `shown` are the parts that a decoder needs, in their order; `metadata` what else there is before
    the end, without the pixels of further frames. `end` None: the bytes stop without an end, and
    only a decoder can tell whether all pixels are there. The profile of a PNG is deflated;
    where a PNG has a gamma and nothing better that is said of its colours, it is in `gamma`.
    """

    content_type: ContentType
    width: int
    height: int
    shown: tuple[Span, ...]
    metadata: tuple[Span, ...]
    end: int | None
    exif: Span | None = None
    profile: tuple[Span, ...] = ()
    gamma: float | None = None
