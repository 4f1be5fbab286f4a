"""What a machine does to the embedded servers: processes killed, directories put back, tails cut.

Rule 1: what is kept is kept in `copies`, outside of the data directory: it takes no room of it.
Rule 2: Postgres is kept while it is stopped; Kafka while it runs and rests, as a snapshot of a disk
        would: what it derives from its segments is left out, and it makes that anew.
Rule 3: a tail is cut as a power cut does it: pages that were never written are gone, and with them
        what Kafka derives. Callers have killed it before.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from console.embedded import postgres, servers
from console.embedded.process import recorded, stop
from lab.process_tree import descendants

DERIVED: Final = ("*.index", "*.timeindex", "*.txnindex", "*.snapshot")
"""Files that Kafka makes anew from its segments."""

Ends = Mapping[Path, int]
"""How long each segment is, by its path below Kafka's log directory."""


class Machine:
    """The machine on which the embedded servers of a data directory run."""

    def __init__(self, data_dir: Path, copies: Path, prefix: str) -> None:
        """Know where they are; `prefix`: of the topics."""
        self._data_dir, self._copies, self._prefix = data_dir, copies, prefix
        self._log = data_dir / "kafka" / "log"

    def kill(self, name: str) -> bool:
        """Kill a server; tell whether it ran."""
        process = recorded(self._data_dir, name)
        if process is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        return True

    def kill_everything(self, daemon_pid: int | None) -> None:
        """Kill the daemon, what it started, and the servers, as a power cut does."""
        pids = [] if daemon_pid is None else [daemon_pid, *descendants(daemon_pid)]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for name in ("kafka", "postgres"):
            stop(self._data_dir, name, how=signal.SIGKILL)

    def keep(self, name: str, day: int) -> None:
        """Keep the directory of a server as it is at the end of a day (rule 2)."""
        copy = self._copies / f"{name}-{day}"
        if name == "postgres":
            stop(self._data_dir, name)
            _copy(self._cluster(), copy)
            servers.ensure_postgres(self._data_dir)
        else:
            _copy(self._log, copy)
            for derived in _derived(copy):
                derived.unlink()

    def put_back(self, name: str, day: int) -> None:
        """Make the directory of a server what it was at the end of a day; it doesn't run."""
        there = self._cluster() if name == "postgres" else self._log
        shutil.rmtree(there)
        _copy(self._copies / f"{name}-{day}", there)

    def ends(self) -> Ends:
        """Return how long Kafka's segments are."""
        return {
            path.relative_to(self._log): path.stat().st_size for path in self._log.glob("*/*.log")
        }

    def cut(self, topics: tuple[str, ...], ends: Ends, *, is_torn: bool) -> int:
        """Lose what came behind these ends; return how many partitions lost anything."""
        lost = 0
        for topic in topics:
            for directory in self._log.glob(f"{self._prefix}{topic}-*"):
                segments = list(directory.glob("*.log"))
                lost += sum(self._cut(segment, ends, is_torn=is_torn) for segment in segments) > 0
                for derived in _derived(directory):
                    derived.unlink()
        return lost

    def _cut(self, segment: Path, ends: Ends, *, is_torn: bool) -> bool:
        size, end = segment.stat().st_size, ends.get(segment.relative_to(self._log), 0)
        if size <= end:
            return False
        os.truncate(segment, (size + end) // 2 if is_torn else end)
        return True

    def _cluster(self) -> Path:
        return postgres.home(self._data_dir) / "cluster"


def _derived(directory: Path) -> list[Path]:
    return [path for pattern in DERIVED for path in directory.rglob(pattern)]


def _copy(source: Path, target: Path) -> None:
    """Copy a directory, owners and holes as they are."""
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(  # noqa: S603  our own command line
        ["cp", "-a", "--sparse=always", "--", str(source), str(target)],  # noqa: S607  the system's
        check=True, capture_output=True,
    )  # fmt: skip
