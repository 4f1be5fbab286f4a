"""Where a test's embedded servers keep their data: stopped and put away at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from console.embedded import servers


@contextmanager
def put_away(directory: Path) -> Iterator[Path]:
    """Stop the servers of a data directory in the end, and remove what lies outside of it."""
    try:
        yield directory
    finally:
        servers.put_away(directory)
