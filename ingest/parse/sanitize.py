"""What could hurt the parser, found in a row's bytes before it sees them. Pure.

Rule 1: the usual row is let through at the least cost; only what is odd is looked at closer.
"""

from __future__ import annotations

import re
from typing import Final

DEEPEST: Final = 32
MOST_KEYS: Final = 20_000

_MOST_BRACKETS: Final = 4_096
_SHALLOW_BRACKETS: Final = 64
_SHORT_BYTES: Final = 3 * MOST_KEYS  # a key and its value take four bytes at least
_LONG_NUMBER: Final = re.compile(rb"[0-9]{1000}")
_SAMPLE: Final = 250
_DIGITS_AT_SAMPLES: Final = re.compile(rb"[0-9]{3}")
_BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)


def is_harmless(raw: bytes) -> bool:
    """Tell, at the least cost, that the parser may see a row; False = look closer."""
    return (
        raw.startswith(b"{")
        and len(raw) < _SHORT_BYTES
        and raw.count(b"[") + raw.count(b"{") <= _SHALLOW_BRACKETS
        and not _holds_long_number(raw)
    )


def danger(raw: bytes) -> tuple[str, str] | None:
    """Return why the parser must not see a row: a stable word and a sentence; None: it may."""
    if not raw.lstrip().startswith(b"{"):
        return "not-an-object", "the row isn't a JSON object"
    if _holds_long_number(raw):
        return "digits", "the row holds a number of a thousand digits or more"
    brackets = raw.count(b"[") + raw.count(b"{")
    if brackets > _SHALLOW_BRACKETS and (brackets > _MOST_BRACKETS or _depth(raw) > DEEPEST):
        return "depth", f"the row is nested too deeply (at most {DEEPEST} levels)"
    if raw.count(b'":') > MOST_KEYS:
        return "keys", f"the row holds more than {MOST_KEYS:,} keys"
    return None


def _holds_long_number(raw: bytes) -> bool:
    """Look at every 250th byte first: searching all of every row costs as much as parsing it."""
    suspicious = _DIGITS_AT_SAMPLES.search(raw[::_SAMPLE]) is not None
    return suspicious and _LONG_NUMBER.search(raw) is not None


def _depth(raw: bytes) -> int:
    deepest = level = 0
    for piece in _BRACKETS.findall(raw):
        if piece in {b"[", b"{"}:
            level += 1
            deepest = max(deepest, level)
        elif piece in {b"]", b"}"}:
            level -= 1
    return deepest
