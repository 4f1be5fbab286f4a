"""An export read again from the archive says what it said when it was read from the feed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.backfill import ingest_again
from ingest.run import ingest
from lab.simulator import history, serve_ftp, write_export
from petstream import topics
from petstream.errors import NotReadyError, UsageError
from petstream.kafka.reader import read_to_end
from petstream.settings import FtpUrl, KafkaAccess, Settings

pytestmark = pytest.mark.servers

FEED = history(seed=8, pets=60, days=2)


@pytest.fixture
def settings(tmp_path: Path, prefix: str) -> Iterator[Settings]:
    home = tmp_path / "ftp"
    home.mkdir()
    with serve_ftp(home, user="apikey-Ab3dEf9h", password="canary") as server:
        ftp = FtpUrl("apikey-Ab3dEf9h", "canary", "127.0.0.1", server.port, "", tls=False)
        yield Settings(
            ftp=ftp, data_dir=tmp_path, topic_prefix=prefix, settle_s=0, archive_days=10_000
        )


async def said(settings: Settings, kafka: KafkaAccess) -> list[tuple[str, bytes, bytes]]:
    """Return the events of pets and organisations: ids, keys and values, each key's in order."""
    events: list[tuple[str, bytes, bytes]] = []
    names = [topic.full_name(settings.topic_prefix) for topic in (topics.PETS, topics.ORGS)]
    async with aclosing(read_to_end(kafka, names)) as batches:
        async for batch in batches:
            events.extend(
                (dict(record.headers)["ce_id"].decode(), record.key or b"", record.value or b"")
                for record in batch
            )
    return sorted(events)


async def live(settings: Settings, kafka: KafkaAccess) -> list[str]:
    """Read both days from the feed; return the exports' ids."""
    ids = []
    for day in range(FEED.days):
        write_export(settings.data_dir / "ftp", FEED, day, part_rows=25)
        ids.append((await ingest(settings, kafka)).export_id)
    return ids


async def test_t17_into_empty_topics_it_gives_the_same_events_with_the_same_ids(
    settings: Settings, kafka: str
) -> None:
    access = KafkaAccess(kafka)
    ids = await live(settings, access)
    empty = replace(settings, topic_prefix=f"{settings.topic_prefix}b.", ftp=None)
    modes = []
    for export_id in ids:
        result = await ingest_again(empty, access, export_id)
        assert result.outcome is not None
        modes.append(result.outcome.mode)
    assert modes == ["initial", "daily"]
    assert await said(empty, access) == await said(settings, access)


async def test_into_the_topics_that_have_it_nothing_new_is_said(
    settings: Settings, kafka: str
) -> None:
    access = KafkaAccess(kafka)
    ids = await live(settings, access)
    before = await said(settings, access)
    for export_id in ids:
        result = await ingest_again(settings, access, export_id)
        assert result.outcome is not None
        assert result.outcome.counts.pets.added == 0
    assert await said(settings, access) == before


async def test_t17_a_damaged_file_of_the_archive_removes_nobody_and_is_named(
    settings: Settings, kafka: str
) -> None:
    access = KafkaAccess(kafka)
    (first, _) = await live(settings, access)
    (file,) = (settings.data_dir / "archive" / first.replace(":", "-")).glob("pets_2.json.zst")
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    file.write_bytes(damaged)
    empty = replace(settings, topic_prefix=f"{settings.topic_prefix}b.")
    with pytest.raises(NotReadyError, match=r"pets_2\.json"):
        await ingest_again(empty, access, first)
    assert not [event for event in await said(empty, access) if b'"op":"removed"' in event[2]]


async def test_an_export_that_was_never_kept_is_refused_with_those_that_were(
    settings: Settings, kafka: str
) -> None:
    access = KafkaAccess(kafka)
    (first, _) = await live(settings, access)
    with pytest.raises(UsageError, match=first):
        await ingest_again(settings, access, "2020-01-01T08:00:00Z")
