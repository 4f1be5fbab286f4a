"""The text of a raw row, mended so that every store takes it. Pure.

Rule 1: bad UTF-8 and lone surrogates become U+FFFD, NUL goes; mojibake is text, and stays.
Rule 2: it is done before the parser, which would turn a lone surrogate into a question mark.
"""

from __future__ import annotations

import re
from typing import Final

_UNSAFE_ESCAPE: Final = re.compile(
    rb"\\\\|\\u0000|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\u(?![0-9a-fA-F]{4})"
)
_ODD_ESCAPE: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def mend(raw: bytes) -> bytes:
    """Return a row whose text every store takes: bad UTF-8, NUL and lone surrogates replaced."""
    if not raw.isascii():
        try:
            raw.decode()
        except UnicodeDecodeError:
            raw = raw.decode("utf-8", "replace").encode()
    if _CONTROL.search(raw):
        raw = _CONTROL.sub(b"", raw)  # first: what it joins may be an escape
    return without_odd_escapes(raw)


def without_odd_escapes(raw: bytes) -> bytes:
    """Return a row with the escapes replaced that the parser would take and stores would not.

    What else `mend` does is about bytes that the parser refuses.
    """
    return _UNSAFE_ESCAPE.sub(_safe_escape, raw) if _ODD_ESCAPE.search(raw) else raw


def _safe_escape(found: re.Match[bytes]) -> bytes:
    whole = found[0]
    if whole == b"\\u0000":
        return b""
    if whole == b"\\u":  # no escape, and none may come of it where the next one goes
        return b"\\x"
    return whole if whole == b"\\\\" or len(whole) == len(b"\\ud83d\\ude00") else b"\\ufffd"
