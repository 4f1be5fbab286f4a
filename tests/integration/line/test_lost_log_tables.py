"""Kafka loses what consumers have read: the tables end as the feed says, without a person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from lossy_days import LossyFeed, at_place, lossy_feed, run_apart
from lossy_kafka import LossyKafka
from members import until
from reader_programs import program

from consumers.engine.postgres import connected
from lab.simulator import expected, history
from petstream.codec import decode
from petstream.errors import LostRecordsError
from petstream.events import SnapshotRequest
from petstream.kafka.client import ensure_topics
from petstream.kafka.reader import read_topic
from petstream.topics import ALL, EXPORTS, ORGS, PETS, REQUESTS

pytestmark = pytest.mark.servers

FEED = history(seed=15, pets=60, days=8)


@pytest.fixture
async def feed(
    tmp_path: Path, lossy_kafka: LossyKafka, prefix: str, database_url: str
) -> AsyncIterator[LossyFeed]:
    async with lossy_feed(FEED, tmp_path / "ftp", lossy_kafka, prefix, database_url) as made:
        yield made


async def assert_right(feed: LossyFeed, *, at_most: int) -> None:
    """Log and tables are as the feed says, after so many snapshots, and nobody asks for more."""
    await feed.drain()
    await feed.look()
    await feed.drain()
    assert await feed.table_differences() == ()
    await feed.assert_whole()
    assert len(await feed.snapshots()) <= at_most


async def asked(feed: LossyFeed) -> list[SnapshotRequest]:
    """Return what consumers asked for."""
    name = REQUESTS.full_name(feed.settings.topic_prefix)
    events = [decode(each.headers, each.value).event for each in await read_topic(feed.kafka, name)]
    return [event for event in events if isinstance(event, SnapshotRequest)]


@pytest.mark.parametrize(
    "days_later",
    [pytest.param(0, id="same export"), pytest.param(1, id="next export", marks=pytest.mark.long)],
)
async def test_a_directory_put_back_ends_in_the_feeds_tables(
    feed: LossyFeed, days_later: int
) -> None:
    await feed.publish()
    await feed.drain()
    await feed.lossy.copy()
    for _ in range(2):
        await feed.publish()
        await feed.drain()
    await feed.lossy.put_back()
    feed.days -= 1 - days_later
    await feed.publish()
    await assert_right(feed, at_most=1)
    assert len(await asked(feed)) <= 1
    await feed.publish()
    await assert_right(feed, at_most=1)


@pytest.mark.parametrize("ahead", [True, False], ids=["ahead", "behind"])
async def test_tails_cut_and_grown_again_before_the_consumers_run(
    feed: LossyFeed, *, ahead: bool
) -> None:
    """They had read what is gone, or not; two exports came since."""
    for _ in range(2):
        await feed.publish()
    await feed.drain()
    before = await feed.ends_of(PETS, EXPORTS)
    await feed.publish()
    if ahead:
        await feed.drain()
    else:
        feed.unseen.add(2)
    await feed.lose_since(before)
    for _ in range(2):
        await feed.publish()
    await assert_right(feed, at_most=1)
    if not ahead:
        assert await asked(feed) == []


async def test_batches_lost_in_mid_run_under_running_consumers(
    feed: LossyFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await feed.publish()
    before = await feed.ends_of(PETS)
    async with feed.consuming():
        await until("read", lambda: is_right(feed))
        at_place(monkeypatch, "ingest.rows.flushed", lambda: feed.lossy.cut_back(before))
        with pytest.raises(LostRecordsError):
            await feed.publish()
        await feed.look()
        await until("made good", lambda: is_right(feed))
    await assert_right(feed, at_most=1)


async def test_topics_deleted_and_made_anew_under_running_consumers(feed: LossyFeed) -> None:
    for _ in range(2):
        await feed.publish()
    async with feed.consuming():
        await until("read", lambda: is_right(feed))
        for topic in (PETS, ORGS, EXPORTS):
            name = topic.full_name(feed.settings.topic_prefix)
            await feed.lossy.make_anew(name, feed.settings.topic_prefix)
        await feed.publish()
        await until("asked for a snapshot", lambda: has_asked(feed))
        await feed.look()
        await until("who left is gone", lambda: is_right(feed))
    await assert_right(feed, at_most=2)


async def test_partitions_added_under_running_consumers_are_read(feed: LossyFeed) -> None:
    few = [topic._replace(partitions=min(6, topic.partitions)) for topic in ALL]
    await ensure_topics(feed.kafka, feed.settings.topic_prefix, wanted=few)
    await feed.publish()
    async with feed.consuming():
        await until("read", lambda: is_right(feed))
        await feed.lossy.raise_partitions(PETS.full_name(feed.settings.topic_prefix), 12)
        for _ in range(2):
            await feed.publish()
        await until("read", lambda: is_right(feed))
    await assert_right(feed, at_most=0)
    assert await feed.differences() == ()


async def test_tables_from_a_dump_older_than_the_snapshot_and_new_ones_begun_in_its_middle(
    feed: LossyFeed, databases: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dump, anew = await asyncio.to_thread(databases), await asyncio.to_thread(databases)
    first, new = feed.on(dump), feed.on(anew)
    await feed.publish()
    await feed.drain()
    await first.drain()
    before = await feed.ends_of(PETS)
    await feed.publish()
    await feed.drain()
    await feed.lose_since(before)
    at_place(monkeypatch, "ingest.send.after", lambda: run_apart(new.drain))
    await feed.publish()
    for each in (feed, first, new):
        each.days = feed.days
        await assert_right(each, at_most=1)
    await feed.publish()
    for each in (feed, first, new):
        each.days = feed.days
        await assert_right(each, at_most=1)


async def test_a_subscriber_of_four_rules_lacks_nothing_and_shows_too_many_at_the_worst(
    feed: LossyFeed,
) -> None:
    """It goes on from its offsets where the log is as long, and begins anew where it isn't."""
    literal, offsets = program("literal").Subscriber(), dict[Any, int]()

    async def read() -> set[int]:
        ends = await feed.ends_of(PETS)
        for place in [place for place, offset in offsets.items() if ends[place] < offset]:
            offsets[place] = 0
        for record in await read_topic(feed.kafka, PETS.full_name(feed.settings.topic_prefix)):
            if record.offset >= offsets.get(record.topic_partition, 0):
                offsets[record.topic_partition] = record.offset + 1
                literal.handle(record)
        return {int(name.partition("/")[2]) for name in literal.shown()}

    for _ in range(2):
        await feed.publish()
    await read()
    before = await feed.ends_of(PETS)
    await feed.publish()
    assert await read() == expected(FEED, 2).pets.keys()
    await feed.lose_since(before)
    for _ in range(2):
        await feed.publish()
    wanted = expected(FEED, 4).pets
    shown = await read()
    assert shown >= wanted.keys()
    assert shown - wanted.keys() <= expected(FEED, 4).removed.keys() | expected(FEED, 2).pets.keys()
    names = {
        int(name.partition("/")[2]): value["pet"]["name"] for name, value in literal.shown().items()
    }
    assert {key: names[key] for key in wanted} == {key: row["name"] for key, row in wanted.items()}


async def is_right(feed: LossyFeed) -> bool:
    """Return whether pets are listed as the feed says, by their names."""
    wanted = {key: row["name"] or None for key, row in expected(FEED, feed.days - 1).pets.items()}
    async with connected(feed.database_url) as connection:
        rows = await connection.fetch("SELECT animal_id, name FROM petstream.pets")
    return {row["animal_id"]: row["name"] for row in rows} == wanted


async def has_asked(feed: LossyFeed) -> bool:
    """Return whether anybody asks for a snapshot."""
    return bool(await asked(feed))
