"""The days of a soak, one after the other, through a real `petstream up`.

Rule 1: a day is over when the tables equal what the simulator says of it; then it is measured.
Rule 2: a wait has an end: a day on which something takes longer than `DAY_S` is wrong, and the
        last one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from console.embedded import servers
from console.inspect.database_reader import Unavailable, fetch_rows
from console.runtime.output import note
from lab import expectations
from lab.simulator import Expected, History, expected
from lab.soak.daemon import Daemon
from lab.soak.flatness import Sample
from lab.soak.hosts import Hosts
from lab.soak.plan import HELD, PARTS, TAKEN, UNREAD, SoakDay
from lab.soak.report import Soaked
from lab.soak.samples import parts, samples

DAY_S: Final = 300.0
_AWAY_S: Final = 3.0
_ASK_EVERY_S: Final = 0.25
_UPLOADING: Final = "still being written"
_HELD: Final = "SELECT plan_id FROM petstream.removal_plans WHERE export_id LIKE $1 || '%'"


async def soak(
    plan: Sequence[SoakDay], made: History, hosts: Hosts, data_dir: Path, values: Mapping[str, str]
) -> Soaked:
    """Let the days go by.

    Args:
        plan: what happens on each.
        made: what the exports hold.
        hosts: where they are served.
        data_dir: of the daemon.
        values: its settings, but for the directory and the addresses of the hosts.
    """
    daemon = Daemon(values, hosts, data_dir)
    run = _Run(made, hosts, daemon, data_dir, values.get("PETSTREAM_DATABASE_URL"))
    seconds: list[float] = []
    daemon.start()
    try:
        for day in plan:
            began = time.monotonic()
            await run.play(day)
            if daemon.wrong:
                break
            seconds.append(time.monotonic() - began)
            note(f"day {day.number + 1}: {seconds[-1]:.1f} s {f'({day})' if str(day) else ''}")
        await daemon.end()
    finally:
        daemon.kill()
    return Soaked(plan, seconds, run.samples, run.compared, daemon.wrong)


class _Run:
    def __init__(
        self, made: History, hosts: Hosts, daemon: Daemon, data_dir: Path, database: str | None
    ) -> None:
        self.samples: list[Sample] = []
        self.compared: Sequence[str] = ()
        self._made, self._hosts, self._daemon = made, hosts, daemon
        self._data_dir, self._database = data_dir, database

    async def play(self, day: SoakDay) -> None:
        """Publish a day's export, do what the plan says, wait for the tables, measure."""
        if day.fault is not None:
            await self._publish_faulty(day)
        if day.fault is None or day.fault not in TAKEN:
            await asyncio.to_thread(self._hosts.write, self._made, day, faulty=False)
        await asyncio.sleep(day.after_s)
        if day.killed is not None:
            self._daemon.kill_part(day.killed)
        if day.away is not None:
            await self._hosts.away(day.away, _AWAY_S)
        if day.restart == "end":
            await self._daemon.end()
            self._daemon.start()
        elif day.restart == "reload":
            await self._reload()
        await self._right(await asyncio.to_thread(expected, self._made, day.number))
        await self._measure(day.number)

    async def _publish_faulty(self, day: SoakDay) -> None:
        before = len(self._daemon.lines)
        await asyncio.to_thread(self._hosts.write, self._made, day, faulty=True)
        start = f"{self._made.start(day.number):%FT%TZ}"

        async def held() -> bool:
            answer = await fetch_rows(self._url(), {"held": (_HELD, (start,))})
            return not isinstance(answer, Unavailable) and bool(answer["held"])

        if day.fault in UNREAD:
            await self._happened(
                lambda: any(
                    "watch | " in line and _UPLOADING not in line
                    for line in self._daemon.lines[before:]
                ),
                f"{day.fault} isn't reported",
            )
        elif day.fault in HELD:
            await self._happened(held, f"{day.fault}: no removals are held")

    async def _reload(self) -> None:
        # before all parts run it would wait for them
        await self._happened(
            lambda: len(parts(self._daemon.pid)) == len(PARTS), "parts are missing"
        )
        before = len(self._daemon.lines)
        self._daemon.reload()
        await self._happened(
            lambda: "reloaded" in self._daemon.lines[before:], "the daemon doesn't reload"
        )

    async def _right(self, wanted: Expected) -> None:
        last: list[expectations.TableCheck | Unavailable] = [Unavailable("not asked")]

        async def right() -> bool:
            rows = await fetch_rows(self._url(), expectations.QUERIES)
            last[0] = rows if isinstance(rows, Unavailable) else expectations.judge(wanted, rows)
            return isinstance(last[0], expectations.TableCheck) and not last[0].differences

        await self._happened(right, "the tables aren't right")
        if isinstance(last[0], expectations.TableCheck):
            self.compared = last[0].compared
            self._daemon.wrong += last[0].differences
        else:
            self._daemon.wrong.append(f"Postgres: {last[0].reason}")

    async def _measure(self, day: int) -> None:
        pid, url = self._daemon.pid, self._url()
        await self._happened(lambda: len(parts(pid)) == len(PARTS), "parts don't begin again")
        if url is None or self._daemon.wrong:
            return
        await asyncio.to_thread(self._daemon.visit)
        self.samples += await samples(day, pid, self._data_dir, url)

    def _url(self) -> str | None:
        return self._database or servers.running(self._data_dir).database_url

    async def _happened(self, what: Callable[[], bool | Awaitable[bool]], wrong: str) -> None:
        """Wait until it has happened; if it doesn't, that is wrong."""
        until = time.monotonic() + DAY_S
        while time.monotonic() < until and not self._daemon.wrong:
            outcome = what()
            if outcome is True or (isinstance(outcome, Awaitable) and await outcome):
                return
            await asyncio.sleep(_ASK_EVERY_S)
        self._daemon.wrong.append(wrong)
