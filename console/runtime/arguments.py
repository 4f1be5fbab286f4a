"""What argparse reads: numbers that make sense, or one line why they don't."""

from __future__ import annotations

import argparse


def animal_id(text: str) -> int:
    """Read an animal's id."""
    if not text.isascii() or not text.isdigit() or len(text) > 18:  # noqa: PLR2004  a bigint's
        raise argparse.ArgumentTypeError(f"an animal id is a number, not {text!r}")
    return int(text)


def name_or_id(text: str) -> str:
    """Read a word of a name, or an id: no number below 0."""
    if text.startswith("-"):
        raise argparse.ArgumentTypeError(f"an animal id or a name, not {text!r}")
    return text


def positive(text: str) -> int:
    """Read a number from 1 up, for argparse."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 10**7:
        raise argparse.ArgumentTypeError(f"it must be a number from 1 up, not {text!r}")
    return int(text)


def port(text: str) -> int:
    """Read a port."""
    if not text.isascii() or not text.isdigit() or int(text) > 65_535:  # noqa: PLR2004  the last
        raise argparse.ArgumentTypeError(f"a port is a number up to 65535, not {text!r}")
    return int(text)
