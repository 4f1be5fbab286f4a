"""F6. Parts that an earlier export left on the server are told from those that are missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingest.source.leftovers import without_leftovers
from ingest.source.listing import ExportSet, RemoteFile, export_set, misfits, missing
from petstream.events import Counts, ExportCounts, ExportEvent, FileRead

TODAY = datetime(2026, 11, 20, 8, 4, tzinfo=UTC)
EARLIER = TODAY - timedelta(days=2)
FRESH = ("orgs_1.json", "pets_1.json", "pets_2.json", "updatedpets_1.json", "newpets_1.json",
         "petlist.csv")  # fmt: skip


def listed(*left: str, at: datetime = EARLIER, size_bytes: int = 100) -> ExportSet:
    """Return today's export with what is left of another."""
    today = [RemoteFile(name, 100, TODAY) for name in FRESH if name not in left]
    return export_set([*today, *(RemoteFile(name, size_bytes, at) for name in left)], TODAY)


def completed(*names: str, at: datetime = EARLIER) -> list[ExportEvent]:
    """Return an earlier export that recorded these files."""
    files = tuple(FileRead(name, 100, at, 10) for name in names)
    counts = ExportCounts(pets=Counts(), orgs=Counts())
    return [
        ExportEvent(export_id="2026-11-18T08:00:00Z", mode="scrub", state="completed", at=at,
                    counts=counts, files=files)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "left",
    [
        ("updatedpets_2.json",), ("pets_3.json",), ("pets_3.json", "pets_4.json"),
        ("newpets_2.json", "updatedpets_2.json", "pets_3.json"),
    ],
)  # fmt: skip
def test_f6_parts_behind_the_fresh_ones_that_are_known_are_left_over(left: tuple[str, ...]) -> None:
    """F6: a note, and go on, in each mode."""
    files = without_leftovers(listed(*left), completed(*left))
    assert {part.name for part in files.parts} == set(FRESH)
    (note,) = files.doubts()
    assert all(name in note for name in left)
    for mode in ("daily", "scrub"):
        assert missing(files, mode) == []
        assert misfits(files, mode, TODAY) == []
    assert files.fingerprint == listed().fingerprint


@pytest.mark.parametrize(
    ("files", "history"),
    [
        (listed("pets_3.json"), []),  # nobody knows it: it may belong to this export
        (listed("pets_3.json"), completed("pets_4.json")),
        (listed("pets_3.json", size_bytes=101), completed("pets_3.json")),
        (listed("pets_3.json"), completed("pets_3.json", at=EARLIER - timedelta(seconds=1))),
        (listed("pets_3.json", "pets_4.json"), completed("pets_3.json")),
        (listed("pets_4.json"), completed("pets_4.json", at=TODAY)),
        (listed("pets_1.json"), completed("pets_1.json")),  # an old one before a fresh one
        (listed("pets_2.json"), completed("pets_1.json")),
        (listed("petlist.csv"), completed("petlist.csv")),
        (listed("petlist.csv", "pets_3.json"), completed("petlist.csv", "pets_3.json")),
        (listed("orgs_2.json"), completed("orgs_2.json")),  # what isn't read there is removed
        (listed("pets_1.json", "pets_2.json"), completed("pets_1.json", "pets_2.json")),
        (listed("pets_3.json", at=TODAY), completed("pets_3.json", at=TODAY)),
    ],
)  # fmt: skip
def test_f6_what_may_be_missing_of_this_export_is_not_left_over(
    files: ExportSet, history: list[ExportEvent]
) -> None:
    """F6: then it isn't ready, as before."""
    assert without_leftovers(files, history) is files


def test_f6_a_gap_before_the_leftover_changes_nothing_about_it() -> None:
    """F6: pets_5 is of another export; the fresh ones are contiguous."""
    files = without_leftovers(listed("pets_5.json"), completed("pets_5.json"))
    assert [part.number for part in files.of("pets")] == [1, 2]
