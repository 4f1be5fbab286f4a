"""Three feeds in one Kafka and one Postgres server: each ends as its own feed says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from consumers.app import consume
from consumers.registry import EVERY
from ingest.run import ingest
from lab.simulator import expected, history, serve_ftp, write_export
from petstream.kafka import groups
from petstream.kafka.admin import topic_names
from petstream.settings import FtpUrl, KafkaAccess, Settings
from petstream.topics import ALL, TABLES

pytestmark = [pytest.mark.servers, pytest.mark.long]

USER, PASSWORD, DAYS = "apikey-Ab3dEf9h", "a-password", 3


async def test_three_feeds_beside_each_other_each_show_their_own_pets(
    tmp_path: Path, kafka: str, databases: Callable[[], str], prefix: str
) -> None:
    urls = await asyncio.to_thread(lambda: [databases() for _ in range(3)])
    access = KafkaAccess(kafka)

    async def feed(number: int) -> set[int]:
        """Run one feed's days; return whom its views list."""
        home = tmp_path / f"feed-{number}"
        home.mkdir()
        made = history(seed=number, pets=40 + 10 * number, days=DAYS)
        with serve_ftp(home, user=USER, password=PASSWORD) as server:
            settings = Settings(
                ftp=FtpUrl(USER, PASSWORD, "127.0.0.1", server.port, "", tls=False),
                data_dir=tmp_path / f"data-{number}", topic_prefix=f"{prefix}{number}.",
                settle_s=0, pictures="off", table_topics=True,
            )  # fmt: skip
            for day in range(DAYS):
                write_export(home, made, day)
                assert (await ingest(settings, access)).exit_status == 0
                await consume(
                    EVERY, settings, kafka=access, database_url=urls[number], drain=True,
                    stopping=asyncio.Event(),
                )  # fmt: skip
        connection = await asyncpg.connect(urls[number])
        rows = await connection.fetch("SELECT animal_id FROM petstream.pets")
        await connection.close()
        shown = {row["animal_id"] for row in rows}
        assert shown == set(expected(made, DAYS - 1).pets)
        return shown

    shown = await asyncio.gather(*(feed(number) for number in range(3)))
    assert len({len(each) for each in shown}) == 3
    names = await topic_names(access)
    for number in range(3):
        own = {topic.full_name(f"{prefix}{number}.") for topic in (*ALL, *TABLES)}
        assert own <= names
        assert await groups.names(access, f"{prefix}{number}.") == sorted(
            f"{prefix}{number}.{name}" for name in (*EVERY, "ingest")
        )
