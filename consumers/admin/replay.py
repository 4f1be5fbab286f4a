"""A consumer rewound: where it would begin again, and its offsets set to that.

Rule 1: it goes back, never forward: a partition that hasn't come as far stays where it is.
Rule 2: a consumer begins at the lower of its offset stored in Postgres and its group's, so both are
        moved: the rows are written and locked, the group's offsets committed, then the rows. A
        crash in between leaves the group's moved alone: the consumer begins there all the same, and
        replaying again is harmless. A consumer that was started meanwhile finds its stored offset
        moved under it, and begins again at the lower of both.
Rule 3: a position set so knows the record before it, where that is still there.
Rule 4: Kafka itself refuses the offsets of a group that has members, whatever was seen before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from consumers.engine import offsets
from consumers.engine.migrate import check_migrated
from consumers.engine.postgres import AwayError, Connection, connected, kind_of
from consumers.engine.queries import query
from consumers.registry import Name, group_of, topics_of
from petstream.codec import Headers
from petstream.errors import PetstreamError, UnreachableError, UsageError
from petstream.events import LogEnd
from petstream.kafka import groups
from petstream.kafka.client import KAFKA_ERRORS
from petstream.kafka.groups import InUseError, group_offsets
from petstream.kafka.positions import end_behind
from petstream.kafka.reader import bounds, first_offsets, offsets_since, records_at
from petstream.kafka.records import TopicPartition
from petstream.settings import KafkaAccess
from petstream.topics import EXPORTS


class FromBeginning(NamedTuple):
    """From the first record there is."""


class FromTime(NamedTuple):
    """From the first record that was published at this time or later."""

    time: datetime


class FromOffsets(NamedTuple):
    """From these offsets; other partitions stay where they are."""

    offsets: Mapping[TopicPartition, int]


class FromExport(NamedTuple):
    """From the first record of this export or a later one."""

    export_id: str


ReplayStart = FromBeginning | FromTime | FromOffsets | FromExport


class Rewind(NamedTuple):
    """A partition: where its consumer is, where it would begin again, and where the log ends."""

    partition: TopicPartition
    now: int
    to: int
    end: int

    @property
    def records(self) -> int:
        """How many records would be read again, at the most: compaction leaves gaps."""
        return self.now - self.to


async def replay(  # noqa: PLR0913  what is moved, where, and where it is kept
    consumer: Name,
    start: ReplayStart,
    *,
    access: KafkaAccess,
    database_url: str,
    prefix: str,
    dry_run: bool = False,
) -> list[Rewind]:
    """Rewind a consumer that isn't running; return what becomes of each partition.

    Raises:
        PetstreamError: the consumer is running, or the database isn't migrated.
        UsageError: there is no such export, partition or offset.
        UnreachableError: a server is away.
    """
    await check_migrated(database_url)
    group = group_of(consumer, prefix)
    try:
        await groups.check_idle(access, group)
        async with connected(database_url) as connection:
            rewinds = await _plan(consumer, start, access, connection, prefix)
            moves = {rewind.partition: rewind.to for rewind in rewinds if rewind.to < rewind.now}
            if moves and not dry_run:
                await _move(consumer, group, moves, access, connection)
    except InUseError:
        raise PetstreamError(
            f"the consumer {consumer} is running: stop it (petstream up, petstream consume), then "
            "replay. One that was killed is forgotten by Kafka after ten seconds or so"
        ) from None
    except KAFKA_ERRORS as error:
        raise _away(error) from None
    except Exception as error:
        if kind_of(error) == "transient" and not isinstance(error, AwayError):
            raise _away(error) from None  # the cause may name the database's user
        raise
    return rewinds


def is_since_export(export_id: str, headers: Headers) -> bool:
    """Return whether a record belongs to this export or a later one."""
    own_id = dict(headers).get("ce_exportid", b"").decode("utf-8", "replace")
    return bool(own_id) and _export_order(own_id) >= _export_order(export_id)


async def _plan(
    consumer: Name, start: ReplayStart, access: KafkaAccess, connection: Connection, prefix: str
) -> list[Rewind]:
    measured = await bounds(access, topics_of(consumer, prefix))
    committed = await group_offsets(access, group_of(consumer, prefix))
    stored = await offsets.stored(connection, consumer)
    targets = await _targets(start, access, measured, EXPORTS.full_name(prefix))
    rewinds = []
    for partition, (begin, end) in sorted(measured.items()):
        held = stored.get(partition)
        now = offsets.begins_at(held, committed.get(partition), begin, end)
        to = max(begin, min(now, targets.get(partition, end)))
        rewinds.append(Rewind(partition, now, to, end))
    return rewinds


async def _targets(
    start: ReplayStart,
    access: KafkaAccess,
    measured: Mapping[TopicPartition, tuple[int, int]],
    exports: str,
) -> Mapping[TopicPartition, int]:
    """Return the offsets asked for; a partition without one stays where it is."""
    if isinstance(start, FromBeginning):
        return {partition: begin for partition, (begin, _) in measured.items()}
    if isinstance(start, FromOffsets):
        _check(start.offsets, measured)
        return start.offsets
    if isinstance(start, FromTime):
        return await offsets_since(access, list(measured), start.time)
    await _check_export(start.export_id, access, exports)
    ends = {partition: end for partition, (_, end) in measured.items()}
    return await first_offsets(
        access, ends, lambda headers: is_since_export(start.export_id, headers)
    )


async def _check_export(export_id: str, access: KafkaAccess, exports: str) -> None:
    measured = await bounds(access, [exports])
    ends = {partition: end for partition, (_, end) in measured.items()}
    name = export_id.encode()
    if not await first_offsets(access, ends, lambda headers: ("ce_exportid", name) in headers):
        raise UsageError(
            f"there is no export {export_id[:80]!r}: 'petstream status' shows the last ones, and "
            "'petstream tail exports --from-beginning' all"
        )


def _check(
    offsets: Mapping[TopicPartition, int], measured: Mapping[TopicPartition, tuple[int, int]]
) -> None:
    for partition, offset in offsets.items():
        if partition not in measured:
            known = ", ".join(map(str, sorted(measured)))
            raise UsageError(f"this consumer doesn't read {partition}; it reads {known}")
        begin, end = measured[partition]
        if not begin <= offset <= end:
            raise UsageError(
                f"{partition} has no offset {offset}: it begins at {begin} and ends at {end}"
            )


async def _move(
    consumer: Name,
    group: str,
    moves: Mapping[TopicPartition, int],
    access: KafkaAccess,
    connection: Connection,
) -> None:
    rows = []
    before = await records_at(access, {at: to - 1 for at, to in moves.items() if to})
    for partition, to in sorted(moves.items()):
        record = before[partition].record if to else None
        end = LogEnd(to) if record is None else end_behind(record)
        rows.append((
            consumer, partition.topic, partition.partition, to, end.record_id, end.timestamp_ms,
        ))  # fmt: skip
    async with connection.transaction():
        await connection.executemany(query("set_position"), rows)
        await groups.set_offsets(access, group, moves)


def _export_order(export_id: str) -> tuple[str, int]:
    """Return what sorts exports: the start, then which publication of it."""
    start, _, again = export_id.partition("Z")
    number = again.removeprefix(".")
    return start, int(number) if number.isascii() and number.isdigit() else 1


def _away(error: BaseException) -> UnreachableError:
    return UnreachableError(
        f"a server can't be reached ({type(error).__name__}): start it, and replay again; "
        "what was moved already does no harm"
    )
