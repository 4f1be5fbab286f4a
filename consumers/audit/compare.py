"""The tables compared with the folded log: which rows aren't of their key's newest event.

Rule 1: an event that its consumer still has before it is lag, not a difference.
Rule 2: a row that is newer than the log, or that the log doesn't know, shows that the log lost
        records. It is told and never touched: the next scrub publishes it again.
Rule 3: what rows hold isn't compared: a row of the newest event was derived from it alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Literal, NamedTuple

from consumers.audit.folded_log import Completed, Log, Newest, folded
from consumers.audit.rows import Row, Tables, looked_at
from consumers.engine.migrate import missing_migrations
from consumers.engine.postgres import connected, kind_of
from consumers.engine.subscription import TROUBLE, Place
from consumers.registry import NAMES, Name
from petstream.errors import PetstreamError, UnreachableError
from petstream.settings import KafkaAccess
from petstream.topics import ORGS, PETS, Topic

Table = Literal["pets", "organizations", "pictures"]
Kind = Literal["missing", "behind", "listing", "ahead"]


class _Compared(NamedTuple):
    query: str
    topic: Topic
    adds: Name
    removes: Name


_TABLES: Final[Mapping[Table, _Compared]] = {
    "pets": _Compared("audit_pets", PETS, "pets", "deletions"),
    "organizations": _Compared("audit_organizations", ORGS, "pets", "deletions"),
    "pictures": _Compared("audit_picture_sets", PETS, "images", "images"),
}
"""What is compared: rows with a topic, and which consumers write them."""

TABLES: Final[tuple[Table, ...]] = tuple(_TABLES)


class Difference(NamedTuple):
    """A row that isn't of its key's newest event.

    `newest` is None where the log doesn't know the key; `parked` says why Postgres or the consumer
    refused the event, if it waits as a dead letter.
    """

    table: Table
    kind: Kind
    key: int
    newest: Newest | None
    parked: str | None = None


class Behind(NamedTuple):
    """How many records a consumer has before it; `begun`: it has applied some already."""

    records: int
    begun: bool


class Audit(NamedTuple):
    """What a comparison found."""

    keys: dict[Table, int]
    differences: list[Difference]
    behind: dict[str, Behind]
    completed: Completed | None
    lost: list[str]
    passed_over: int

    @property
    def equal(self) -> bool:
        """Tell whether nothing differs, as far as the consumers have come."""
        return not (self.differences or self.lost)

    @property
    def mendable(self) -> list[Difference]:
        """Return what the log can put right; nothing while it is shorter than it was."""
        return [] if self.lost else [one for one in self.differences if one.kind != "ahead"]


async def audit(access: KafkaAccess, database_url: str, prefix: str) -> Audit:
    """Compare all tables with the log as it is now.

    Raises:
        PetstreamError: the database isn't migrated.
        UnreachableError: a server is away.
    """
    if missing := await missing_migrations(database_url):
        raise PetstreamError(f"the database lacks {', '.join(missing)}: run 'petstream migrate'")
    with away_told():
        return await compared(access, database_url, prefix)


async def compared(access: KafkaAccess, database_url: str, prefix: str) -> Audit:
    """Compare as `audit` does; raises as aiokafka and asyncpg do."""
    async with connected(database_url) as connection:
        tables = await looked_at(connection, [one.query for one in _TABLES.values()])
    return found(await folded(access, prefix), tables, prefix)


@contextmanager
def away_told() -> Iterator[None]:
    """Raise `UnreachableError` instead of a server's trouble."""
    try:
        yield
    except Exception as error:
        if isinstance(error, TROUBLE) or kind_of(error) == "transient":
            raise UnreachableError(
                f"a server can't be reached ({type(error).__name__}): start it, and run this again"
            ) from None  # the cause may name the database's user
        raise


def found(log: Log, tables: Tables, prefix: str) -> Audit:
    """Return what lies between a folded log and the tables."""
    differences = [one for name in TABLES for one in _of_table(name, log, tables, prefix)]
    return Audit(
        keys={name: len(log.newest[one.topic.full_name(prefix)]) for name, one in _TABLES.items()},
        differences=differences,
        behind=_behind(log, tables, prefix),
        completed=log.completed,
        lost=[*log.lost(), *_overtaken(log, tables)],
        passed_over=log.passed_over,
    )


def _of_table(name: Table, log: Log, tables: Tables, prefix: str) -> Iterator[Difference]:
    of = _TABLES[name]
    newest, rows = log.newest[of.topic.full_name(prefix)], tables.rows[of.query]
    for key in sorted(newest.keys() | rows.keys()):
        event = newest.get(key)
        if event is None:
            yield Difference(name, "ahead", key, None)
            continue
        kind = kind_between(event, rows.get(key))
        consumer = of.adds if event.listed else of.removes
        waits = event.offset >= tables.positions.get(consumer, {}).get(event.place, 0)
        if kind == "ahead":
            yield Difference(name, kind, key, event)
        elif kind is not None and not waits:
            origin = f"{event.place.topic}/{event.place.partition}/{event.offset}"
            yield Difference(name, kind, key, event, log.letters.get((consumer, origin)))


def kind_between(event: Newest, row: Row | None) -> Kind | None:
    """Return what a row is, seen from the newest event of its key; None: it is of that event."""
    if row is None:
        return "missing"
    if row[:2] != event[:2]:
        return "behind" if row[:2] < event[:2] else "ahead"
    return None if row.listed == event.listed else "listing"


def _behind(log: Log, tables: Tables, prefix: str) -> dict[str, Behind]:
    behind: dict[str, Behind] = {}
    for consumer in NAMES:
        topics = {
            compared.topic.full_name(prefix)
            for compared in _TABLES.values()
            if consumer in {compared.adds, compared.removes}
        }
        at = tables.positions.get(consumer, {})
        records = sum(
            max(0, end - max(log.begins[place], at.get(place, 0)))
            for place, end in log.ends.items()
            if place.topic in topics
        )
        behind[consumer] = Behind(records, any(place in at for place in log.ends))
    return behind


def _overtaken(log: Log, tables: Tables) -> list[str]:
    """Say which partitions end before what a consumer has read of them."""
    furthest: dict[Place, int] = {}
    for positions in tables.positions.values():
        for place, at in positions.items():
            furthest[place] = max(at, furthest.get(place, 0))
    return [
        f"{place.topic}/{place.partition} ends at {end:,}, and was read up to {furthest[place]:,}"
        for place, end in sorted(log.ends.items())
        if furthest.get(place, 0) > end
    ]
