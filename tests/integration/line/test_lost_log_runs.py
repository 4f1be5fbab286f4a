"""Kafka loses what the ingester published: the log is what the feed says after the next export."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from shutil import rmtree
from typing import Any, NamedTuple

import pytest
from days_of_a_feed import Days, org, pet, write
from lossy_days import LossyFeed, at_place, lossy_feed, run_apart
from lossy_kafka import LossyKafka

from ingest.publish import publisher
from ingest.state.checkpoint import directory_of
from ingest.state.ledger import Ledger
from lab.simulator import history
from petstream.errors import LostRecordsError, UnreachableError
from petstream.kafka import client, reader
from petstream.kafka.client import ensure_topics
from petstream.kafka.reader import read_topic
from petstream.kafka.records import ProducerRecord, TopicPartition
from petstream.kafka.writer import send_all
from petstream.topics import ALL, EXPORTS, ORGS, PETS, Topic

pytestmark = pytest.mark.servers

FEED = history(seed=15, pets=60, days=6)


@pytest.fixture
async def feed(tmp_path: Path, lossy_kafka: LossyKafka, prefix: str) -> AsyncIterator[LossyFeed]:
    async with lossy_feed(FEED, tmp_path / "ftp", lossy_kafka, prefix) as made:
        yield made


class Loss(NamedTuple):
    """Which topics lose a day, how the next run reads that day, and how many snapshots follow."""

    lost: tuple[Topic, ...]
    mode: str
    snapshots: int


LOSSES = (
    Loss((PETS,), "scrub", 1),
    Loss((ORGS,), "scrub", 1),
    Loss((EXPORTS,), "scrub", 1),
    Loss((PETS, EXPORTS), "scrub", 1),  # organisations are there of a run that nobody knows of
    Loss((PETS, ORGS, EXPORTS), "daily", 0),  # as if the day had never been read
)


@pytest.mark.parametrize(
    ("looked_at", "torn"),
    [
        pytest.param((1, 2), False, id="same export"),
        pytest.param((2,), True, id="next export", marks=pytest.mark.long),
    ],
)
async def test_tails_that_a_power_cut_takes_are_stated_again_once(
    feed: LossyFeed, looked_at: tuple[int, ...], *, torn: bool
) -> None:
    """Each set of topics has lost the second day, between two batches or in the middle of one."""
    feeds = [(loss, feed.beside(f"t{secrets.token_hex(4)}.")) for loss in LOSSES]
    ends: dict[TopicPartition, int] = {}
    feed.put_out(0)
    for _, each in feeds:
        await each.look()
    for loss, each in feeds:
        ends |= await each.ends_of(*loss.lost)
    feed.put_out(1)
    for _, each in feeds:
        await each.look()
    await feed.lose_since(ends, torn=torn)
    for day in looked_at:
        feed.put_out(day)
        for loss, each in feeds:
            outcome = (await each.look()).outcome
            assert outcome is not None, loss
            mending = loss.mode if day == 1 else "scrub"
            assert outcome.mode == (mending if day == looked_at[0] else "daily"), loss
            each.days = feed.days
            await each.assert_whole()
            assert len(await each.snapshots()) == loss.snapshots, loss


async def test_a_directory_that_is_put_back_is_made_good_by_the_next_export(
    feed: LossyFeed, lossy_kafka: LossyKafka
) -> None:
    """Nobody but Postgres and subscribers knows of what is gone: the log has to be right alone."""
    await feed.publish()
    await lossy_kafka.copy()
    for _ in range(2):
        await feed.publish()
    await lossy_kafka.put_back()
    outcome = (await feed.publish()).outcome
    assert outcome is not None
    assert outcome.mode == "scrub"
    await feed.assert_whole()


@pytest.mark.parametrize(
    ("place", "nth"),
    [
        ("ingest.acknowledged", 6),
        pytest.param("ingest.rows.flushed", 1, marks=pytest.mark.long),
        pytest.param("ingest.removals.flushed", 1, marks=pytest.mark.long),
    ],
)
async def test_acknowledged_batches_lost_in_mid_run_fail_it_and_the_next_states_all_again(
    feed: LossyFeed, monkeypatch: pytest.MonkeyPatch, place: str, nth: int
) -> None:
    await feed.publish()
    before = await feed.ends_of(PETS)
    monkeypatch.setattr(publisher, "_BATCHES_IN_FLIGHT", 0)
    lost: list[int] = []
    at_place(monkeypatch, place, lambda: lost.append(feed.lossy.cut_back(before)), nth=nth)
    with pytest.raises(LostRecordsError, match="stated again by the next run"):
        await feed.publish()
    assert lost > [0]
    assert (await feed.topics.said())[-1] == "failed"
    outcome = (await feed.look()).outcome
    assert outcome is not None
    assert "lost records" in outcome.notes[0]
    await feed.assert_whole()
    assert len(await feed.topics.debts()) == 1
    assert len(await feed.snapshots()) == 1


async def test_two_losses_in_a_row_come_to_two_snapshots_at_the_most(feed: LossyFeed) -> None:
    """The second hits the snapshot that mends the first."""
    await feed.publish()
    first = await feed.ends_of(PETS)
    await feed.publish()
    await feed.lose_since(first)
    second = await feed.ends_of(PETS)
    await feed.look()
    await feed.lose_since(second)
    await feed.publish()
    await feed.assert_whole()
    assert len(await feed.snapshots()) == 2


async def test_a_day_missed_after_a_republication_is_measured_from_the_export_itself(
    feed: LossyFeed,
) -> None:
    """The same export again, 20 h later; the next day missed: two days lie between two starts."""
    for _ in range(2):
        await feed.publish()
    later_s = timedelta(hours=20).total_seconds()
    for path in feed.home.iterdir():
        os.utime(path, (path.stat().st_mtime + later_s,) * 2)
    await feed.look()
    feed.days += 1
    outcome = (await feed.publish()).outcome
    assert outcome is not None
    assert outcome.mode == "scrub"
    await feed.assert_whole()


async def test_partitions_added_while_it_runs_bring_no_key_again(feed: LossyFeed) -> None:
    few = [topic._replace(partitions=min(6, topic.partitions)) for topic in ALL]
    await ensure_topics(feed.kafka, feed.settings.topic_prefix, wanted=few)
    for _ in range(2):
        await feed.publish()
    await feed.lossy.raise_partitions(PETS.full_name(feed.settings.topic_prefix), 12)
    for _ in range(2):
        before = await feed.topics.length(PETS)
        outcome = (await feed.publish()).outcome
        assert outcome is not None
        counts = outcome.counts.pets
        changes = counts.added + counts.updated + counts.relisted + counts.removed
        assert await feed.topics.length(PETS) == before + changes
        await feed.assert_whole()
    ends = await feed.ends_of(PETS)
    assert len(ends) == 12
    assert any(end for place, end in ends.items() if place.partition >= 6)


async def test_a_dead_leaders_late_batch_that_wins_is_found_and_made_good(
    feed: LossyFeed, prefix: str
) -> None:
    """It removes a pet that its own export lacked, after a successor completed another one."""
    days = feed.topics
    start = FEED.start(0)
    pets = [pet(key) for key in range(1, 21)]

    async def publish(days: Days, day: int, petlist: range) -> str:
        at, rows = start + timedelta(days=day), [*pets]
        rows = [row for row in rows if int(row["animalID"]) in petlist]
        write(days.home, at, petlist, orgs=[org(701)], pets=rows, updatedpets=[], newpets=[])
        outcome = (await days.ingest()).outcome
        assert outcome is not None
        return outcome.mode

    dead = Days(days.home, replace(days.settings, topic_prefix=f"dead{prefix}"),
                days.kafka.bootstrap)  # fmt: skip
    for each in (dead, days):
        await publish(each, 0, range(1, 21))
    await publish(dead, 1, range(1, 20))
    late = [
        record
        for record in await read_topic(days.kafka, PETS.full_name(dead.settings.topic_prefix))
        if record.key == b"20"
    ][-1]
    await publish(days, 2, range(1, 21))
    name = PETS.full_name(days.settings.topic_prefix)
    await send_all(days.kafka, [ProducerRecord(name, b"20", late.value or b"", late.headers)])
    assert 20 not in await days.listed()
    assert await publish(days, 3, range(1, 21)) == "scrub"
    assert await days.listed() == set(range(1, 21))
    assert await publish(days, 4, range(1, 21)) == "daily"


@pytest.mark.logs_errors("aiokafka forgets a commit that was on its way when Kafka fell silent")
@pytest.mark.parametrize("trouble", ["silent", "made anew"])
async def test_kafka_failing_in_mid_fold_ends_the_run_within_a_minute_and_the_next_makes_it_good(
    feed: LossyFeed, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """What a reading may take without progress is made shorter here, and added again."""
    await feed.publish()
    rmtree(directory_of(feed.settings.data_dir))  # so that the topics are read whole
    clock = asyncio.get_running_loop()
    name, prefix = PETS.full_name(feed.settings.topic_prefix), feed.settings.topic_prefix
    allowed_s, allowed_here_s = reader._DEADLINE_S, 5.0  # noqa: SLF001  it is part of the minute
    with ExitStack() as silence, monkeypatch.context() as patched:
        silence.callback(feed.lossy.start)
        patched.setattr(reader, "_DEADLINE_S", allowed_here_s)
        patched.setattr(client, "FETCH_BYTES", 1)  # a partition at a time
        troubles: dict[str, Callable[[], object]] = {
            "silent": lambda: silence.enter_context(feed.lossy.frozen()),
            "killed": feed.lossy.kill,
            "made anew": lambda: run_apart(lambda: feed.lossy.make_anew(name, prefix)),
        }
        in_mid_fold(patched, troubles[trouble])
        began_s = clock.time()
        with pytest.raises(UnreachableError):
            await feed.publish()
        assert clock.time() - began_s + allowed_s - allowed_here_s < 60
    await feed.look()
    await feed.assert_whole()


def in_mid_fold(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Do something once, when the first record is folded into a ledger."""
    folded, todo = Ledger.fold, [do]

    def fold(ledger: Ledger, *record: Any) -> bool:
        if todo:
            todo.pop()()
        return folded(ledger, *record)

    monkeypatch.setattr(Ledger, "fold", fold)
