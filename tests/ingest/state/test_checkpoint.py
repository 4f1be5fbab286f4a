"""A checkpoint of the ledgers: to go on from it comes to what reading the topics whole comes to.

And in any doubt, of the log or of its files, it is as if there were none.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from ingest.state import checkpoint as module
from ingest.state import restore
from ingest.state.checkpoint import Checkpoint, KeptLedgers, directory_of, opened
from ingest.state.export_history import ExportHistory
from ingest.state.ledger import KeptLedger, Ledger, MemoryStore
from ingest.state.restore import Ledgers, fold_ledgers, kept_of, restore_ledgers
from ingest.state.spill_file import DamagedValuesError
from petstream import codec
from petstream.events import Counts, ExportCounts, ExportEvent, LogEnd
from petstream.kafka.positions import end_behind
from petstream.kafka.reader import partition_of
from petstream.kafka.records import Bounds, ConsumerRecord, TopicPartition
from petstream.sequence import PER_SECOND
from petstream.settings import KafkaAccess

unpacked = module._unpacked  # noqa: SLF001  what tells damage, byte by byte

ACCESS: Final = KafkaAccess("nowhere:9092")
PETS, ORGS = "petstream.pets.v1", "petstream.orgs.v1"
BASE: Final = 1_793_610_000
START: Final = datetime.fromtimestamp(BASE, UTC)
DAY_S: Final = 24 * 3600
EXPORT: Final = "2026-11-02T08:00:00Z"


@dataclass
class Log:
    """Both topics in memory; a timestamp is never given twice."""

    partitions: dict[TopicPartition, list[ConsumerRecord]]
    begins: dict[TopicPartition, int]
    time_ms: int = 1_000
    floors: dict[TopicPartition, int] = field(default_factory=dict)
    """Where partitions end at least, whatever record is there."""
    read: list[ConsumerRecord] = field(default_factory=list)
    """What was read of it."""

    @classmethod
    def made(cls, pets: int) -> Log:
        """Return an empty one, with so many partitions of pets.v1."""
        places = [
            *(TopicPartition(PETS, number) for number in range(pets)),
            TopicPartition(ORGS, 0),
        ]
        return cls({place: [] for place in places}, dict.fromkeys(places, 0))

    def end(self, place: TopicPartition) -> int:
        """Return the offset that the next record gets."""
        records = self.partitions[place]
        end = records[-1].offset + 1 if records else self.begins[place]
        return max(end, self.floors.get(place, 0))

    def append(self, place: TopicPartition, key: bytes, value: bytes | None, headers: Any) -> None:
        """Append a record."""
        self.time_ms += 1
        record = ConsumerRecord(place, self.end(place), key, value, headers, self.time_ms)
        self.partitions[place].append(record)

    def home(self, topic: str, key: int) -> TopicPartition:
        """Return the partition of a key."""
        count = sum(place.topic == topic for place in self.partitions)
        return TopicPartition(topic, partition_of(str(key).encode(), count))

    def reading(self) -> Callable[..., Any]:
        """Return what stands for `petstream.kafka.reader.reading`."""

        @asynccontextmanager
        async def reading(_access: object, _topics: object) -> AsyncIterator[Any]:
            yield _FakeReading(self)

        return reading


class _FakeReading:
    """What stands for `petstream.kafka.reader.LogReading`."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.bounds = {at: Bounds(log.begins[at], log.end(at)) for at in log.partitions}

    async def batches(
        self, begins: Mapping[TopicPartition, int]
    ) -> AsyncGenerator[list[ConsumerRecord], None]:
        for place, records in self._log.partitions.items():
            batch = [record for record in records if record.offset >= begins.get(place, 0)]
            self._log.read += batch
            for at in range(0, len(batch), 3):
                yield batch[at : at + 3]


def event(key: int, sequence: int, name: str, *, removed: bool = False) -> tuple[bytes, Any, bytes]:
    """Return value, headers and digest of the row of an event."""
    op = "removed" if removed else "updated"
    value = codec.encode({"op": op, "animalId": key, "sequence": sequence, "pet": {"name": name}})
    raw = b"" if removed else codec.digest(name.encode()).encode()[:16]
    headers = codec.headers(
        type_=f"pet.{op}", subject=f"pet/{key}", sequence=sequence, export_id=EXPORT,
        digest=codec.digest(name.encode()), time=START, raw_digest=raw,
    )  # fmt: skip
    return value, headers, raw


def history(log: Log, ends: Mapping[TopicPartition, LogEnd], fold_ends: Mapping[Any, int]) -> Any:
    """Return what exports.v1 remembers: one completed export."""
    completed = ExportEvent(
        export_id=EXPORT, mode="daily", state="completed", at=START, files=(),
        counts=ExportCounts(Counts(), Counts()), base=BASE,
        ends={str(at): end for at, end in ends.items()},
        end_offsets={str(at): end.offset for at, end in ends.items()},
        fold_ends={str(at): end for at, end in fold_ends.items()},
    )  # fmt: skip
    remembered = ExportHistory()
    remembered.completed[completed.export_id] = completed
    assert log.partitions
    return remembered


def restored(log: Log, remembered: Any, checkpoint: Checkpoint) -> Ledgers:
    """Restore with a checkpoint."""
    log.read.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restore, "reading", log.reading())
        return asyncio.run(restore_ledgers(ACCESS, "petstream.", remembered, checkpoint, _unheard))


def folded(log: Log, remembered: Any) -> Ledgers:
    """Read the topics whole."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restore, "reading", log.reading())
        return asyncio.run(fold_ledgers(ACCESS, "petstream.", remembered, MemoryStore(), _unheard))


def _unheard(_line: str) -> None:
    pass


def publish(log: Log, ledgers: Ledgers, key: int, sequence: int, name: str, **of: bool) -> None:
    """Publish an event as a run does: above what is held, and acknowledged."""
    sequence = max(sequence, ledgers.pets.sequence(key) + 1)
    value, headers, raw = event(key, sequence, name, **of)
    digest = codec.digest(name.encode())
    ledgers.pets.hold(key, sequence, digest, raw, value, listed=not of.get("removed"))
    log.append(log.home(PETS, key), str(key).encode(), value, headers)


def a_day(log: Log, checkpoint: Checkpoint, random: Random, keys: int = 12) -> Any:
    """Run a day's export; return what exports.v1 remembers, with the checkpoint kept."""
    empty = ExportHistory()
    ledgers = restored(log, empty, checkpoint)
    fold_ends = {at: end.offset for at, end in ledgers.ends.items()}
    for number in range(random.randrange(2 * keys)):
        key = random.randrange(keys)
        publish(
            log, ledgers, key, BASE * PER_SECOND + number, f"name {random.randrange(9)}",
            removed=random.random() < 0.2,
        )  # fmt: skip
    ends = {
        at: end_behind(records[-1]) if records else LogEnd(log.end(at))
        for at, records in log.partitions.items()
    }
    kept = kept_of(ledgers, ends, START)
    if kept is not None:
        checkpoint.save(kept)
    return history(log, ends, fold_ends)


def described(ledgers: Ledgers) -> dict[str, Any]:
    """Return all that a run goes by."""
    return {
        "pets": {key: described_entry(entry) for key, entry in ledgers.pets.items()},
        "orgs": {key: described_entry(entry) for key, entry in ledgers.orgs.items()},
        "stale": (ledgers.pets.stale, ledgers.orgs.stale),
        "ends": dict(ledgers.ends),
        "begins": dict(ledgers.begins),
        "late": ledgers.late,
        "clear": ledgers.is_clear,
        "highest": (ledgers.highest_base, ledgers.newest_start),
    }


def described_entry(entry: Any) -> Any:
    return (*entry[:4], entry.value())


# --- what befalls a log ---------------------------------------------------------------------------


def older_events(log: Log, random: Random) -> None:
    """A dead leader's last words: of an older export, or of a newer one."""
    for _ in range(random.randrange(1, 5)):
        key = random.randrange(15)
        base = BASE + random.choice((-DAY_S, 0, DAY_S))
        sequence = base * PER_SECOND + random.randrange(20)
        value, headers, _ = event(key, sequence, f"late {random.randrange(3)}")
        log.append(log.home(PETS, key), str(key).encode(), value, headers)


def said_twice(log: Log, random: Random) -> None:
    """The same batch once more, in its partition or where the keys go now."""
    place, records = random.choice([*log.partitions.items()])
    for record in records[-3:]:
        where = place if random.random() < 0.7 else TopicPartition(place.topic, 0)
        log.append(where, record.key or b"", record.value, record.headers)


def strange_records(log: Log, random: Random) -> None:
    """What isn't ours."""
    value, headers, _ = event(3, 7, "x")
    place = random.choice([*log.partitions])
    log.append(
        place, *random.choice(((b"x", value, headers), (b"3", b"{", headers), (b"3", None, ())))
    )


def lost_tail(log: Log, random: Random) -> None:
    """Acknowledged records are gone."""
    records = random.choice([*log.partitions.values()])
    del records[len(records) - random.randrange(4) :]


def last_gone(log: Log, random: Random) -> None:
    """The last record isn't there any more, and nothing else is: the end stays."""
    place, records = random.choice([*log.partitions.items()])
    log.floors[place] = log.end(place)
    del records[-1:]


def grown_again(log: Log, random: Random) -> None:
    """A tail was lost, and others have come since."""
    lost_tail(log, random)
    older_events(log, random)
    said_twice(log, random)


def made_anew(log: Log, random: Random) -> None:
    """A topic was deleted and made again, and an export read into it."""
    for place, records in log.partitions.items():
        if place.topic == PETS:
            again = [*records]
            records.clear()
            for record in again[: random.randrange(len(again) + 1)]:
                log.append(place, record.key or b"", record.value, record.headers)


def more_partitions(log: Log, _random: Random) -> None:
    """Somebody raised the number of partitions."""
    number = sum(place.topic == PETS for place in log.partitions)
    log.partitions[TopicPartition(PETS, number)] = []
    log.begins[TopicPartition(PETS, number)] = 0


def beginning_deleted(log: Log, random: Random) -> None:
    """Records at the beginning were deleted by hand."""
    place, records = random.choice([*log.partitions.items()])
    del records[:2]
    log.begins[place] = records[0].offset if records else log.begins[place]


FATES: Final[tuple[Callable[[Log, Random], None], ...]] = (
    older_events, said_twice, strange_records, lost_tail, last_gone, grown_again, made_anew,
    more_partitions, beginning_deleted,
)  # fmt: skip


@given(st.data())
def test_going_on_from_it_comes_to_what_the_whole_log_comes_to(
    tmp_path_factory: pytest.TempPathFactory, data: DataObject
) -> None:
    random = data.draw(st.randoms(use_true_random=False))
    fates = data.draw(st.lists(st.sampled_from(FATES), max_size=4))
    log, data_dir = Log.made(random.choice((1, 3))), tmp_path_factory.mktemp("data")
    with opened(data_dir, "petstream.") as checkpoint:
        if random.random() < 0.3:
            random.choice(FATES)(log, random)
        remembered = a_day(log, checkpoint, random)
    for fate in fates:
        fate(log, random)
    expected = described(folded(log, remembered))
    with opened(data_dir, "petstream.") as checkpoint:
        assert described(restored(log, remembered, checkpoint)) == expected, "the first time"
    with opened(data_dir, "petstream.") as checkpoint:
        assert described(restored(log, remembered, checkpoint)) == expected, "and once more"


def test_a_compaction_changes_nothing_that_is_restored(tmp_path: Path) -> None:
    """What is clear is all that a compaction leaves: every key's newest event."""
    for seed in range(40):
        random, log, data_dir = Random(seed), Log.made(2), tmp_path / str(seed)  # noqa: S311  a log, no secret
        with opened(data_dir, "petstream.") as checkpoint:
            remembered = a_day(log, checkpoint, random)
        ends = {at: log.end(at) for at in log.partitions}
        older_events(log, random)
        expected = described(folded(log, remembered))
        for place, records in log.partitions.items():
            last = {record.key: record.offset for record in records if record.offset < ends[place]}
            kept = {*last.values(), ends[place] - 1}
            records[:] = [
                record
                for record in records
                if record.offset in kept or record.offset >= ends[place]
            ]
        with opened(data_dir, "petstream.") as checkpoint:
            assert described(restored(log, remembered, checkpoint)) == expected


def day_one(tmp_path: Path, seed: int = 5) -> tuple[Log, Any]:
    """Return a log of a day, and what exports.v1 remembers; a checkpoint is there."""
    log = Log.made(2)
    with opened(tmp_path, "petstream.") as checkpoint:
        remembered = a_day(log, checkpoint, Random(seed))  # noqa: S311  a log, no secret
    return log, remembered


def reads_whole(log: Log, remembered: Any, tmp_path: Path, prefix: str = "petstream.") -> bool:
    """Restore; see that it comes to the right thing; tell whether the topics were read whole."""
    records = sum(map(len, log.partitions.values()))
    with opened(tmp_path, prefix) as checkpoint:
        assert described(restored(log, remembered, checkpoint)) == described(
            folded(log, remembered)
        )
        log.read.clear()
        restored(log, remembered, checkpoint)
    assert records > 2 * len(log.partitions)
    return len(log.read) >= records


def test_only_the_record_before_each_end_is_read_again(tmp_path: Path) -> None:
    log, remembered = day_one(tmp_path)
    with opened(tmp_path, "petstream.") as checkpoint:
        restored(log, remembered, checkpoint)
    assert len(log.read) == sum(bool(records) for records in log.partitions.values())
    assert not reads_whole(log, remembered, tmp_path)


def test_it_is_of_one_completed_export_one_prefix_and_one_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, remembered = day_one(tmp_path)
    assert not reads_whole(log, remembered, tmp_path)
    place = TopicPartition(PETS, log.home(PETS, 1).partition)
    ends = {at: end_behind(held[-1]) for at, held in log.partitions.items() if held}
    other = {**ends, place: LogEnd(ends[place].offset, ends[place].record_id, 7)}
    with opened(tmp_path, "another.") as checkpoint:
        assert checkpoint.load({str(at): end for at, end in ends.items()}) is None
    with opened(tmp_path, "petstream.") as checkpoint:
        assert checkpoint.load({str(at): end for at, end in other.items()}) is None
        assert checkpoint.load({}) is None
    monkeypatch.setattr(module, "_code", lambda: bytes(16))
    assert reads_whole(log, remembered, tmp_path)


def index_of(tmp_path: Path) -> Path:
    return directory_of(tmp_path) / "petstream.ledgers.index"


def values_of(tmp_path: Path) -> Path:
    (path,) = directory_of(tmp_path).glob("*.values")
    return path


def test_an_index_with_a_wrong_byte_anywhere_or_cut_anywhere_counts_for_nothing(
    tmp_path: Path,
) -> None:
    day_one(tmp_path)
    index = index_of(tmp_path)
    whole = index.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 300)):
        assert unpacked(whole[:at]) is None
        wrong = bytearray(whole)
        wrong[at] ^= 0x20
        assert unpacked(bytes(wrong)) is None
    assert unpacked(whole + b"\0") is None
    assert unpacked(whole) is not None


@pytest.mark.parametrize("damage", ["a wrong byte", "cut", "empty", "gone", "a directory"])
def test_with_a_damaged_index_the_topics_are_read_whole(tmp_path: Path, damage: str) -> None:
    log, remembered = day_one(tmp_path)
    index = index_of(tmp_path)
    whole = index.read_bytes()
    if damage == "a wrong byte":
        index.write_bytes(whole[:-9] + b"?" + whole[-8:])
    elif damage == "cut":
        index.write_bytes(whole[:-1])
    elif damage == "empty":
        index.write_bytes(b"")
    else:
        index.unlink()
    if damage == "a directory":
        index.mkdir()
    assert reads_whole(log, remembered, tmp_path)


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_with_values_that_are_not_all_there_the_topics_are_read_whole(
    tmp_path: Path, damage: str
) -> None:
    log, remembered = day_one(tmp_path)
    values = values_of(tmp_path)
    if damage == "cut":
        os.truncate(values, values.stat().st_size - 1)
    else:
        values.unlink()
    assert reads_whole(log, remembered, tmp_path)


def test_a_value_that_is_not_as_it_was_put_is_never_given_out(tmp_path: Path) -> None:
    log, remembered = day_one(tmp_path)
    values, expected = values_of(tmp_path), described(folded(log, remembered))["pets"]
    whole, given, refused = values.read_bytes(), 0, 0
    for at in range(0, len(whole), 7):
        wrong = bytearray(whole)
        wrong[at] ^= 1
        values.write_bytes(wrong)
        with opened(tmp_path, "petstream.") as checkpoint:
            ledgers = restored(log, remembered, checkpoint)
            for key, entry in ledgers.pets.items():
                try:
                    assert described_entry(entry) == expected[key]
                    given += 1
                except DamagedValuesError:
                    refused += 1
    assert given > 100
    assert refused > 20


def test_what_a_run_added_that_ended_early_is_cut_off(tmp_path: Path) -> None:
    """A run that is killed leaves its values behind; what the index says stays true."""
    log, remembered = day_one(tmp_path)
    size = values_of(tmp_path).stat().st_size
    with opened(tmp_path, "petstream.") as checkpoint:
        restored(log, remembered, checkpoint)
        checkpoint.values.put(b"x" * 3_000_000)
        checkpoint.values.flush()
    assert values_of(tmp_path).stat().st_size > size
    assert not reads_whole(log, remembered, tmp_path)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_where_it_cannot_be_written_nothing_is_kept_and_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def fails(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    log = Log.made(2)
    with monkeypatch.context() as patch, opened(tmp_path, "petstream.") as checkpoint:
        patch.setattr(module, "_write", fails)
        remembered = a_day(log, checkpoint, Random(5))  # noqa: S311  a log, no secret
    assert [path.suffix for path in directory_of(tmp_path).iterdir()] == [".lock"]
    assert reads_whole(log, remembered, tmp_path)


def test_one_that_was_killed_while_it_wrote_left_the_one_before(tmp_path: Path) -> None:
    log, remembered = day_one(tmp_path)
    index_of(tmp_path).with_suffix(".part").write_bytes(index_of(tmp_path).read_bytes()[:50])
    assert not reads_whole(log, remembered, tmp_path)


def test_another_process_does_without(tmp_path: Path) -> None:
    log, remembered = day_one(tmp_path)
    before = index_of(tmp_path).read_bytes()
    with opened(tmp_path, "petstream.") as first:
        assert first.load(dict(remembered.last_completed.ends)) is not None
        assert reads_whole(log, remembered, tmp_path)
        with opened(tmp_path, "petstream.") as second:
            second.begin()
            second.save(KeptLedgers({}, {}, *(KeptLedger({}, -1, b"") for _ in range(2))))
    assert index_of(tmp_path).read_bytes() == before
    assert not reads_whole(log, remembered, tmp_path)


def test_nobody_else_reads_it(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        day_one(tmp_path / "data")
    finally:
        os.umask(old)
    directory = directory_of(tmp_path / "data")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert len(modes) == 3
    assert {*modes.values()} == {0o600}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_data_directory_that_takes_nothing_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file")
    log, remembered = day_one(tmp_path)
    assert reads_whole(log, remembered, tmp_path)


def test_it_begins_anew_once_most_of_it_is_out_of_date_and_after_two_weeks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, remembered = day_one(tmp_path)
    ends = dict(remembered.last_completed.ends)

    def loads(**of: Any) -> bool:
        with closing(Checkpoint(tmp_path, "petstream.", ours=True, **of)) as checkpoint:
            return checkpoint.load(ends) is not None

    now_s = values_of(tmp_path).stat().st_mtime
    assert loads()
    assert loads(clock=lambda: now_s + 13 * DAY_S)
    assert not loads(clock=lambda: now_s + 15 * DAY_S)
    assert not loads(clock=lambda: now_s - DAY_S), "a clock that was ahead"
    monkeypatch.setattr(module, "_FEW_VALUES", -100)
    assert not loads()
    assert log.partitions


@pytest.mark.parametrize("doubt", ["a stranger's record", "a stale key"])
def test_what_is_not_clear_is_not_kept(tmp_path: Path, doubt: str) -> None:
    log, random = Log.made(2), Random(5)  # noqa: S311  a log, no secret
    value, headers, _ = event(3, 7, "x")
    if doubt == "a stale key":
        for sequence in (9, 7):
            value, headers, _ = event(3, sequence, "x")
            log.append(log.home(PETS, 3), b"3", value, headers)
    else:
        log.append(log.home(PETS, 3), b"nobody", value, headers)
    with opened(tmp_path, "petstream.") as checkpoint:
        a_day(log, checkpoint, random)
    assert not index_of(tmp_path).exists()
    assert not list(directory_of(tmp_path).glob("*.values"))


def test_after_a_gap_between_acknowledgements_nothing_is_kept(tmp_path: Path) -> None:
    """Somebody else's record may lie in it."""
    log, remembered = day_one(tmp_path)
    with opened(tmp_path, "petstream.") as checkpoint:
        ledgers = restored(log, remembered, checkpoint)
        ends = dict(ledgers.ends)
        assert kept_of(ledgers, ends, START) is not None
        assert kept_of(ledgers, ends, START, ["a gap"]) is None
        ends.popitem()
        assert kept_of(ledgers, ends, START) is None, "nor of a partition more or less"


def test_what_stands_in_two_partitions_is_not_kept() -> None:
    value, headers, _ = event(3, 9, "x")
    ledger = Ledger()
    assert ledger.fold(b"3", headers, value, 0)
    assert ledger.kept(b"") is not None
    assert ledger.fold(b"3", headers, value, 1)
    assert ledger.kept(b"") is None
