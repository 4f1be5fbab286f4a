"""Tails cut and directories put back, on files."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.chaos.machine import Machine


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Kafka's log directory with one partition, of ten bytes, that has an index."""
    partition = tmp_path / "data" / "kafka" / "log" / "chaos.pets.v1-0"
    partition.mkdir(parents=True)
    (partition / "00.log").write_bytes(b"0123456789")
    (partition / "00.index").write_bytes(b"derived")
    return partition.parent


@pytest.fixture
def machine(tmp_path: Path, log: Path) -> Machine:
    assert log.is_dir()
    return Machine(tmp_path / "data", tmp_path / "copies", "chaos.")


def test_a_tail_is_cut_where_a_day_ended(machine: Machine, log: Path) -> None:
    ends = machine.ends()
    segment = log / "chaos.pets.v1-0" / "00.log"
    segment.write_bytes(b"0123456789abcdef")
    assert machine.cut(("pets.v1",), ends, is_torn=False) == 1
    assert segment.read_bytes() == b"0123456789"
    assert not segment.with_suffix(".index").exists()
    assert machine.cut(("pets.v1",), ends, is_torn=False) == 0, "nothing more to lose"


def test_half_of_a_torn_tail_stays(machine: Machine, log: Path) -> None:
    ends = machine.ends()
    segment = log / "chaos.pets.v1-0" / "00.log"
    segment.write_bytes(b"0123456789abcdef")
    machine.cut(("pets.v1",), ends, is_torn=True)
    assert segment.read_bytes() == b"0123456789abc"


def test_a_segment_that_was_begun_since_is_lost_whole(machine: Machine, log: Path) -> None:
    ends = machine.ends()
    later = log / "chaos.pets.v1-0" / "10.log"
    later.write_bytes(b"abc")
    machine.cut(("pets.v1",), ends, is_torn=False)
    assert later.read_bytes() == b""


def test_other_topics_keep_everything(machine: Machine, log: Path) -> None:
    ends = machine.ends()
    (log / "chaos.pets.v1-0" / "00.log").write_bytes(b"0123456789abcdef")
    assert machine.cut(("orgs.v1",), ends, is_torn=False) == 0


def test_a_directory_put_back_is_what_it_was(machine: Machine, log: Path) -> None:
    machine.keep("kafka", 3)
    segment = log / "chaos.pets.v1-0" / "00.log"
    segment.write_bytes(b"later")
    (log / "chaos.pets.v1-1").mkdir()
    machine.put_back("kafka", 3)
    assert segment.read_bytes() == b"0123456789"
    assert [path.name for path in log.iterdir()] == ["chaos.pets.v1-0"]
    assert not segment.with_suffix(".index").exists(), "Kafka makes it anew"
