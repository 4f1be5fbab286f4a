"""What a command prints: its result on stdout, notes for the person who waits on stderr."""

from __future__ import annotations

import sys


def say(line: str) -> None:
    """Print a line of a command's result."""
    print(line, flush=True)  # noqa: T201  the command's output


def note(line: str) -> None:
    """Print a line that isn't the result, for the person who waits."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201  the command's output
