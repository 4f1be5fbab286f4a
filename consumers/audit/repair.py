"""The newest events of differing keys applied again, by the handlers of their consumers.

Rule 1: nothing is written but by a consumer's own handler and its guard: what is newer stays.
Rule 2: each consumer's rows are a transaction of their own, so that locks are taken in its order.
Rule 3: an event that is refused again is told, and parked no second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import aclosing
from typing import Any, Final, NamedTuple

from consumers.admin import groups
from consumers.audit.compare import Difference, Table
from consumers.engine.batch import apply_isolating
from consumers.engine.postgres import Connection, connected
from consumers.engine.runner import Consumer
from consumers.engine.subscription import Place, Record
from consumers.pets import history, removals
from consumers.pictures import wanted
from petstream.codec import UndecodableError
from petstream.settings import KafkaAccess, Settings

_AT_ONCE: Final = 500

Wanted = dict[Place, dict[int, set[Table]]]


class Refused(NamedTuple):
    """An event that can't be applied, and why."""

    record: Record
    reason: str
    message: str


async def repair(
    differences: Iterable[Difference],
    access: KafkaAccess,
    database_url: str,
    settings: Settings,
) -> list[Refused]:
    """Apply the events of these differences; return those refused.

    Raises as aiokafka and asyncpg do; what was applied until then stays.
    """
    wanted = _wanted(differences)
    if not wanted:
        return []
    consumers = _consumers(settings)
    refused: list[Refused] = []
    begins = {place: min(offsets) for place, offsets in wanted.items()}
    ends = {place: max(offsets) + 1 for place, offsets in wanted.items()}
    async with (
        connected(database_url) as connection,
        aclosing(groups.records(access, ends, begins)) as batches,
    ):
        async for batch in batches:
            chosen = [one for one in batch if one.offset in wanted[one.place]]
            for at in range(0, len(chosen), _AT_ONCE):
                part = chosen[at : at + _AT_ONCE]
                for table, applied in consumers:
                    of_table = [one for one in part if table in wanted[one.place][one.offset]]
                    refused += await _apply(connection, applied, of_table)
    return refused


def _wanted(differences: Iterable[Difference]) -> Wanted:
    """Return the places of the events, and which tables each is for."""
    wanted: Wanted = {}
    for one in differences:
        if one.newest is not None:
            offsets = wanted.setdefault(one.newest.place, {})
            offsets.setdefault(one.newest.offset, set()).add(one.table)
    return wanted


def _consumers(settings: Settings) -> Sequence[tuple[Table, Consumer[Any]]]:
    wanting = wanted.consumer(settings.pictures)
    return (
        ("pets", history.CONSUMER),
        ("pets", removals.CONSUMER),
        ("organizations", history.CONSUMER),
        ("organizations", removals.CONSUMER),
        ("pictures", wanting),
    )


async def _apply(
    connection: Connection, consumer: Consumer[Any], records: Sequence[Record]
) -> list[Refused]:
    """Do as `consumers.engine.runner` does with a batch, but for the positions and the letters."""
    refused: list[Refused] = []
    items: list[tuple[Record, Any]] = []
    for record in records:
        try:
            item = consumer.read(record)
        except UndecodableError as error:
            refused.append(Refused(record, error.reason, str(error)))
        else:
            if item is not None:
                items.append((record, item))

    async def apply(connection: Connection, some: Sequence[tuple[Record, Any]]) -> None:
        await consumer.apply(connection, [item for _, item in some])

    async with connection.transaction():
        for (record, _), why in await apply_isolating(connection, items, apply):
            reason = getattr(why, "sqlstate", None) or "refused"
            refused.append(Refused(record, f"postgres-{reason}", first_line(why)))
    return refused


def first_line(error: Exception) -> str:
    """Return what a server says, without the row it says it of."""
    return str(error).partition("\n")[0]
