"""Files of servers that run: what is in them, and what of them goes while they are looked at."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_ATTRIBUTES: Final = slice(21, 23)
"""Where a batch says how it is packed: behind offset, length, epoch, magic and check sum."""
_COMPRESSION: Final = 7
"""Its lowest bits, as Kafka's protocol defines them."""


def contents(directory: Path) -> dict[Path, bytes]:
    """Return what is in each file below a directory, but those that go meanwhile."""
    files: dict[Path, bytes] = {}
    for home, _, names in os.walk(directory):  # passes over a directory that has gone; rglob fails
        for path in (Path(home, name) for name in names):
            try:
                files[path] = path.read_bytes()
            except OSError:
                continue  # renamed or deleted meanwhile, or a socket
    return files


def compressions(servers_dir: Path, topic: str) -> set[int]:
    """Return how the first batch of each partition of a topic is packed, as Kafka's codes."""
    segments = (servers_dir / "kafka" / "log").glob(f"{topic}-*/00000000000000000000.log")
    heads = [segment.read_bytes()[: _ATTRIBUTES.stop] for segment in segments]
    return {int.from_bytes(head[_ATTRIBUTES]) & _COMPRESSION for head in heads if head}
