"""The export by which a lost log is stated again: killed at each step, and with odd files."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from forked_processes import KILLED, forked
from lossy_days import PASSWORD, USER, LossyFeed, lossy_feed
from lossy_kafka import LossyKafka
from msgspec import UNSET

from ingest.leadership import election, lease
from lab.simulator import expected, history, serve_ftp
from petstream.errors import NotReadyError
from petstream.events import ExportEvent
from petstream.kafka.reader import read_topic
from petstream.kafka.records import TopicPartition
from petstream.sequence import PER_SECOND, base_of
from petstream.settings import FtpUrl
from petstream.topics import PETS

pytestmark = pytest.mark.servers

FEED = history(seed=15, pets=60, days=6)
STEPS = (
    "ingest.debt.recorded",
    "ingest.started.announced",
    "ingest.send.after",
    "ingest.acknowledged",
    "ingest.rows.flushed",
    "ingest.removals.flushed",
    "ingest.completed.before",
    "ingest.completed.sent",
    "ingest.completed.flushed",
)


@pytest.fixture(autouse=True)
def _short_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ingester that was killed is missed after a second, not after ten."""
    for module in (lease, election):
        monkeypatch.setattr(module, "SESSION_S", 1.0)


@pytest.fixture
async def lost(tmp_path: Path, lossy_kafka: LossyKafka, prefix: str) -> AsyncIterator[LossyFeed]:
    """Two days that were published, the pets of the second lost."""
    async with lossy_feed(FEED, tmp_path / "ftp", lossy_kafka, prefix) as feed:
        await feed.publish()
        before = await feed.ends_of(PETS)
        await feed.publish()
        await feed.lose_since(before)
        yield feed


@pytest.fixture
def alone(tmp_path: Path, lossy_kafka: LossyKafka) -> Iterator[LossyFeed]:
    """A feed of which nothing is published yet, for tests without a loop of their own."""
    home = tmp_path / "ftp"
    home.mkdir()
    with serve_ftp(home, user=USER, password=PASSWORD) as server:
        ftp = FtpUrl(USER, PASSWORD, "127.0.0.1", server.port, "", tls=False)
        yield LossyFeed(FEED, home, ftp, lossy_kafka, database_url="", prefix="unused.")


@pytest.mark.parametrize(
    "goes_on_with", ["the next export", pytest.param("the same export", marks=pytest.mark.long)]
)
def test_the_mending_run_killed_at_any_durable_step_is_made_good_by_the_next(
    alone: LossyFeed, goes_on_with: str
) -> None:
    """One power cut takes half of the pets of every prefix; each run is killed at another step."""
    feeds = {step: alone.beside(f"t{secrets.token_hex(4)}.") for step in STEPS}
    alone.put_out(0)
    for feed in feeds.values():
        asyncio.run(feed.look())
    ends: dict[TopicPartition, int] = {}
    for feed in feeds.values():
        ends |= asyncio.run(feed.ends_of(PETS))
    alone.lossy.cut_back({place: 0 for place in ends if place.partition % 2})

    alone.put_out(1)
    killed = forked(*((feed.look, f"{step}:1") for step, feed in feeds.items()))
    assert [process.status for process in killed] == [KILLED] * len(STEPS)
    if goes_on_with == "the next export":
        alone.put_out(2)
    ended = forked(*((feed.look, "") for feed in feeds.values()))
    assert [process.status for process in ended] == [0] * len(STEPS)
    for step, feed in feeds.items():
        feed.days = alone.days
        asyncio.run(feed.assert_whole())
        said = asyncio.run(feed.completed())
        assert len({event.restated for event in said if event.restated is not UNSET}) == 1, step
        if goes_on_with == "the same export":
            assert set(asyncio.run(_times_stated(feed, said[-1]))) == {1}, step


async def _times_stated(feed: LossyFeed, completed: ExportEvent) -> list[int]:
    """Return how often each key was stated by the runs of an export's base."""
    name = PETS.full_name(feed.settings.topic_prefix)
    times = Counter(
        record.key
        for record in await read_topic(feed.kafka, name)
        if base_of(int(dict(record.headers)["ce_sequence"])) == completed.base
    )
    return list(times.values())


async def test_a_snapshot_without_a_petlist_is_announced_by_the_next_export_that_has_one(
    lost: LossyFeed,
) -> None:
    lost.put_out(2, "missing-petlist")
    await lost.look()
    restated = (await lost.completed())[-1]
    assert restated.restated == restated.base * PER_SECOND
    assert restated.snapshot is UNSET
    await lost.publish()
    await lost.assert_whole()
    assert (await lost.completed())[-1].snapshot == restated.restated
    assert set((await lost.restated()).values()) == {1}


async def test_a_snapshot_with_removals_held_is_announced_by_the_next_export_that_passes(
    lost: LossyFeed,
) -> None:
    usual = lost.settings
    lost.settings = replace(usual, removal_max_count=0)
    result = await lost.publish()
    assert result.exit_status == 4
    restated = (await lost.completed())[-1]
    assert restated.snapshot is UNSET
    lost.settings = usual
    await lost.publish()
    await lost.assert_whole()
    assert (await lost.completed())[-1].snapshot == restated.restated
    assert set((await lost.restated()).values()) == {1}


async def test_rows_refused_in_a_snapshot_stand_in_unstated_until_they_are_good(
    lost: LossyFeed,
) -> None:
    """One pet is known from before the loss, of the other the log knows nothing any more."""
    lost.put_out(2)
    days = expected(FEED, 3)
    unknown = min(
        key for key in days.days[1].added if key in days.pets and len(days.pet_history[key]) == 1
    )
    kept = min(key for key, ops in days.pet_history.items() if len(ops) == 1 and key in days.pets
               and ops[0][0] == 0)  # fmt: skip
    _break_rows(lost.home / "pets_1.json", {unknown, kept})
    await lost.look()
    completed = (await lost.completed())[-1]
    assert completed.snapshot == completed.base * PER_SECOND
    assert unstated(completed) == tuple(sorted({unknown, kept}))
    await lost.publish()
    assert unstated((await lost.completed())[-1]) == unstated(completed)
    await lost.publish(wanted="scrub")
    await lost.assert_whole()
    last = (await lost.completed())[-1]
    assert last.snapshot == completed.snapshot
    assert unstated(last) == ()
    entry = (await lost.topics.ledger()).get(kept)
    assert entry is not None
    assert entry.sequence > completed.base * PER_SECOND


async def test_a_snapshot_whose_file_is_broken_stays_owed(lost: LossyFeed) -> None:
    lost.put_out(2, "cut-file")
    with pytest.raises(NotReadyError):
        await lost.look()
    await lost.publish()
    await lost.assert_whole()
    assert len(await lost.snapshots()) == 1


def unstated(completed: ExportEvent) -> tuple[int, ...]:
    """Return which pets a completed export says the snapshot couldn't state."""
    assert completed.unstated is not UNSET
    return completed.unstated.pets


def _break_rows(path: Path, keys: set[int]) -> None:
    """Break the rows of pets, and leave the file's time as it was."""
    stat = path.stat()
    names = [b'"animalID":"%d"' % key for key in keys]
    lines = path.read_bytes().split(b"\n")
    broken = [line[:40] if any(name in line for name in names) else line for line in lines]
    assert sum(a != b for a, b in zip(lines, broken, strict=True)) == len(keys)
    path.write_bytes(b"\n".join(broken))
    os.utime(path, (stat.st_mtime, stat.st_mtime))
