"""`up`: one process tree with the watch of the feed and each consumer as a child of its own.

Rule 1: servers are found or started by a process that then ends; all children use just those.
Rule 2: SIGHUP reads the settings again: bad ones are refused, and the old ones stay; good ones
        are given to the children one after another. A terminal that hung up ends everything.
Rule 3: only this process serves PETSTREAM_CONSOLE; children leave their metrics in a directory.
Rule 4: what needs Prometheus is imported after that directory is known: it looks only once.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

from console.daemon import server_watch
from console.daemon.supervisor import Supervisor
from console.runtime import metrics_dir
from console.runtime.child import LineSink, Program, spawn
from console.runtime.output import STDERR, STDOUT, LogMultiplexer
from console.runtime.processes import environment_of_parts, python_command
from console.runtime.signals import hangups
from console.runtime.systemd import Notifier
from consumers.registry import NAMES, Name, names_of
from petstream.errors import UsageError
from petstream.settings import SETTLED, Settings, load
from petstream.waiting import unless_stopped

Values = Mapping[str, str]
"""Settings by name, as they are written."""

_NOT_FOR_EVER: Final = ("--wait", "60")
_OF_PAGES: Final = frozenset({"PETSTREAM_CONSOLE_TOKEN", "PETSTREAM_CONSOLE_DATABASE_URL"})
_NOT_FOR_INGEST: Final = _OF_PAGES | {"PETSTREAM_DATABASE_URL"}
_NOT_FOR_CONSUMERS: Final = _OF_PAGES | {"PETSTREAM_FTP_URL"}
"""Secrets that these parts have no use for."""


def programs(*watch: str, names: Sequence[Name] = NAMES) -> tuple[Program, ...]:
    """Return what the children run; `watch`: further words for the watch of the feed."""
    return (
        Program("watch", python_command("console", "ingest", "--watch", *watch), _NOT_FOR_INGEST),
        *(
            Program(name, python_command("console", "consume", name), _NOT_FOR_CONSUMERS)
            for name in names
        ),
    )


async def up(
    values: Values,
    *,
    stopping: asyncio.Event,
    reread: Callable[[], Values] | None = None,
    parts: Sequence[Program] | None = None,
) -> int:
    """Run everything until `stopping`; return the exit status.

    Args:
        values: every setting that isn't its default, checked before.
        stopping: set it to end everything well; cancelled, everything ends at once.
        reread: gives new settings on SIGHUP, or raises `UsageError`; None: SIGHUP isn't heeded.
        parts: what to keep running; None: the watch and each consumer that the settings ask for.

    Raises:
        PetstreamError: a part is in a crash loop; everything was ended.
    """
    settings = _load(values)
    if parts is None:
        parts = programs(names=names_of(table_topics=settings.table_topics))
    with metrics_dir.shared(settings.data_dir) as directory, LogMultiplexer() as output:
        tree = _ProcessTree(values, directory, output, stopping, parts)
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(work) for work in tree.beside(reread)]
            try:
                return await tree.run(settings)
            finally:
                for task in beside:
                    task.cancel()


class _ProcessTree:
    """The children, and everybody who wants to know how they are."""

    def __init__(
        self,
        values: Values,
        directory: Path,
        output: LogMultiplexer,
        stopping: asyncio.Event,
        parts: Sequence[Program],
    ) -> None:
        from console.daemon.health import TreeHealth  # noqa: PLC0415  rule 4

        self._values, self._metrics_dir, self._output = values, directory, output
        self._stopping, self._parts = stopping, parts
        self._consumers = names_of(table_topics=_load(values).table_topics)
        self._health = TreeHealth(self._consumers)
        self._notifier = Notifier(os.environ)
        self._supervisor: Supervisor | None = None
        self._announced = False
        self._asked = values
        self._preparing = asyncio.Lock()

    async def run(self, settings: Settings) -> int:
        from console.daemon.http import served  # noqa: PLC0415  rule 4

        health, known, say = self._health.health(), self._health.settings, self._output.line
        async with served(settings.console, health, known, say=say, hosts=settings.console_hosts):
            status = await self._prepare(self._values)
            if status or self._stopping.is_set():
                return status
            supervisor = Supervisor(
                self._parts, self._environment(self._values), stopping=self._stopping,
                say=self._warn, sink_of=self._sink_of, on_ready=self._on_ready,
                on_exit=self._health.exited,
            )  # fmt: skip
            self._supervisor, self._health.not_running = supervisor, supervisor.not_running
            await supervisor.run()
            self._output.line("stopped")
            return 0

    def beside(self, reread: Callable[[], Values] | None) -> Iterator[Coroutine[Any, Any, None]]:
        """Return what goes on beside the children, until cancelled."""
        yield self._notifier.feed_the_watchdog()
        yield self._announce_the_end()
        yield server_watch.revive(self._lost_servers, self._start_servers, say=self._warn)
        if reread is not None:
            yield self._reload_on_hangup(reread)

    async def _prepare(self, values: Values, *options: str) -> int:
        """See to servers, topics and tables; use those from then on. 0 = done, or stopping."""
        printed: list[str] = []

        def sink(stream: int, line: str) -> None:
            if stream == STDOUT:
                printed.append(line)
            else:
                self._output.line(line, STDERR)

        self._notifier.status("waiting for Kafka and Postgres")
        program = Program("up", python_command("console.daemon.bootstrap", *options))
        async with self._preparing:
            child = spawn(program, self._environment(values), sink)
            status = await unless_stopped(child.wait(), self._stopping)
        if status == 0:
            self._asked = values
            self._values = {**values, **json.loads("\n".join(printed))}
            self._health.use_servers(_load(self._values))
        return status or 0

    async def _reload_on_hangup(self, reread: Callable[[], Values]) -> None:
        async with aclosing(hangups(self._stopping)) as requests:
            async for _ in requests:
                if self._supervisor is not None:
                    await self._reload(reread, self._supervisor)

    async def _reload(self, reread: Callable[[], Values], supervisor: Supervisor) -> None:
        self._notifier.reloading()
        try:
            values = reread()
        except UsageError as error:
            for line in str(error).splitlines():
                self._refuse(line)
        else:
            status = await self._prepare(values, *_NOT_FOR_EVER)
            if status:
                self._refuse("its servers can't be used, see above")
            elif not self._stopping.is_set():
                self._output.line("reloading: the parts begin again, one after another")
                await supervisor.restart(self._environment(self._values))
                self._output.line("reloaded")
        self._notifier.ready("up")

    def _refuse(self, why: str) -> None:
        self._output.line(f"not reloaded, going on with the settings there were: {why}", STDERR)

    def _lost_servers(self) -> list[str]:
        return [] if self._supervisor is None else server_watch.lost(_load(self._asked))

    async def _start_servers(self) -> bool:
        before = self._values
        if await self._prepare(self._asked, *_NOT_FOR_EVER):
            return False
        if self._values != before and self._supervisor is not None:
            await self._supervisor.restart(self._environment(self._values))
        return True

    async def _announce_the_end(self) -> None:
        await self._stopping.wait()
        self._notifier.stopping()
        self._output.line("stopping: the parts finish what they hold")

    def _on_ready(self) -> None:
        if not self._announced:
            self._announced = True
            self._output.line(
                "petstream is up: watching the feed, and consuming "
                f"{', '.join(self._consumers[:-1])} and {self._consumers[-1]}"
            )
            self._notifier.ready("up")
        else:
            self._notifier.status("up")

    def _warn(self, line: str) -> None:
        self._output.line(line, STDERR)
        self._notifier.status(line)

    def _sink_of(self, name: str) -> LineSink:
        return lambda stream, line: self._output.line(line, stream, name)

    def _environment(self, values: Values) -> dict[str, str]:
        """Return the environment of children: all settings, and none from anywhere else."""
        directory = str(self._metrics_dir)
        fixed = {SETTLED: "1", "PETSTREAM_CONSOLE": "off", metrics_dir.VARIABLE: directory}
        return {**environment_of_parts(), **values, **fixed}


def _load(values: Values) -> Settings:
    return load({**values, SETTLED: "1"})
