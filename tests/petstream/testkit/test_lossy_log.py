"""The log of the trials is as petstream writes it, and loses what it is told to lose."""

from __future__ import annotations

from typing import Any

from petstream.codec import decode
from petstream.events import DebtEvent, ExportEvent, LogEnd, PetEvent, Unstated
from petstream.sequence import PER_SECOND
from petstream.testkit import ReadableLog, Record
from petstream.testkit.lossy_log import EXPORTS, ORGS, PETS, LossyLog

PETS_OF_IT, ORGS_OF_IT = {1: "Biscuit", 2: "Moss", 3: "Pip"}, {7: "Paws"}


def written(*, heals: bool = True) -> LossyLog:
    log = LossyLog(heals=heals)
    read(log, 0)
    return log


def read(log: LossyLog, day: int, **how: Any) -> None:
    for _ in log.run(day, PETS_OF_IT, ORGS_OF_IT, **how):
        pass


def records(log: ReadableLog, topic: str) -> list[Record]:
    places = [(place, end) for place, end in log.ends.items() if place[0] == topic]
    held = (log.record_at(*place, offset) for place, end in places for offset in range(end))
    return [record for record in held if record is not None]


def last_export(log: LossyLog) -> ExportEvent:
    record = records(log.now(), EXPORTS)[-1]
    event = decode(record.headers, record.value).event
    assert isinstance(event, ExportEvent)
    return event


def test_every_record_is_one_of_petstreams() -> None:
    log = written()
    read(log, 1, snapshot=True)
    for topic in (PETS, ORGS, EXPORTS):
        for record in records(log.now(), topic):
            envelope = decode(record.headers, record.value)
            assert all(text.isascii() for _, text in record.headers)
            assert dict(record.headers)["ce_id"].decode() == (
                f"{envelope.export_id}/{envelope.subject}/{envelope.sequence}"
            )


def test_a_completed_names_the_last_record_of_each_partition() -> None:
    log = written()
    now, ends = log.now(), last_export(log).ends
    assert isinstance(ends, dict)
    assert set(ends) == {f"{topic}/{number}" for topic, number in now.ends if topic != EXPORTS}
    for name, end in ends.items():
        topic, _, number = name.rpartition("/")
        record = now.record_at(topic, int(number), end.offset - 1)
        assert end.offset == now.ends[topic, int(number)]
        assert record is not None
        named = dict(record.headers)["ce_id"].decode()
        assert end == LogEnd(end.offset, named, record.timestamp)


def test_a_snapshot_states_what_is_unchanged_and_names_what_it_could_not() -> None:
    log = written()
    before = log.now().ends
    read(log, 1)
    assert {place: end for place, end in log.now().ends.items() if place[0] != EXPORTS} == {
        place: end for place, end in before.items() if place[0] != EXPORTS
    }, "a run without a loss says nothing of what is unchanged"
    read(log, 2, snapshot=True, unreadable=(3,))
    completed, pets = last_export(log), records(log.now(), PETS)
    assert completed.snapshot == completed.restated == completed.base * PER_SECOND
    assert completed.unstated == Unstated((3,))
    again = [envelope for pet in pets if (envelope := decode(pet.headers, pet.value)).restated]
    assert sorted(envelope.subject for envelope in again) == ["pet/1", "pet/2"]
    assert all(isinstance(each.event, PetEvent) and not each.event.changed for each in again)
    assert any(
        isinstance(decode(each.headers, each.value).event, DebtEvent)
        for each in records(log.now(), EXPORTS)
    )
    read(log, 3)
    assert last_export(log).snapshot == completed.snapshot, "it is carried on"
    assert not isinstance(last_export(log).restated, int)


def test_without_its_petlist_a_snapshot_is_none_until_one_is_believed() -> None:
    log = written()
    read(log, 1, snapshot=True, believed=False)
    restated = last_export(log).restated
    assert not isinstance(last_export(log).snapshot, int)
    read(log, 2)
    assert last_export(log).snapshot == restated


def test_an_ingester_that_does_not_heal_says_nothing_of_snapshots() -> None:
    log = written(heals=False)
    before = len(records(log.now(), PETS))
    read(log, 1, snapshot=True)
    assert not isinstance(last_export(log).snapshot, int)
    assert not isinstance(last_export(log).ends, dict)
    assert len(records(log.now(), PETS)) == before


def test_what_is_lost_is_gone_and_its_offsets_are_used_again() -> None:
    log = written()
    kept, before = log.now().ends, log.now()
    read(log, 1, snapshot=True)
    log.lose(kept)
    assert {place: end for place, end in log.now().ends.items() if place[0] != EXPORTS} == {
        place: end for place, end in kept.items() if place[0] != EXPORTS
    }
    assert records(before, PETS) == records(log.now(), PETS), "and the rest is as it was"
    log.lose({})
    assert records(log.now(), PETS) == records(log.now(), ORGS) == []
    read(log, 2, snapshot=True)
    assert {record.offset for record in records(log.now(), ORGS)} == {0}
    assert records(log.now(), ORGS)[0].timestamp > records(before, ORGS)[0].timestamp


def test_more_partitions_take_the_keys_that_come_from_then_on() -> None:
    log = written()
    log.raise_partitions(5)
    assert {place for place, end in log.now().ends.items() if not end} == {(PETS, 3), (PETS, 4)}
    read(log, 1, snapshot=True)
    assert log.now().ends[PETS, 3] == 1
