"""`replay`: its options, and what it reports."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from console.act.replay import report, start_of_replay
from console.cli.parser import parser
from consumers.admin.replay import (
    FromBeginning,
    FromExport,
    FromOffsets,
    FromTime,
    ReplayStart,
    Rewind,
    is_since_export,
)
from petstream.errors import UsageError
from petstream.kafka.records import TopicPartition

PETS, ORGS = "petstream.pets.v1", "petstream.orgs.v1"


def where(*words: str) -> ReplayStart:
    return start_of_replay(parser().parse_args(["replay", "pets", *words]), "petstream.")


def test_each_way_to_say_where_a_replay_begins_is_understood() -> None:
    assert where("--from-beginning") == FromBeginning()
    assert where("--from-time", "2026-11-20") == FromTime(datetime(2026, 11, 20, tzinfo=UTC))
    assert where("--from-time", "2026-11-20T03:00-05:00") == FromTime(
        datetime(2026, 11, 20, 8, tzinfo=UTC)
    )
    assert where("--from-export", "2026-11-20T08:12:04Z") == FromExport("2026-11-20T08:12:04Z")
    assert where("--from-offset", "3:120", "orgs.v1/0:40", f"{PETS}/1:2") == FromOffsets(
        {TopicPartition(PETS, 3): 120, TopicPartition(ORGS, 0): 40, TopicPartition(PETS, 1): 2}
    )


@pytest.mark.parametrize("text", ["yesterday", "", "1900-01-01", "2026-13-01", "0001-01-01T00:00"])
def test_a_time_that_is_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"--from-time: .* for example 2026-11-20T08:00Z"):
        where("--from-time", text)


@pytest.mark.parametrize(
    "text", ["120", "3:", ":120", "3:-1", "3:1e3", "a b/3:1", "٣:1", "3:120:4"]
)
def test_an_offset_that_is_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"--from-offset: .*for example 3:120, or orgs\.v1/0:40"):
        where("--from-offset", text)


@pytest.mark.parametrize(
    "words", [[], ["--from-beginning", "--from-export", "X"], ["--from-nowhere"]]
)
def test_a_replay_begins_at_one_place(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        where(*words)
    assert ended.value.code == 2


def test_an_export_begins_with_its_own_records_or_those_of_a_later_one() -> None:
    def belongs(export_id: str) -> bool:
        return is_since_export("2026-11-20T08:12:04Z", (("ce_exportid", export_id.encode()),))

    assert belongs("2026-11-20T08:12:04Z")
    assert belongs("2026-11-20T08:12:04Z.2")
    assert belongs("2026-11-21T08:12:04Z")
    assert not belongs("2026-11-19T08:12:04Z.3")
    assert not is_since_export("2026-11-20T08:12:04Z", ())
    ninth = (("ce_exportid", b"2026-11-20T08:12:04Z.9"),)
    assert not is_since_export("2026-11-20T08:12:04Z.10", ninth)
    assert is_since_export("2026-11-20T08:12:04Z.2", ninth)


def test_what_was_moved_is_reported_by_partition_and_in_all() -> None:
    rewinds = [
        Rewind(TopicPartition(PETS, 0), 1_200, 200, 1_200),
        Rewind(TopicPartition(ORGS, 0), 7, 7, 9),
    ]
    lines = report("pets", rewinds, dry_run=False).splitlines()
    assert lines[1].split() == [f"{PETS}/0", "1,200", "200", "1,000"]
    assert lines[2].split() == [f"{ORGS}/0", "7", "7", "0"]
    assert lines[3].startswith("Moved. Up to 1,000 records are read again once it runs")
    assert report("pets", rewinds, dry_run=True).endswith("1,000 records again. Nothing was moved.")
    assert report("pets", rewinds[1:], dry_run=False).endswith("nothing to replay.")
