"""How much consumers have before them, looked at from beside: for the bars of a terminal.

Rule 1: what comes while work goes on makes its total greater, and nothing of what is done undone.
Rule 2: a server that can't be asked is no news: the consumers themselves say so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple

from console.inspect.database_reader import Unavailable, fetch_rows
from console.runtime.progress import ReportProgress
from consumers.admin.lag import lag
from consumers.engine.queries import query
from consumers.registry import Name
from petstream.errors import UnreachableError
from petstream.settings import KafkaAccess

_EVERY_S: Final = 1.0
_PICTURES: Final = "pictures"

LookForWork = Callable[[], Awaitable[Mapping[str, int]]]
"""Returns how much is left of each kind of work that has any or had some."""


class WorkDone(NamedTuple):
    """How far a kind of work is."""

    done: int
    total: int


class WorkCount:
    """How far work is whose rest is all that can be seen."""

    def __init__(self) -> None:
        """Know of no work."""
        self._known: dict[str, WorkDone] = {}

    def see(self, left: Mapping[str, int]) -> dict[str, WorkDone]:
        """Take what is left; return how far each kind is, without what never had any (rule 1)."""
        for name, rest in left.items():
            done, total = self._known.get(name, WorkDone(0, rest))
            done = max(done, total - rest)
            if rest or name in self._known:
                self._known[name] = WorkDone(done, done + rest)
        return dict(self._known)


@asynccontextmanager
async def reporting(look: LookForWork, report: ReportProgress) -> AsyncIterator[None]:
    """Report how far work is, again and again, for as long as the block lasts."""
    reporting_task = asyncio.create_task(_keep_reporting(look, report), name="work left")
    try:
        yield
    finally:
        reporting_task.cancel()
        with suppress(asyncio.CancelledError):
            await reporting_task


async def _keep_reporting(look: LookForWork, report: ReportProgress) -> None:
    count = WorkCount()
    while True:
        with suppress(UnreachableError):
            for name, work in count.see(await look()).items():
                unit = _PICTURES if name == _PICTURES else "records"
                report(name, work.done, work.total, unit)
        await asyncio.sleep(_EVERY_S)


def look_at(
    names: Sequence[Name], *, kafka: KafkaAccess, prefix: str, database_url: str
) -> LookForWork:
    """Return what looks how much these consumers have before them.

    Args:
        names: the consumers; with ``images``, pictures that are due are asked for as well.
        kafka: how to reach Kafka.
        prefix: of topics and groups.
        database_url: of the migrated database.
    """

    async def look() -> dict[str, int]:
        left: dict[str, int] = dict.fromkeys(names, 0)
        for behind in await lag(kafka, prefix, names):
            left[behind.consumer] += behind.lag
        if "images" in names:
            rows = await fetch_rows(database_url, {_PICTURES: (query("pictures_by_status"), ())})
            if not isinstance(rows, Unavailable):
                due = [row["pictures"] for row in rows[_PICTURES] if row["status"] == "due"]
                left[_PICTURES] = sum(due)
        return left

    return look
