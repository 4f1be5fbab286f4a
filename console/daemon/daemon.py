"""`up`: one process tree with the watch of the feed and each consumer as a part of its own.

Rule 1: servers are found or started by a process that then ends; all parts use just those.
Rule 2: SIGHUP reads the settings again: bad ones are refused, and the old ones stay; good ones
        are given to the parts one after another. A terminal that hung up ends everything.
Rule 3: only this process serves PETSTREAM_CONSOLE; parts leave their figures in a directory.
Rule 4: what needs Prometheus is imported after that directory is known: it looks only once.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

from console.daemon import server_watch
from console.daemon.reload import hangups
from console.daemon.supervisor import Supervision
from console.runtime import metrics_dir
from console.runtime.child import PassOn, Program, begin, inherited
from console.runtime.log_multiplexer import STDERR, STDOUT, Output
from console.runtime.signals import unless_stopped
from console.runtime.systemd import Notifier
from consumers.registry import NAMES
from petstream.errors import UsageError
from petstream.settings import SETTLED, Settings, load

Values = Mapping[str, str]
"""Settings by name, as they are written."""

_PATIENTLY: Final = ("--patience", "60")


def programs(*watch: str) -> tuple[Program, ...]:
    """Return what the parts run; `watch`: further words for the watch of the feed."""
    us = (sys.executable, "-m", "console")
    return (
        Program("watch", (*us, "ingest", "--watch", *watch)),
        *(Program(name, (*us, "consume", name)) for name in NAMES),
    )


async def up(
    values: Values,
    *,
    stopping: asyncio.Event,
    reread: Callable[[], Values] | None = None,
    parts: Sequence[Program] = programs(),
) -> int:
    """Run everything until `stopping`; return the exit status.

    Args:
        values: every setting that isn't its default, checked before.
        stopping: set it to end everything well; cancelled, everything ends at once.
        reread: gives new settings on SIGHUP, or raises `UsageError`; None: SIGHUP isn't heeded.
        parts: what to keep running.

    Raises:
        PetstreamError: a part is in a crash loop; everything was ended.
    """
    settings = _load(values)
    with metrics_dir.shared(settings.data_dir) as directory, Output() as output:
        tree = _Tree(values, directory, output, stopping, parts)
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(one) for one in tree.beside(reread)]
            try:
                return await tree.run(settings)
            finally:
                for one in beside:
                    one.cancel()


class _Tree:
    """The parts, and everybody who wants to know how they are."""

    def __init__(
        self,
        values: Values,
        directory: Path,
        output: Output,
        stopping: asyncio.Event,
        parts: Sequence[Program],
    ) -> None:
        from console.daemon.readiness import Standing  # noqa: PLC0415  rule 4

        self._values, self._figures, self._output = values, directory, output
        self._stopping, self._parts = stopping, parts
        self._standing = Standing(NAMES)
        self._notifier = Notifier(os.environ)
        self._supervision: Supervision | None = None
        self._announced = False
        self._asked = values
        self._preparing = asyncio.Lock()

    async def run(self, settings: Settings) -> int:
        async with self._standing.told(settings.console, self._output.line):
            status = await self._prepare(self._values)
            if status or self._stopping.is_set():
                return status
            supervision = Supervision(
                self._parts, self._environment(self._values), ending=self._stopping,
                say=self._trouble, pass_on=self._lines_of, all_up=self._all_up,
                ended=self._standing.ended,
            )  # fmt: skip
            self._supervision, self._standing.missing = supervision, supervision.missing
            await supervision.run()
            self._output.line("stopped")
            return 0

    def beside(self, reread: Callable[[], Values] | None) -> Iterator[Coroutine[Any, Any, None]]:
        """Return what goes on beside the parts, until cancelled."""
        yield self._notifier.feed_the_watchdog()
        yield self._tell_the_end()
        yield server_watch.revive(self._lost, self._start_again, say=self._trouble)
        if reread is not None:
            yield self._reload_when_told(reread)

    async def _prepare(self, values: Values, *patience: str) -> int:
        """See to servers, topics and tables; remember what was found. 0 = done, or stopping."""
        found: list[str] = []

        def told(stream: int, line: str) -> None:
            if stream == STDOUT:
                found.append(line)
            else:
                self._output.line(line, STDERR)

        self._notifier.status("waiting for Kafka and Postgres")
        program = Program("up", (sys.executable, "-m", "console.daemon.bootstrap", *patience))
        async with self._preparing:
            part = begin(program, self._environment(values), told)
            status = await unless_stopped(part.ended(), self._stopping)
        if status == 0:
            self._asked = values
            self._values = {**values, **json.loads(found[-1])}
            self._standing.found(_load(self._values))
        return status or 0

    async def _reload_when_told(self, reread: Callable[[], Values]) -> None:
        async with aclosing(hangups(self._stopping)) as told:
            async for _ in told:
                if self._supervision is not None:
                    await self._reload(reread, self._supervision)

    async def _reload(self, reread: Callable[[], Values], supervision: Supervision) -> None:
        self._notifier.reloading()
        try:
            values = reread()
        except UsageError as error:
            for line in str(error).splitlines():
                self._refuse(line)
        else:
            status = await self._prepare(values, *_PATIENTLY)
            if status:
                self._refuse("its servers can't be used, see above")
            elif not self._stopping.is_set():
                self._output.line("reloading: the parts begin again, one after another")
                await supervision.renew(self._environment(self._values))
                self._output.line("reloaded")
        self._notifier.ready("up")

    def _refuse(self, why: str) -> None:
        self._output.line(f"not reloaded, going on with the settings there were: {why}", STDERR)

    def _lost(self) -> list[str]:
        return [] if self._supervision is None else server_watch.lost(_load(self._asked))

    async def _start_again(self) -> bool:
        before = self._values
        if await self._prepare(self._asked, *_PATIENTLY):
            return False
        if self._values != before and self._supervision is not None:
            await self._supervision.renew(self._environment(self._values))
        return True

    async def _tell_the_end(self) -> None:
        await self._stopping.wait()
        self._notifier.stopping()
        self._output.line("stopping: the parts finish what they hold")

    def _all_up(self) -> None:
        if not self._announced:
            self._announced = True
            self._output.line(
                "petstream is up: watching the feed, and consuming "
                f"{', '.join(NAMES[:-1])} and {NAMES[-1]}"
            )
            self._notifier.ready("up")
        else:
            self._notifier.status("up")

    def _trouble(self, line: str) -> None:
        self._output.line(line, STDERR)
        self._notifier.status(line)

    def _lines_of(self, name: str) -> PassOn:
        return lambda stream, line: self._output.line(line, stream, name)

    def _environment(self, values: Values) -> dict[str, str]:
        """Return the environment of parts: all settings, and none from anywhere else."""
        fixed = {SETTLED: "1", "PETSTREAM_CONSOLE": "off", metrics_dir.VARIABLE: str(self._figures)}
        return {**inherited(), **values, **fixed}


def _load(values: Values) -> Settings:
    return load({**values, SETTLED: "1"})
