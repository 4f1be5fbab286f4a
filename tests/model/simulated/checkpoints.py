"""What is kept of the ledgers once an export is completed: just what the log comes to."""

from __future__ import annotations

from functools import partial
from typing import Any

from simulated.broker import Broker

from ingest.state.checkpoint import opened
from ingest.state.ledger import KeptLedger, Ledger
from ingest.state.log_check import ends_of
from ingest.state.spill_file import SpillFile
from petstream import topics
from petstream.events import ExportEvent, LogEnd
from petstream.kafka.positions import end_behind
from petstream.kafka.reader import partition_of
from petstream.kafka.records import ConsumerRecord, TopicPartition
from petstream.settings import Settings


def check_kept(broker: Broker, settings: Settings, completed: ExportEvent | None) -> bool:
    """Compare it with the log up to its ends, if that is still there; tell whether it was."""
    ends = ends_of(completed)
    with opened(settings.data_dir, settings.topic_prefix) as checkpoint:
        kept = checkpoint.load({str(at): end for at, end in ends.items()})
        if kept is None or not all(_is_there(broker, at, end) for at, end in ends.items()):
            return False
        for topic, ledger in ((topics.PETS, kept.pets), (topics.ORGS, kept.orgs)):
            name = topic.full_name(settings.topic_prefix)
            places = [place for place in ends if place.topic == name]
            folded = Ledger()
            for place in places:
                for record in _records(broker, place):
                    if record.offset < ends[place].offset:
                        assert folded.fold(
                            record.key, record.headers, record.value, place.partition
                        )
            _compare(ledger, folded, len(places), checkpoint.values)
    return True


def _compare(kept: KeptLedger, folded: Ledger, partitions: int, values: SpillFile) -> None:
    begun = Ledger.begun(kept, values, partial(_place, partitions))
    assert not folded.stale
    assert begun.highest_sequence == folded.highest_sequence
    assert begun.newest_start == folded.newest_start
    assert {key: _described(entry) for key, entry in begun.items()} == {
        key: _described(entry) for key, entry in folded.items()
    }
    for key, entry in folded.items():  # what it makes of a record that comes behind them
        where = _place(partitions, key)
        for ledger in (begun, folded):
            assert not ledger.fold(str(key).encode(), (), entry.value(), where)
    assert begun.stale == folded.stale


def _place(partitions: int, key: int) -> int:
    return partition_of(str(key).encode(), partitions)


def _described(entry: Any) -> Any:
    return (*entry[:4], entry.value())


def _is_there(broker: Broker, place: TopicPartition, end: LogEnd) -> bool:
    before = [record for record in _records(broker, place) if record.offset == end.offset - 1]
    return not end.offset or [end_behind(record) for record in before] == [end]


def _records(broker: Broker, place: TopicPartition) -> list[ConsumerRecord]:
    return [
        ConsumerRecord(
            place, stored.offset, stored.key, stored.value, stored.headers, stored.timestamp
        )
        for stored in broker.partition(place).records
    ]
