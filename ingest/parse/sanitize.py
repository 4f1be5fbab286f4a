"""A raw row made safe before it is parsed: what could hurt is refused, odd text is mended. Pure.

Rule 1: the usual row is let through at the least cost; only what is odd is examined closer.
Rule 2: bad UTF-8 and lone surrogates become U+FFFD, NUL goes; mojibake is text, and stays. The
        parser would turn a lone surrogate into a question mark.
Rule 3: a row that holds no UTF-8 at all but other bytes above 127 is Windows-1252, byte by byte.
Rule 4: a tab or a line end inside a text is written as an escape: so it stays what it is.
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
_DIGITS_AT_SAMPLES: Final = tuple(
    (step, re.compile(rb"[0-9]{%d}" % (1000 // step))) for step in (250, 50)
)
"""What a thousand digits have among every so many bytes, the quickest look first."""
_BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)
_UNSAFE_ESCAPE: Final = re.compile(
    rb"\\\\|\\u0000|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\u(?![0-9a-fA-F]{4})"
)
_ODD_ESCAPE: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_HIGH: Final = re.compile(rb"[\x80-\xff]+")
_UTF_8: Final = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_NO_LETTERS: Final = bytes.maketrans(b"\xfe\xff", b"\x81\x81")
"""What a byte order mark leaves: letters of no name in the feed. (Windows-1252 has no 0x81.)"""

_BLANK: Final = re.compile(rb"[\t\r\n]")
_TEXT: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPES: Final = ((b"\t", b"\\t"), (b"\r", b"\\r"), (b"\n", b"\\n"))
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def is_harmless(raw: bytes) -> bool:
    """Tell, at the least cost, that the parser may see a row; False: examine it closer."""
    return (
        raw.startswith(b"{")
        and len(raw) < _SHORT_BYTES
        and _holds_few_brackets(raw)
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


def mend(raw: bytes) -> bytes:
    """Return a row whose text every store takes: bad UTF-8, NUL and lone surrogates replaced."""
    if not raw.isascii():
        try:
            raw.decode()
        except UnicodeDecodeError:
            windows_1252 = is_windows_1252(raw)
            text = raw.translate(_NO_LETTERS).decode("cp1252", "replace") if windows_1252 else None
            raw = (raw.decode("utf-8", "replace") if text is None else text).encode()
    if _CONTROL.search(raw):
        raw = _CONTROL.sub(b"", raw)  # first: what it joins may be an escape
    if _BLANK.search(raw):
        raw = _TEXT.sub(_with_escapes, raw)
    return without_odd_escapes(raw)


def is_windows_1252(raw: bytes) -> bool:
    """Tell whether a row holds bytes above 127, and none of them is UTF-8, nor a surrogate."""
    high = _HIGH.findall(raw)
    return bool(high) and not any(map(_UTF_8.search, high))


def without_odd_escapes(raw: bytes) -> bytes:
    """Return a row with the escapes replaced that the parser would take and stores would not.

    What else `mend` does is about bytes that the parser refuses.
    """
    return _UNSAFE_ESCAPE.sub(_safe_escape, raw) if _ODD_ESCAPE.search(raw) else raw


def _with_escapes(match: re.Match[bytes]) -> bytes:
    text = match[0]
    for sign, escape in _ESCAPES:
        text = text.replace(sign, escape)
    return text


def _holds_few_brackets(raw: bytes) -> bool:
    """Go from one to the next: a row holds a handful, and to count them would look at each byte."""
    left = _SHALLOW_BRACKETS
    for sign in (b"[", b"{"):
        at = raw.find(sign)
        while at >= 0:
            if not left:
                return False
            left -= 1
            at = raw.find(sign, at + 1)
    return True


def _holds_long_number(raw: bytes) -> bool:
    """Look at some of the bytes first: to search all of every row costs as much as parsing it."""
    return (
        all(digits.search(raw[::step]) for step, digits in _DIGITS_AT_SAMPLES)
        and _LONG_NUMBER.search(raw) is not None
    )


def _depth(raw: bytes) -> int:
    deepest = level = 0
    for piece in _BRACKETS.findall(raw):
        if piece in {b"[", b"{"}:
            level += 1
            deepest = max(deepest, level)
        elif piece in {b"]", b"}"}:
            level -= 1
    return deepest


def _safe_escape(match: re.Match[bytes]) -> bytes:
    whole = match[0]
    if whole == b"\\u0000":
        return b""
    if whole == b"\\u":  # no escape, and none may come of it where the next one goes
        return b"\\x"
    return whole if whole == b"\\\\" or len(whole) == len(b"\\ud83d\\ude00") else b"\\ufffd"
