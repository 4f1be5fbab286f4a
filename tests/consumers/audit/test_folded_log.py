"""What an audit believes of a log that grows while it is looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

import handmade_events
import pytest
from handmade_events import START
from msgspec.structs import replace

from consumers.audit import folded_log
from consumers.audit.compare import TableRow
from consumers.audit.folded_log import Completed, Log, Snapshot, folded, last_completed
from petstream import codec
from petstream.events import Counts, ExportCounts, ExportEvent, LogEnd, Unstated, export_subject
from petstream.kafka.positions import Standing
from petstream.kafka.records import Bounds, ConsumerRecord, TopicPartition
from petstream.settings import KafkaAccess
from petstream.topics import EXPORTS, PETS

PLACE = TopicPartition("t.pets.v1", 3)


@pytest.mark.parametrize("look", [last_completed, folded])
async def test_an_export_completed_meanwhile_doesnt_look_like_lost_records(
    monkeypatch: pytest.MonkeyPatch, look: Callable[[KafkaAccess, str], Awaitable[Log]]
) -> None:
    """T47: every look finds one more export, with one more pet, than the look before."""
    pets = PETS.full_name("t.")
    looks = 0

    async def bounds(_access: KafkaAccess, names: Sequence[str]) -> dict[TopicPartition, Bounds]:
        nonlocal looks
        looks += 1
        return {TopicPartition(name, 0): Bounds(0, looks) for name in names}

    async def read(access: KafkaAccess, log: Log, names: list[str]) -> None:
        read_bounds = await bounds(access, names)
        log.ends |= {place: end for place, (_, end) in read_bounds.items()}
        place = TopicPartition(EXPORTS.full_name("t."), 0)
        if place.topic in names:
            # what is read, is read after the ends were asked for, and by then there is more
            at = looks + (len(names) > 1)
            ends = {TopicPartition(pets, 0): LogEnd(at)}
            log.completed = Completed(f"export {at}", place, LogEnd(at), ends)

    async def standings(
        access: KafkaAccess, ends: Mapping[TopicPartition, LogEnd]
    ) -> dict[TopicPartition, Standing]:
        now = await bounds(access, [place.topic for place in ends])
        return {
            place: "there" if now[place].end >= end.offset else "lost"
            for place, end in ends.items()
        }

    monkeypatch.setattr(folded_log, "bounds", bounds)
    monkeypatch.setattr(folded_log, "_read", read)
    monkeypatch.setattr(folded_log, "standings", standings)
    log = await look(KafkaAccess("nowhere:1"), "t.")
    assert log.completed is not None
    assert log.lost == []


def completed(
    base: int, offset: int, *, snapshot: int | None = None, unstated: tuple[int, ...] = ()
) -> ConsumerRecord:
    """Return a record of exports.v1; its export is named by its base."""
    event = ExportEvent(
        export_id=f"export-{base}", mode="daily", state="completed", at=START, base=base,
        counts=ExportCounts(Counts(), Counts()), end_offsets={"t.pets.v1/3": base},
    )  # fmt: skip
    if snapshot is not None:
        ends = {"t.pets.v1/3": LogEnd(base, f"id-{base}", 7)}
        event = replace(event, snapshot=snapshot, ends=ends, unstated=Unstated(pets=unstated))
    value = codec.encode(event)
    headers = codec.headers(
        type_="export.completed", subject=export_subject(event.export_id), sequence=base,
        export_id=event.export_id, digest=codec.digest(value), time=START,
    )  # fmt: skip
    return ConsumerRecord(TopicPartition("t.exports.v1", 0), offset, b"", value, headers)


def test_what_a_table_says_as_well_is_not_kept_twice() -> None:
    """Digests of 64,000 pets thrice took 30 MB of the 195 that the consumer pets had."""
    record = handmade_events.Log(KafkaAccess("nowhere:1"), "t.").pet(7, 1)
    event = codec.decode(record.headers, record.value)
    row = TableRow(event.sequence, event.digest, listed=True)
    at = ConsumerRecord(PLACE, 0, record.key, record.value, record.headers)
    older = row._replace(sequence=1)
    for rows, is_kept_once in (({7: row}, True), ({7: older}, False), ({}, False)):
        log = Log("t.", {"t.pets.v1": rows})
        log.take([at])
        newest = log.newest["t.pets.v1"][7]
        assert newest.rank == event.rank
        assert (newest.digest is row.digest) == is_kept_once


def test_a_snapshot_is_carried_on_with_the_ends_and_the_unstated_of_the_newest_export() -> None:
    log = Log("t.")
    log.take([completed(5, 0, snapshot=50, unstated=(1, 2))])
    log.take([completed(6, 1, snapshot=50, unstated=(2,)), completed(7, 2)])
    assert log.snapshot == Snapshot(
        50, 6, "export-5", START, {PLACE: LogEnd(6, "id-6", 7)}, Unstated(pets=(2,))
    )
    assert log.completed is not None
    assert log.completed.ends == {PLACE: LogEnd(7)}, "0.1 told only offsets"
    assert log.restated == 50


def test_a_snapshot_that_arrives_late_is_not_the_newest() -> None:
    log = Log("t.")
    log.take([completed(9, 0, snapshot=90), completed(8, 1, snapshot=50)])
    assert log.snapshot is not None
    assert (log.snapshot.sequence, log.snapshot.base) == (90, 9)


def test_an_export_that_comes_again_late_is_not_the_last() -> None:
    """A record that a dead leader still had, or a rewind: the newest of its subject stands."""
    log = Log("t.")
    log.take([completed(5, 0), completed(6, 1), completed(5, 2)])
    assert log.newest_export_id == "export-6"


def test_a_dead_letter_explains_only_what_its_own_consumer_lacks() -> None:
    log = Log("t.")
    details = codec.dead_letter_headers([
        ("dl_class", "event"), ("dl_group", "t.deletions"), ("dl_origin", "t.pets.v1/3/7"),
        ("dl_reason", "postgres-22003"),
    ])  # fmt: skip
    log.take([ConsumerRecord(TopicPartition("t.dead-letters.v1", 0), 0, b"", b"", details)])
    assert log.letters == {("deletions", "t.pets.v1/3/7"): "postgres-22003"}
