"""Values that are kept apart come back as they were, whatever their size."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from ingest.state.spill_file import SpillFile


def test_every_value_comes_back_as_it_was_put(tmp_path: Path) -> None:
    sizes = (0, 1, 3, 8_187, 8_188, 8_189, 20_000, 1024 * 1024, 2_500_000, 5)
    with closing(SpillFile(tmp_path / "new")) as values:
        kept = {}
        for size in sizes:
            value = bytes(number % 251 for number in range(size))
            kept[values.put(value)] = value
            assert values.get(next(iter(kept))) == b"", "before all is written, too"
        assert len(kept) == len(sizes)
        assert {position: values.get(position) for position in kept} == kept
        assert list((tmp_path / "new").iterdir()) == [], "the file has no name"
