"""The simulated RescueGroups of a soak: an FTP account and a picture host that may go away.

Rule 1: who comes back is where it was: its port is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.simulate import KEY, PASSWORD, USER
from lab.simulator import FtpAddress, History, serve_ftp, serve_pictures, write_export
from lab.soak.plan import SoakDay


class Hosts:
    """Both hosts; used as ``with Hosts(home) as hosts``."""

    def __init__(self, home: Path) -> None:
        """Serve `home`, from the beginning of the block on."""
        self._home = home
        self._up: dict[str, ExitStack] = {}
        self.ftp = FtpAddress("127.0.0.1", 0, USER, PASSWORD)
        self.pictures_url = ""

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._home.mkdir(parents=True, exist_ok=True)
        self._begin("feed")
        self._begin("pictures")
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Stop."""
        for stack in self._up.values():
            stack.close()

    def write(self, made: History, day: SoakDay, *, faulty: bool) -> None:
        """Put the export of a day on the server."""
        faults = [day.fault] if faulty and day.fault else []
        self.put_out(made, day.number, faults, zipped=day.zipped)

    def put_out(
        self, made: History, day: int, faults: Sequence[str] = (), *, zipped: bool = False
    ) -> None:
        """Put the export of a day on the server, with faults."""
        write_export(self._home, made, day, zipped=zipped, faults=faults)

    async def away(self, which: str, seconds: float) -> None:
        """Let a host be away for so long; whoever talks to it is cut off."""
        await asyncio.to_thread(self._up.pop(which).close)
        try:
            await asyncio.sleep(seconds)
        finally:
            await asyncio.to_thread(self._begin, which)

    def _begin(self, which: str) -> None:
        stack = self._up[which] = ExitStack()
        if which == "feed":
            served = serve_ftp(self._home, user=USER, password=PASSWORD, port=self.ftp.port)
            self.ftp = stack.enter_context(served)
        else:
            port = int(self.pictures_url.rpartition(":")[2] or 0)
            self.pictures_url = stack.enter_context(serve_pictures(port)).url

    @property
    def key(self) -> str:
        """Return the key that file names may hold."""
        return KEY
