"""The days of a chaos, one after the other, through a real `petstream up`.

Rule 1: a day is over when the log owes nothing, and tables, pictures, history and views are what
        the simulator says. A day without a whole export is over when all parts run again.
Rule 2: whoever ends by itself is started again, as a service manager does; that is told.
Rule 3: a wait has an end: a day that isn't right within `Places.within_s` is wrong, and the last.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from console.embedded import servers
from console.embedded.process import stop
from console.inspect.database_reader import Unavailable, fetch_rows
from console.runtime.output import note
from lab.chaos import disk, judge, log_debts, pictures
from lab.chaos.machine import Ends, Machine
from lab.chaos.plan import ChaosDay, doubted
from lab.expectations import TableCheck
from lab.simulator import Expected, History, expected
from lab.soak.daemon import Daemon
from lab.soak.hosts import Hosts
from lab.soak.plan import PARTS
from lab.soak.samples import parts

DAY_S: Final = 900.0
PREFIX: Final = "chaos."
_ASK_EVERY_S: Final = 0.5
_FULL_S: Final = 15
_OFF_FOR_S: Final = 8.0
_UNREAD_S: Final = 6.0
_HOUR_S: Final = 3_600
_MOST_STARTS: Final = 8
_BUGS: Final = ("Traceback", "this is a bug")
_WORDS_OF_LOSSES: Final = ("audit after", "again and again", "was lost")


@dataclass(frozen=True)
class Places:
    """Where everything is kept: the data directory may be a small disk, all else is beside it.

    Attributes:
        home: where all of it is.
        within_s: how long a day may take to come right, once everything has befallen it.
    """

    home: Path
    within_s: float = DAY_S

    @property
    def data(self) -> Path:
        """Of the daemon and its servers."""
        return self.home / "data"

    @property
    def clock(self) -> Path:
        """Says by how many seconds the clock of the parts is off."""
        return self.home / "clock"


@dataclass
class DayOutcome:
    """What came of a day: how long it took, what was compared, and what the daemon told."""

    day: ChaosDay
    seconds: float = 0.0
    compared: Sequence[str] = ()
    notable: list[str] = field(default_factory=list)


async def chaos(  # noqa: PLR0913  what a chaos is made of
    plan: Sequence[ChaosDay],
    made: History,
    hosts: Hosts,
    places: Places,
    values: Mapping[str, str],
    *,
    has_small_disk: bool,
) -> tuple[list[DayOutcome], list[str]]:
    """Let the days go by; return what came of each, and what is wrong (nothing: all is right).

    Args:
        plan: what befalls each.
        made: what the exports hold.
        hosts: where they are served.
        places: where all is kept.
        values: settings of the daemon, but for directories and addresses.
        has_small_disk: the data directory can be filled up.
    """
    through = ("lab.chaos.clock", str(places.clock))
    daemon = Daemon(
        {"PETSTREAM_TOPIC_PREFIX": PREFIX, **values}, hosts, places.data,
        log=places.home / "daemon.log", bugs=_BUGS, through=through,
    )  # fmt: skip
    run = _Days(plan, made, hosts, daemon, places, has_small_disk=has_small_disk)
    outcomes: list[DayOutcome] = []
    daemon.start()
    try:
        for day in plan:
            outcome = await run.play(day)
            outcomes.append(outcome)
            note(f"day {day.number + 1}: {outcome.seconds:.0f} s {f'({day})' if str(day) else ''}")
            if daemon.wrong:
                break
        await daemon.end()
    finally:
        daemon.kill()
    return outcomes, daemon.wrong


class _Days:
    def __init__(  # noqa: PLR0913  what a run is made of
        self, plan: Sequence[ChaosDay], made: History, hosts: Hosts, daemon: Daemon, places: Places,
        *, has_small_disk: bool,
    ) -> None:  # fmt: skip
        self._plan, self._made, self._hosts, self._daemon = plan, made, hosts, daemon
        self._places, self._has_small_disk = places, has_small_disk
        self._machine = Machine(places.data, places.home / "copies", PREFIX)
        self._ends: dict[int, Ends] = {}
        self._reason = ""

    async def play(self, day: ChaosDay) -> DayOutcome:
        """Publish a day's export, let everything befall it, wait until all is right."""
        began, outcome = time.monotonic(), DayOutcome(day)
        self._starts, lines = 0, len(self._daemon.lines)
        self._step_clock(day.clock_step_s)
        faults = [day.unread] if day.unread else []
        await asyncio.to_thread(self._hosts.put_out, self._made, day.number, faults)
        await asyncio.sleep(day.after_s)
        await self._strike(day)
        if day.unread:
            await asyncio.sleep(_UNREAD_S)
            await self._happened(self._all_parts_run)
        else:
            outcome.compared = await self._right(day)
        self._step_clock(0)
        await self._keep(day)
        outcome.seconds = time.monotonic() - began
        outcome.notable = [
            line
            for line in self._daemon.lines[lines:]
            if any(word in line for word in _WORDS_OF_LOSSES)
        ]
        return outcome

    async def _strike(self, day: ChaosDay) -> None:
        if day.is_disk_full and self._has_small_disk:
            await self._fill_disk()
        for victim in day.killed:
            await asyncio.to_thread(self._kill, victim)
            await asyncio.sleep(day.after_s / 4)
        if day.cut is not None:
            await asyncio.to_thread(self._power_cut)
            self._machine.cut(day.cut.topics, self._ends[day.cut.since], is_torn=day.cut.is_torn)
        elif day.log_of is not None:
            if not self._daemon.has_ended():  # it may have been killed just now
                await self._daemon.end()
            await asyncio.to_thread(servers.down, self._places.data)
            await asyncio.to_thread(self._machine.put_back, "kafka", day.log_of)
        if day.tables_of is not None:
            await asyncio.to_thread(self._put_tables_back, day.tables_of)
        self._keep_up()
        if day.is_mending_killed:
            await self._kill_while_it_mends(day.after_s)
        if day.clock_step_s < -_HOUR_S:
            await asyncio.sleep(_OFF_FOR_S)
            self._step_clock(0)

    async def _kill_while_it_mends(self, after_s: float) -> None:
        """Kill the watch so long after it has begun: it reads the export whole by then, or will."""
        await self._happened(self._watch_runs)
        await asyncio.sleep(after_s)
        await asyncio.to_thread(self._kill, "watch")

    def _watch_runs(self) -> bool:
        self._reason = "the watch doesn't begin again"
        return not self._daemon.has_ended() and "watch" in parts(self._daemon.pid)

    async def _fill_disk(self) -> None:
        try:
            for _ in range(_FULL_S):
                await asyncio.to_thread(disk.fill, self._places.data)
                await asyncio.sleep(1)
        finally:
            disk.make_room(self._places.data)

    def _kill(self, victim: str) -> None:
        if victim == "everything":
            self._power_cut()
        elif victim == "up":
            self._daemon.kill()
        elif victim in PARTS:
            if not self._daemon.has_ended():
                self._daemon.kill_part(victim, rest_s=0.0)  # rule 2: a crash loop is one
        else:
            self._machine.kill(victim)

    def _power_cut(self) -> None:
        self._machine.kill_everything(None if self._daemon.has_ended() else self._daemon.pid)

    def _put_tables_back(self, day: int) -> None:
        stop(self._places.data, "postgres")
        self._machine.put_back("postgres", day)
        if not self._daemon.has_ended():
            servers.ensure_postgres(self._places.data)

    async def _keep(self, day: ChaosDay) -> None:
        self._ends[day.number] = self._machine.ends()
        for name in sorted(day.kept):
            await asyncio.to_thread(self._machine.keep, name, day.number)

    async def _right(self, day: ChaosDay) -> Sequence[str]:
        wanted = expected(self._made, day.number)
        wanted = replace(wanted, pets=dict(wanted.pets), orgs=dict(wanted.orgs))
        compared: list[Sequence[str]] = [()]

        async def right() -> bool:
            check = await self._look(day, wanted)
            if isinstance(check, str):
                self._reason = check
                return False
            compared[0], self._reason = check.compared, "; ".join(check.differences)
            return not check.differences

        await self._happened(right)
        return compared[0]

    async def _look(self, day: ChaosDay, wanted: Expected) -> TableCheck | str:
        up = servers.running(self._places.data)
        debts = await log_debts.owed(up.kafka, PREFIX, self._made.start(day.number))
        if debts:
            return debts
        rows = await fetch_rows(up.database_url, judge.QUERIES, within_s=30.0)
        if isinstance(rows, Unavailable):
            return f"Postgres: {rows.reason}"
        check = judge.judge(self._made, wanted, rows, doubted(self._plan, day.number))
        store = self._places.data / "pictures"
        missing = await asyncio.to_thread(
            lambda: tuple(pictures.differences(store, rows["stored"]))
        )
        return check._replace(differences=(*check.differences, *missing))

    def _all_parts_run(self) -> bool:
        self._reason = "parts don't begin again"
        return not self._daemon.has_ended() and len(parts(self._daemon.pid)) == len(PARTS)

    def _keep_up(self) -> None:
        """Start the daemon if it isn't there (rule 2)."""
        if not self._daemon.has_ended():
            return
        self._starts += 1
        if self._starts > _MOST_STARTS:
            self._daemon.wrong.append(f"up ends again and again: {self._daemon.lines[-3:]}")
            return
        self._daemon.start()

    def _step_clock(self, seconds: int) -> None:
        self._places.clock.write_text(str(seconds), "ascii")

    async def _happened(self, what: Callable[[], bool | Awaitable[bool]]) -> None:
        """Wait until it has happened; if it doesn't, that is wrong."""
        within_s = self._places.within_s
        until = time.monotonic() + within_s
        while time.monotonic() < until and not self._daemon.wrong:
            self._keep_up()
            outcome = what()
            if outcome is True or (isinstance(outcome, Awaitable) and await outcome):
                return
            await asyncio.sleep(_ASK_EVERY_S)
        self._daemon.wrong.append(f"not right after {within_s:.0f} s: {self._reason}")
