"""Days of a feed with the oldest Kafka that works, and the line about one that is older."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from old_kafka import old_kafka

from console.doctor.kafka import check_kafka
from consumers.app import consume
from consumers.audit.compare import compare
from ingest.run import ingest
from lab.simulator import history, serve_ftp, write_export
from petstream.errors import PetstreamError
from petstream.kafka.client import ensure_topics
from petstream.setting_values import ftp_url
from petstream.settings import KafkaAccess, Settings

pytestmark = [pytest.mark.servers, pytest.mark.long]

FEED = history(seed=5, pets=60, days=3)


async def test_o4_three_days_of_a_feed_go_through_kafka_3_6(
    tmp_path: Path, database_url: str, prefix: str
) -> None:
    """O4: it is what docs/operating.md calls the oldest."""
    (home := tmp_path / "ftp").mkdir()
    (broker := tmp_path / "kafka").mkdir()
    with old_kafka("3.6.2", broker) as bootstrap, serve_ftp(home, user="u", password="p") as feed:
        access = KafkaAccess(bootstrap)
        settings = Settings(
            ftp=ftp_url(feed.url), settle_s=0, pictures="off", data_dir=tmp_path / "data",
            topic_prefix=prefix,
        )  # fmt: skip
        for day in range(3):
            write_export(home, FEED, day)
            assert (await ingest(settings, access)).outcome is not None
            await consume(
                ("pets", "deletions", "images"), settings, kafka=access,
                database_url=database_url, drain=True, stopping=asyncio.Event(),
            )  # fmt: skip
        audit = await compare(access, database_url, prefix)
        assert audit.equal
        assert {result.state for result in await check_kafka(access, prefix)} <= {"pass", "warn"}


async def test_o4_kafka_3_5_is_refused_at_once(tmp_path: Path, prefix: str) -> None:
    """O4: "give this user the right", it said, for a config that Kafka hasn't."""
    with old_kafka("3.5.2", tmp_path) as bootstrap:
        async with asyncio.timeout(20):
            with pytest.raises(
                PetstreamError, match=r"older than 3\.6, and lacks message\.timestamp"
            ):
                await ensure_topics(KafkaAccess(bootstrap), prefix)
