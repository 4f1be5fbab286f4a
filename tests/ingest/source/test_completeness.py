"""Files of one export fit together; those of two days are told apart, and named."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from ingest.source.completeness import misfits, stale_petlist
from ingest.source.listing import ExportSet, RemoteFile, plan
from petstream.events import Mode

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
NAMES = (
    "orgs_1.json", "updatedpets_1.json", "newpets_1.json", "petlist.csv", "pets_1.json",
    "pets_2.json",
)  # fmt: skip


def set_of(old: dict[str, float]) -> ExportSet:
    """Return a whole set of which some files (by name) are so many hours older."""
    return plan(
        [RemoteFile(name, 100, NOW - timedelta(hours=old.get(name, 0.0))) for name in NAMES]
    )


@pytest.mark.parametrize("mode", ["initial", "daily", "scrub"])
def test_t3_files_of_one_export_fit(mode: Mode) -> None:
    """T3: files written within hours, after the start stamp, are of one export."""
    hours = {"orgs_1.json": 2.0, "pets_1.json": 1.9, "pets_2.json": 1.8, "petlist.csv": 0.5}
    assert misfits(set_of(hours), mode, NOW - timedelta(hours=2.1)) == []
    assert misfits(set_of(hours), mode, None) == []


@pytest.mark.parametrize(
    ("mode", "old"),
    [
        ("daily", ("petlist.csv",)),
        ("scrub", ("petlist.csv",)),
        ("daily", ("orgs_1.json", "updatedpets_1.json", "newpets_1.json")),
        ("scrub", ("pets_2.json",)),
        ("initial", ("orgs_1.json",)),
    ],
)
def test_t3_files_of_two_days_do_not_fit_and_are_named(mode: Mode, old: tuple[str, ...]) -> None:
    """T3: yesterday's petlist with today's pets, and the reverse: not ready, and named."""
    (said,) = misfits(set_of(dict.fromkeys(old, 24.0)), mode, None)
    assert set(re.findall(r"(\S+) \(of 2026-11-01", said)) == set(old)
    assert "two exports are mixed" in said


def test_t3_files_that_the_mode_does_not_read_need_not_fit() -> None:
    """T3: a daily run asks nothing of pets_n."""
    old = set_of({"pets_1.json": 24.0, "pets_2.json": 24.0})
    assert misfits(old, "daily", None) == []
    assert misfits(old, "scrub", None)


def test_t3_a_file_from_before_the_start_does_not_fit_but_clocks_may_differ() -> None:
    """T3: what was written before the export began is the last one's."""
    start = NOW - timedelta(hours=2)
    (said,) = misfits(set_of({"petlist.csv": 3.0}), "daily", start)
    assert "petlist.csv" in said
    assert "from before this export's start" in said
    assert misfits(set_of({"orgs_1.json": 2.1}), "daily", start) == []


def test_t3_many_misfits_are_not_all_named() -> None:
    """T3: one line, whatever is wrong."""
    names = [f"pets_{n}.json" for n in range(1, 9)]
    export = plan([
        *(RemoteFile(name, 100, NOW - timedelta(days=1)) for name in names),
        *(RemoteFile(name, 100, NOW) for name in ("orgs_1.json", "petlist.csv")),
    ])  # fmt: skip
    (said,) = misfits(export, "scrub", None)
    assert "and 4 more" in said


def test_t6_a_petlist_older_than_the_files_it_judges_is_doubted() -> None:
    """T6: a list that was there before the rows can't know them."""
    assert stale_petlist(set_of({"petlist.csv": 0.5}), "daily") is None
    assert (
        stale_petlist(set_of({"updatedpets_1.json": 3.0, "newpets_1.json": 3.0}), "daily") is None
    )
    said = stale_petlist(set_of({"petlist.csv": 3.0}), "scrub")
    assert said is not None
    assert said.startswith("petlist.csv (of 2026-11-02 06:00 UTC) is older than pets_")
    assert stale_petlist(plan([RemoteFile("pets_1.json", 1, NOW)]), "scrub") is None
