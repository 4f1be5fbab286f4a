"""What the processes of a daemon hold now, as the operating system counts it (Linux).

Rule 1: open files and sockets come and go with every look at the feed: the least of some readings
        is what stays.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from console.embedded.process import recorded
from console.inspect.database_reader import Unavailable, fetch_rows
from lab.process_tree import children, descendants
from lab.soak.flatness import Sample

_READINGS: Final = 5
_APART_S: Final = 0.1
_MB: Final = 1_000_000
_CONNECTIONS: Final = """
    SELECT count(*) AS n FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend'
        AND pid <> pg_backend_pid()"""
_KNOWN: Final = """
    SELECT (SELECT count(*) FROM petstream.pets) + (SELECT count(*) FROM petstream.removed_pets)
        AS n"""
QUERIES: Final[Mapping[str, tuple[str, tuple[Any, ...]]]] = {
    "connections": (_CONNECTIONS, ()),
    "database_mb": ("SELECT pg_database_size(current_database()) / 1e6::float8 AS n", ()),
    "pets_known": (_KNOWN, ()),
    "events": ("SELECT count(*) AS n FROM petstream.pet_history", ()),
    "dead_letters": ("SELECT count(*) AS n FROM petstream.dead_letters", ()),
}


async def samples(day: int, pid: int, data_dir: Path, database_url: str) -> list[Sample]:
    """Return how the daemon with this pid, its parts and its servers are."""
    readings: dict[tuple[str, int], list[dict[str, float]]] = {}
    counted: list[dict[str, float]] = []
    for _ in range(_READINGS):
        for part, own in {"up": pid, **parts(pid), **_servers(data_dir)}.items():
            read = await asyncio.to_thread(_figures, own)
            if read:
                readings.setdefault((part, own), []).append(read)
        rows = await fetch_rows(database_url, QUERIES)
        if not isinstance(rows, Unavailable):
            counted.append({name: float(counts[0]["n"]) for name, counts in rows.items()})
        await asyncio.sleep(_APART_S)
    taken = [Sample(day, part, own, _least(read)) for (part, own), read in readings.items()]
    if counted:
        taken.append(Sample(day, "postgres", 0, _least(counted)))
    if (log := data_dir / "kafka" / "log").is_dir():
        size = sum(_size(file) for file in _files(log) if file.suffix == ".log")
        taken.append(Sample(day, "topics", 0, {"topics_mb": size / _MB}))
    return taken


def parts(pid: int) -> dict[str, int]:
    """Return the pid of every part of a daemon that runs."""
    pids = {}
    for child in children(pid):
        words = _words(child)
        if "ingest" in words:
            pids["watch"] = child
        elif "consume" in words:
            pids[words[words.index("consume") + 1]] = child
    return pids


def _servers(data_dir: Path) -> dict[str, int]:
    kafka = recorded(data_dir, "kafka")
    return {"kafka": kafka.pid} if kafka else {}


def _least(readings: list[dict[str, float]]) -> dict[str, float]:
    return {name: min(reading[name] for reading in readings) for name in readings[0]}


def _figures(pid: int) -> dict[str, float] | None:
    try:
        status = (Path(f"/proc/{pid}/status")).read_text("ascii", errors="replace")
        links = [_link(path) for path in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return None  # it has just ended
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    if "VmRSS" not in fields:
        return None  # the same
    return {
        "rss_mb": int(fields["VmRSS"].split()[0]) * 1024 / _MB,
        "files": float(len(links)),
        "sockets": float(sum(link.startswith("socket:") for link in links)),
        "threads": float(fields["Threads"]),
        "processes": float(1 + sum(1 for _ in descendants(pid))),
    }


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""  # closed meanwhile


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8", errors="replace").split("\0")
    except OSError:
        return []


def _files(directory: Path) -> Iterator[Path]:
    for home, _, names in os.walk(directory):  # servers delete directories meanwhile: rglob fails
        yield from (Path(home, name) for name in names)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0  # deleted meanwhile, as servers delete old segments
