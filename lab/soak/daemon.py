"""The daemon of a soak: started, ended or reloaded, its parts killed, its lines kept."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from console.runtime.child import Child, Program, spawn
from console.runtime.processes import environment_of_parts, python_command
from lab.soak.hosts import Hosts
from lab.soak.samples import parts
from petstream.settings import SETTLED

REST_S: Final = 90.0
"""A part isn't killed twice within this time: five deaths in five minutes are a crash loop."""

_LOOK_EVERY_S: Final = "1"
_END_WITHIN_S: Final = 16.0
BUGS: Final = ("Traceback", "this is a bug", "it is killed", "audit after")
"""What the daemon never says on a day on which nothing was lost and nobody hung."""

_PAGES: Final = "status and metrics: "


class Daemon:
    """A `petstream up` with simulated hosts; may be started again once it has ended."""

    def __init__(  # noqa: PLR0913  what a daemon is made of, each by name
        self,
        values: Mapping[str, str],
        hosts: Hosts,
        data_dir: Path,
        *,
        log: Path | None = None,
        bugs: Collection[str] = BUGS,
        through: Sequence[str] = (),
    ) -> None:
        """Know the settings; those of the hosts and the directory are added.

        Args:
            values: settings by name.
            hosts: the FTP account and the pictures.
            data_dir: of the daemon.
            log: where its lines are kept; None: ``daemon.log`` in its directory.
            bugs: what no line may hold.
            through: a module and its words that each part is run by; none: they run as they do.
        """
        self.lines: list[str] = []
        self.wrong: list[str] = []
        self._log = log or data_dir / "daemon.log"
        self._bugs, self._through = bugs, through
        self._environment = _environment(values, hosts, data_dir)
        self._child: Child | None = None
        self._ending: asyncio.Task[int] | None = None
        self._killed: dict[str, float] = {}

    @property
    def pid(self) -> int:
        """Return its process id; it runs."""
        assert self._child is not None  # noqa: S101  the caller has started it
        return self._child.pid

    def start(self) -> None:
        """Start it."""
        self.lines.clear()
        command = python_command("lab.soak.up", _LOOK_EVERY_S, *self._through)
        self._child = spawn(Program("up", command), self._environment, self._keep_line)
        self._ending = asyncio.create_task(self._child.wait())

    def has_ended(self) -> bool:
        """Tell whether it isn't there any more, however that came."""
        return self._ending is None or self._ending.done()

    async def end(self) -> None:
        """Tell it to end, and see that it does, in time and with status 0."""
        if self._child is None or self._ending is None:
            return
        child, self._child = self._child, None
        began = time.monotonic()
        child.terminate()
        status = await self._ending
        took = time.monotonic() - began
        if status != 0 or took > _END_WITHIN_S:
            self.wrong.append(f"the daemon took {took:.1f} s to end, with status {status}")

    def reload(self) -> None:
        """Have it read its settings again."""
        os.kill(self.pid, signal.SIGHUP)

    def kill_part(self, name: str, *, rest_s: float = REST_S) -> None:
        """Kill a part, unless that was done within `rest_s`, or it doesn't run."""
        pid = parts(self.pid).get(name)
        if pid is None or time.monotonic() - self._killed.get(name, -rest_s) < rest_s:
            return
        self._killed[name] = time.monotonic()
        os.kill(pid, signal.SIGKILL)

    def kill(self) -> None:
        """End it at once, if it runs; its parts end with it."""
        if self._child is not None:
            self._child.kill()

    def visit(self) -> None:
        """Look at its page and figures, as people and monitoring do all day."""
        pages = [line.partition(_PAGES)[2] for line in self.lines if _PAGES in line]
        for page in pages[-1:]:
            for name in ("", "metrics", "healthz"):
                with urlopen(page + name, timeout=60) as answer:  # noqa: S310  our own server
                    answer.read()

    def _keep_line(self, _stream: int, line: str) -> None:
        self.lines.append(line)
        with self._log.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%H:%M:%S')} {line}\n")
        if any(bug in line for bug in self._bugs):
            self.wrong.append(f"the daemon said: {line}")


def _environment(values: Mapping[str, str], hosts: Hosts, data_dir: Path) -> dict[str, str]:
    """Return the environment of the daemon: no setting comes from ours, or from ``.env``."""
    return {
        **environment_of_parts(),
        SETTLED: "1",
        "PETSTREAM_FTP_URL": hosts.ftp.url,
        "PETSTREAM_DATA_DIR": str(data_dir),
        "PETSTREAM_TOPIC_PREFIX": "soak.",
        "PETSTREAM_SETTLE_S": "1",
        "PETSTREAM_WINDOW": "00:00-23:59",
        "PETSTREAM_PICTURES": (data_dir.absolute() / "pictures").as_uri(),
        "PETSTREAM_PICTURE_TRUSTED_HOSTS": hosts.pictures_url.removeprefix("http://"),
        "PETSTREAM_CONSOLE": "127.0.0.1:0",
        **values,
    }
