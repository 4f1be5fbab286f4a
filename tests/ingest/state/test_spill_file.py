"""The file of values that are seldom needed: what is put is given back, and a full disk is told."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from small_disks import small_disk

from ingest.state.spill_file import SpillFile
from petstream.errors import NoRoomError, PetstreamError


def test_what_is_put_is_given_back(tmp_path: Path) -> None:
    values = [bytes([number % 256]) * (number * 97) for number in range(300)]
    with closing(SpillFile(tmp_path)) as spilt:
        positions = [spilt.put(value) for value in values]
        assert [spilt.get(position) for position in positions] == values


def put_many(spilt: SpillFile) -> None:
    for _ in range(2_000):
        spilt.put(bytes(8_000))


def test_a_full_disk_is_waited_for_and_says_how_much_is_needed(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "small", 512) as directory,
        closing(SpillFile(directory)) as spilt,
        pytest.raises(NoRoomError, match="make room there") as raised,
    ):
        put_many(spilt)
    assert str(tmp_path) in str(raised.value)


def test_a_directory_that_cant_be_written_is_no_full_disk(tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    with pytest.raises(PetstreamError) as raised:
        SpillFile(tmp_path / "a-file" / "data")
    assert not isinstance(raised.value, NoRoomError)
