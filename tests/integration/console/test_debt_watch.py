"""What is owed while the watch rests: a real Kafka is asked, and the feed is read at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from days_of_a_feed import Days
from msgspec import UNSET

from console.daemon.feed_watch import PollIntervals, watch
from ingest.state.restore import fold_exports
from lab.simulator import history, serve_ftp, write_export
from petstream import topics
from petstream.events import ExportEvent, SnapshotRequest
from petstream.kafka.client import admin_client, ensure_topics
from petstream.kafka.requests import request_record
from petstream.kafka.writer import send_all
from petstream.sequence import PER_SECOND
from petstream.settings import FtpUrl, KafkaAccess, Settings

pytestmark = pytest.mark.servers

FEED = history(seed=15, pets=60, days=1)
WITHIN_S = 60.0
RARELY = PollIntervals(often_s=3600, rarely_s=3600, debts_s=0.2)
"""It looks at the feed once an hour, and five times a second whether anything is owed."""


@pytest.fixture
async def days(tmp_path: Path, kafka: str, prefix: str) -> AsyncIterator[Days]:
    """Return a feed that is watched, outside of its window, and was read once."""
    home = tmp_path / "ftp"
    write_export(home, FEED, 0)
    user, password = "apikey-Ab3dEf9h", "canary-password"
    with serve_ftp(home, user=user, password=password) as server:
        ftp = FtpUrl(user, password, "127.0.0.1", server.port, "", tls=False)
        settings = Settings(
            ftp=ftp, data_dir=tmp_path / "data", topic_prefix=prefix, settle_s=0, archive_days=0
        )
        await ensure_topics(KafkaAccess(kafka), prefix)
        days, stopping = Days(home, settings, kafka), asyncio.Event()
        watching = asyncio.create_task(
            watch(
                settings, days.kafka, stopping=stopping, intervals=RARELY,
                say=lambda _line: None, progress=lambda _file, _rows: None,
            )
        )  # fmt: skip
        await until(lambda: newest(days))
        yield days
        stopping.set()
        await watching


async def newest(days: Days) -> ExportEvent | None:
    return (await fold_exports(days.kafka, days.settings.topic_prefix)).last_completed


async def snapshot(days: Days) -> ExportEvent | None:
    completed = await newest(days)
    return None if completed is None or completed.snapshot is UNSET else completed


async def until(holds: Callable[[], Awaitable[ExportEvent | None]]) -> ExportEvent:
    async with asyncio.timeout(WITHIN_S):
        while True:
            with suppress(TimeoutError):
                event = await holds()
                if event is not None:
                    return event
            await asyncio.sleep(0.1)


async def test_a_request_is_paid_at_once_though_the_watch_rests(days: Days) -> None:
    first = await until(lambda: newest(days))
    asked = (first.base + 5) * PER_SECOND
    request = SnapshotRequest(
        asked_by="stranger", sequence=asked, at=datetime.now(UTC), reason="unknown rows"
    )
    record = request_record(request, first.export_id, days.settings.topic_prefix)
    await send_all(days.kafka, [record])
    paid = await until(lambda: snapshot(days))
    assert isinstance(paid.snapshot, int)
    assert paid.snapshot > asked


@pytest.mark.logs_errors("the client tells of a topic that is gone")
async def test_topics_made_anew_are_found_and_filled_though_the_watch_rests(days: Days) -> None:
    before = await days.listed()
    async with admin_client(days.kafka) as admin:  # the watch may be quicker than a look at it
        await admin.delete_topics([topics.PETS.full_name(days.settings.topic_prefix)])
    await until(lambda: snapshot(days))
    assert await days.listed() == before
    (debt,) = await days.debts()
    assert debt.owes == "snapshot"
    assert any("pets.v1" in partition for partition in debt.partitions)
