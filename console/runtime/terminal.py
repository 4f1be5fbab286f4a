"""What a terminal is shown: text with everything escaped that isn't printable."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return a text for a terminal: all but line ends and tabs escaped that isn't printable.

    >>> printable("Bis\x1b[31mcuit\u202e\n")
    'Bis\\x1b[31mcuit\\u202e\n'
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
