"""Whole runs over odd days: mixed ones, older ones, missed ones, broken ones, lost logs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from days_of_a_feed import Days, org, pet, put, served_days, write
from msgspec import UNSET

from ingest import compiled
from lab.simulator import History, expected, history, write_export
from petstream import topics
from petstream.errors import BrokenFileError, NotReadyError
from petstream.events import Unstated
from petstream.kafka.admin import delete_topics
from petstream.kafka.records import ProducerRecord
from petstream.kafka.writer import send_all
from petstream.sequence import PER_SECOND

pytestmark = pytest.mark.servers


@pytest.fixture
def days(tmp_path: Path, kafka: str, prefix: str) -> Iterator[Days]:
    with served_days(tmp_path, kafka, prefix) as days:
        yield days


def names(feed: History, day: int) -> dict[int, str | None]:
    """Return the names that a consumer must know after a day."""
    return {key: row["name"] or None for key, row in expected(feed, day).pets.items()}


async def test_t3_two_days_mixed_are_not_ready_and_nothing_is_done(days: Days) -> None:
    """T3: yesterday's petlist with today's pets, and the reverse: status 3, named."""
    feed = history(seed=5, pets=60, days=2)
    write_export(days.home, feed, 0)
    await days.ingest()
    before = await days.said()
    write_export(days.home, feed, 1, faults=["stale-petlist"])
    with pytest.raises(NotReadyError, match=r"petlist\.csv \(of 2026-11-02.* mixed") as caught:
        await days.ingest()
    assert caught.value.exit_status == 3
    write_export(days.home, feed, 1, faults=["stale-pets"])
    with pytest.raises(
        NotReadyError, match=r"newpets_1\.json \(of 2026-11-02.*orgs_1\.json \(of.*older than petl"
    ):
        await days.ingest()
    assert await days.said() == [*before, "failed", "failed"], "published as unread"
    assert await days.names() == names(feed, 0)
    write_export(days.home, feed, 1)
    assert (await days.ingest()).exit_status == 0
    assert await days.names() == names(feed, 1)


async def test_compiled_modules_that_cannot_be_used_are_named_where_something_is_read(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_export(days.home, history(seed=5, pets=10, days=1), 0)
    broken = compiled.Form(in_use=False, what="plain Python; it is broken", is_broken=True)
    monkeypatch.setattr(compiled, "FORM", broken)
    lines: list[str] = []
    await days.ingest(say=lines.append)
    assert lines.count("plain Python; it is broken: run scripts/compile again") == 1
    lines.clear()
    await days.ingest(say=lines.append)  # nothing new
    assert not any("broken" in line for line in lines)


@pytest.mark.parametrize("mode", ["scrub", "daily"])
async def test_t11_no_run_reads_part_of_a_set(days: Days, mode: str) -> None:
    """T11: a gap in the parts is not ready, status 3; nothing is read of the others."""
    feed = history(seed=14, pets=60, days=2)
    write_export(days.home, feed, 0)
    await days.ingest()
    before = await days.said()
    write_export(
        days.home, feed, 1, part_rows=2 if mode == "daily" else 20, faults=["missing-part"]
    )
    with pytest.raises(NotReadyError, match=r"pets_\d+\.json is missing") as caught:
        await days.ingest(wanted=mode)
    assert caught.value.exit_status == 3
    assert await days.said() == [*before, "failed"], "published as unread"
    assert await days.names() == names(feed, 0)


async def test_t5_an_older_export_put_back_is_refused_and_changes_nothing(days: Days) -> None:
    """T5: known by its start stamp; read only with --allow-older, and even then without effect."""
    feed = history(seed=6, pets=60, days=3)
    for day in (0, 2):
        write_export(days.home, feed, day)
        await days.ingest()
    known = await days.names()
    write_export(days.home, feed, 0)
    with pytest.raises(NotReadyError, match="an older one was put back"):
        await days.ingest()
    assert (await days.ingest(allow_older=True)).outcome is None, "just these files were completed"
    for path in days.home.iterdir():
        put(path, path.read_bytes(), feed.start(2).timestamp() + 9_000)
    with pytest.raises(NotReadyError, match="--allow-older"):
        await days.ingest()
    write_export(days.home, feed, 1)
    with pytest.raises(NotReadyError, match="which was completed"):
        await days.ingest()
    read = (await days.ingest(allow_older=True)).outcome
    assert read is not None
    assert read.counts.pets.removed == 0
    assert "nobody is removed for this one" in "; ".join(read.notes)
    assert {key: name for key, name in (await days.names()).items() if key in known} == known
    write_export(days.home, feed, 2)
    assert (await days.ingest()).outcome is None, "the newest is still the newest"


async def test_f3_whoever_has_an_export_of_next_year_goes_on_with_the_next_day(days: Days) -> None:
    """F3: an earlier version believed one file's time; days go on without a gap or a flag."""
    now = datetime.now(UTC)
    start, day = now - timedelta(days=2), timedelta(days=1)
    write(days.home, start, [1, 2], orgs=[org(701)], pets=[pet(1), pet(2)])
    await days.ingest()
    ahead = now + timedelta(days=300)
    write(days.home, ahead, [1, 2], orgs=[org(701)], pets=[pet(1, name="Ahead"), pet(2)])
    misnamed = await days.ingest(clock=lambda: ahead + day)
    assert misnamed.export_id.startswith(f"{ahead:%Y-%m-%d}"), "as such a version named it"
    start = datetime.now(UTC) + timedelta(seconds=1)
    new = [pet(1, name="Next")]
    write(days.home, start, [1, 2], orgs=[org(701)], updatedpets=new, newpets=[],
          pets=[*new, pet(2)])  # fmt: skip
    result = await days.ingest()
    assert result.outcome is not None
    assert result.outcome.mode == "daily", "no day was missed, as it isn't next year"
    assert result.export_id == f"{start:%Y-%m-%dT%H:%M:%SZ}"
    assert (await days.names())[1] == "Next"
    status = await days.status(datetime.now(UTC))
    assert status["feed"]["newestExportId"] == result.export_id


@pytest.mark.parametrize("missed", [1, 2])
async def test_t4_a_change_of_a_missed_day_arrives(days: Days, missed: int) -> None:
    """T4: a day without files does nothing; the next good export becomes a scrub."""
    feed = history(seed=7, pets=60, days=missed + 3)
    write_export(days.home, feed, 0)
    await days.ingest()
    for day in range(1, missed + 1):
        write_export(days.home, feed, day, faults=["late-export"])
        quiet = await days.ingest()
        assert (quiet.outcome, quiet.exit_status) == (None, 0), "yesterday's files: nothing is done"
    assert await days.names() == names(feed, 0), "never empty"
    write_export(days.home, feed, missed + 1)
    outcome = (await days.ingest()).outcome
    assert outcome is not None
    assert outcome.mode == "scrub"
    assert "a day was missed" in outcome.notes[0]
    assert outcome.notes == (await days.completed()).notes
    only_then = [key for key, went in expected(feed, missed + 1).pet_history.items()
                 if went[-1] == (1, "updated")]  # fmt: skip
    assert only_then
    assert await days.names() == names(feed, missed + 1)
    write_export(days.home, feed, missed + 2)
    outcome = (await days.ingest()).outcome
    assert outcome is not None
    assert outcome.mode == "daily"


async def test_t18_a_broken_file_is_announced_once_however_often_it_is_read(days: Days) -> None:
    """T18, T19: the export isn't completed; `failed` is said once for the same files."""
    feed = history(seed=8, pets=60, days=2)
    write_export(days.home, feed, 0)
    await days.ingest()
    write_export(days.home, feed, 1, faults=["bad-row", "cut-last-row"])
    for _ in range(3):
        with pytest.raises(BrokenFileError, match="cut"):
            await days.ingest()
    assert await days.said() == ["started", "completed", "started", "failed"]
    letters = await days.length(topics.DEAD_LETTERS)
    assert letters > 0
    write_export(days.home, feed, 1, faults=["bad-row"])
    assert (await days.ingest()).exit_status == 0
    assert (await days.said())[4:] == ["started", "completed"]
    assert await days.names() == names(feed, 1)
    assert await days.length(topics.DEAD_LETTERS) > letters


async def test_t28_a_file_that_lost_a_key_is_broken_and_new_fields_are_told_once(
    days: Days,
) -> None:
    """T28: a required key gone from all rows breaks the file; unknown ones are drift."""
    feed = history(seed=9, pets=60, days=3)
    write_export(days.home, feed, 0)
    first = (await days.ingest()).outcome
    assert first is not None
    assert not [note for note in first.notes if note.startswith("drift")]
    write_export(days.home, feed, 1)
    rewrite(days.home / "pets_1.json", lambda row: row.pop("species"))
    with pytest.raises(
        BrokenFileError, match=r"pets_1\.json is broken: \d+ of its \d+ rows lack spec"
    ):
        await days.ingest(wanted="scrub")
    write_export(days.home, feed, 1)
    rewrite(days.home / "updatedpets_1.json", lambda row: row.update(kennel="7", species="Yeti"))
    outcome = (await days.ingest(wanted="daily")).outcome
    assert outcome is not None
    rows = len((days.home / "updatedpets_1.json").read_bytes().splitlines())
    done = await days.completed()
    assert done.drift is not None
    assert done.drift.unknown_fields == {"kennel": rows}
    assert done.drift.new_values["species"] == ("Yeti",)
    assert done.notes == outcome.notes
    assert f'drift: fields that aren\'t known: "kennel" ({rows} rows)' in done.notes
    write_export(days.home, feed, 2)
    rewrite(days.home / "updatedpets_1.json", lambda row: row.update(species="Yeti"))
    outcome = (await days.ingest()).outcome
    assert outcome is not None
    assert not [note for note in outcome.notes if "Yeti" in note], "an earlier export had it"


async def test_t47_a_log_that_lost_records_is_stated_again_at_the_next_look(days: Days) -> None:
    """T47: acknowledged records were lost: the same export is read once more, as a snapshot."""
    feed = history(seed=10, pets=60, days=1)
    write_export(days.home, feed, 0)
    await days.ingest()
    before = await days.completed()
    ends = before.end_offsets
    pets = topics.PETS.full_name(days.settings.topic_prefix)
    assert sum(end for place, end in ends.items() if place.startswith(f"{pets}/")) == 60
    assert len(ends) == topics.PETS.partitions + topics.ORGS.partitions
    await delete_topics(days.kafka, [pets])
    outcome = (await days.ingest()).outcome
    assert outcome is not None
    assert outcome.export_id == f"{before.export_id}.2"
    assert (outcome.mode, outcome.counts.pets.added) == ("scrub", 60)
    assert "lost records" in outcome.notes[0]
    assert await days.names() == names(feed, 0)
    (debt,) = await days.debts()
    assert debt.owes == "snapshot"
    assert set(debt.partitions) == {name for name in ends if name.startswith(pets)}
    completed = await days.completed()
    assert completed.snapshot == completed.restated == completed.base * PER_SECOND
    assert completed.unstated == Unstated()
    assert (await days.ingest()).outcome is None


async def test_a_snapshot_that_is_asked_for_states_every_key_again_once(days: Days) -> None:
    """Unchanged pets too, with nothing changed; who left while it was owed is removed."""
    feed = history(seed=10, pets=60, days=2)
    write_export(days.home, feed, 0)
    await days.ingest()
    listed, orgs = await days.listed(), await days.listed(topics.ORGS)
    records = await days.length(topics.PETS)
    result = await days.ingest(wanted="snapshot")
    assert result.outcome is not None
    assert result.outcome.counts.pets.unchanged == len(listed)
    assert await days.length(topics.PETS) == records + len(listed)
    first = int((await days.completed()).base) * PER_SECOND
    ledger = await days.ledger()
    assert {entry.sequence >= first for _, entry in ledger.items()} == {True}
    stated = [entry.event() for _, entry in ledger.items()]
    assert {(event["op"], *event["changed"]) for event in stated} == {("updated",)}
    assert await days.listed(topics.ORGS) == orgs
    write_export(days.home, feed, 1)
    tomorrow = await days.ingest()
    assert tomorrow.outcome is not None
    assert tomorrow.outcome.mode == "daily"
    carried = await days.completed()
    assert (carried.snapshot, carried.restated) == (first, UNSET)
    assert await days.names() == names(feed, 1)


async def test_who_asks_on_requests_v1_gets_a_snapshot_above_it_and_only_one(days: Days) -> None:
    feed = history(seed=10, pets=60, days=1)
    write_export(days.home, feed, 0)
    await days.ingest()
    asked = (await days.completed()).base * PER_SECOND + 2_000_007
    name = topics.REQUESTS.full_name(days.settings.topic_prefix)
    value = b'{"sequence": %d, "reason": "restored from a dump"}' % asked
    await send_all(days.kafka, [ProducerRecord(name, b"a stranger", value, ())])
    result = await days.ingest()
    assert result.outcome is not None
    snapshot = (await days.completed()).snapshot
    assert isinstance(snapshot, int)
    assert snapshot > asked
    assert (await days.ingest()).outcome is None


async def test_t10_a_page_or_pets_among_organisations_complete_and_change_nothing(
    days: Days,
) -> None:
    """T10: content decides, not the name."""
    feed = history(seed=11, pets=60, days=2)
    write_export(days.home, feed, 0)
    await days.ingest()
    orgs = await days.listed(topics.ORGS)
    for name, content, said in (
        ("updatedpets_1.json", b"<html>\n<h1>503\x1b</h1>\n", r'begins with "<html>"'),
        ("orgs_1.json", b"", "it is empty"),
        ("orgs_1.json", None, r"of its first \d+ rows are pets"),
    ):
        write_export(days.home, feed, 1)
        path = days.home / name
        pets = (days.home / "pets_1.json").read_bytes()
        put(path, pets if content is None else content, path.stat().st_mtime)
        with pytest.raises(BrokenFileError, match=said) as caught:
            await days.ingest(wanted="daily")
        assert str(caught.value).isprintable()
        assert (await days.said())[-1] == "failed"
    assert await days.listed(topics.ORGS) - orgs <= set(expected(feed, 1).orgs)
    write_export(days.home, feed, 1)
    assert (await days.ingest()).exit_status == 0
    assert await days.names() == names(feed, 1)
    assert await days.listed(topics.ORGS) == set(expected(feed, 1).orgs)


async def test_t2_files_that_never_stop_changing_are_not_ready(days: Days) -> None:
    """T2: three times from the listing on, then it is somebody else's turn to wait."""
    feed = history(seed=11, pets=60, days=1)
    write_export(days.home, feed, 0, part_rows=20)
    looks = 0

    def swap(file: str, _rows: int) -> None:
        nonlocal looks
        if file == "pets_1.json":
            looks += 1
            write_export(days.home, feed, 0, part_rows=20, start_stamp="epoch")
            for path in days.home.iterdir():
                put(path, path.read_bytes(), path.stat().st_mtime + looks)

    with pytest.raises(NotReadyError, match="files changed 3 times"):
        await days.ingest(progress=swap)
    assert looks >= 3
    assert "completed" not in await days.said()
    assert (await days.ingest()).exit_status == 0
    assert await days.names() == names(feed, 0)


def rewrite(path: Path, change: object) -> None:
    """Change every row of a file, and leave its time."""
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    at = path.stat().st_mtime
    for row in rows:
        assert callable(change)
        change(row)
    put(path, b"".join(json.dumps(row).encode() + b"\n" for row in rows), at)
