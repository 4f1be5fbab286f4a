"""Days of an export that go on from a checkpoint, with a real Kafka; and one that is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from days_of_a_feed import Days, served_days

from ingest.state.checkpoint import directory_of
from lab.simulator import expected, history, write_export
from petstream.kafka import reader

pytestmark = pytest.mark.servers


@pytest.fixture
def days(tmp_path: Path, kafka: str, prefix: str) -> Iterator[Days]:
    with served_days(tmp_path, kafka, prefix) as days:
        yield days


async def test_a_day_goes_on_from_the_checkpoint_of_the_day_before_damaged_or_not(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    begins: list[int] = []
    read = reader.LogReading.batches

    def batches(self: Any, begun: Any) -> Any:
        begins.append(len(begun))
        return read(self, begun)

    monkeypatch.setattr(reader.LogReading, "batches", batches)
    feed = history(seed=5, pets=60, days=4)
    directory = directory_of(days.settings.data_dir)
    for day in range(4):
        write_export(days.home, feed, day)
        if day == 2:
            (values,) = directory.glob("*.values")
            values.write_bytes(bytes(values.stat().st_size))
        if day == 3:
            (index,) = directory.glob("*.index")
            index.write_bytes(index.read_bytes()[:-1])
        assert (await days.ingest()).exit_status == 0
        assert await days.names() == {
            key: row["name"] or None for key, row in expected(feed, day).pets.items()
        }
    # the values of day 2 are found damaged in its course; without its index, day 3 reads it all
    assert [not begun for begun in begins] == [True, False, False, True, True]
