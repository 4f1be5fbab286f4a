"""Tables compared with the log, and put right by it: damaged rows, refused events, lost logs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from console.act import audit as command
from consumers.app import consume
from consumers.audit import folded_log
from consumers.audit.compare import Audit, audit
from consumers.audit.repair import repair
from ingest.run import ingest
from lab.simulator import FtpAddress, History, expected, history, serve_ftp, write_export
from petstream.events import LogEnd
from petstream.kafka.records import TopicPartition
from petstream.settings import FtpUrl, KafkaAccess, Settings

pytestmark = pytest.mark.servers

USER, PASSWORD = "apikey-Ab3dEf9h", "canary-password"


class House:
    """A feed, its topics and its tables."""

    def __init__(self, home: Path, server: FtpAddress, kafka: str, url: str, prefix: str) -> None:
        """Know where everything is."""
        self.home, self.kafka, self.url = home, KafkaAccess(kafka), url
        ftp = FtpUrl(USER, PASSWORD, server.host, server.port, "", tls=False)
        self.settings = Settings(
            ftp=ftp, data_dir=home.parent / "data", topic_prefix=prefix, settle_s=0, pictures="off"
        )
        self.feed: History = history(seed=71, pets=60, days=4)

    async def day(self, day: int, *names: Any) -> None:
        """Read a day's export, and let consumers apply it."""
        write_export(self.home, self.feed, day)
        await ingest(self.settings, self.kafka)
        await self.consume(*names)

    async def consume(self, *names: Any) -> None:
        """Let consumers apply all there is."""
        await consume(
            names or ("deletions", "images", "pets"), self.settings, kafka=self.kafka,
            database_url=self.url, drain=True, stopping=asyncio.Event(),
        )  # fmt: skip

    async def sql(self, statement: str, *values: Any) -> Sequence[asyncpg.Record]:
        """Run a statement."""
        connection = await asyncpg.connect(self.url)
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    async def names(self) -> dict[int, str | None]:
        """Return the listed pets' names."""
        return {row["animal_id"]: row["name"] for row in await self.sql(
            "SELECT animal_id, name FROM petstream.pets")}  # fmt: skip

    async def audit(self) -> Audit:
        """Compare the tables with the log."""
        return await audit(self.kafka, self.url, self.settings.topic_prefix)

    async def differences(self) -> list[tuple[str, str, int]]:
        """Return the differences there are."""
        return [
            (difference.table, difference.kind, difference.key)
            for difference in (await self.audit()).differences
        ]

    def truth(self, day: int) -> dict[int, str | None]:
        """Return what the simulator says."""
        return {key: row["name"] or None for key, row in expected(self.feed, day).pets.items()}


@pytest.fixture
async def house(tmp_path: Path, kafka: str, database_url: str, prefix: str) -> AsyncIterator[House]:
    home = tmp_path / "ftp"
    home.mkdir()
    with serve_ftp(home, user=USER, password=PASSWORD) as server:
        yield House(home, server, kafka, database_url, prefix)


async def damage(house: House) -> list[tuple[str, str, int]]:
    """Lose a row, set one back, unlist one, and forget a removal; return what was done."""
    listed = sorted(await house.names())
    gone, old, hidden = listed[:3]
    removed = (
        await house.sql(
            "SELECT min(animal_id) FROM petstream.pet WHERE NOT listed AND attributes IS NOT NULL"
        )
    )[0][0]
    await house.sql("DELETE FROM petstream.pet WHERE animal_id = $1", gone)
    await house.sql(
        "UPDATE petstream.pet SET sequence = 1, digest = 'x', name = 'older' WHERE animal_id = $1",
        old,
    )
    await house.sql(
        "UPDATE petstream.pet SET listed = false, removed_at = now() WHERE animal_id = $1", hidden
    )
    await house.sql("UPDATE petstream.pet SET listed = true WHERE animal_id = $1", removed)
    return [
        ("pets", "missing", gone), ("pets", "behind", old),
        ("pets", "listing", hidden), ("pets", "listing", removed),
    ]  # fmt: skip


async def test_t47_damaged_rows_are_reported_and_put_right_by_the_log(
    house: House,
) -> None:
    """T47: rows lost, set back, hidden, or listed after their removal."""
    for day in range(3):
        await house.day(day)
    assert await house.differences() == [], "consumers alone leave no difference"
    damaged = await damage(house)
    assert sorted(await house.differences()) == sorted(damaged)
    result = await house.audit()
    assert await repair(result.repairable, house.kafka, house.url, house.settings.pictures) == []
    assert await house.differences() == []
    assert await house.names() == house.truth(2)
    lines = "\n".join(command.described(result))
    assert "pets listing: 2" in lines
    assert str(damaged[0][2]) in lines
    assert PASSWORD not in lines


async def test_t44_a_refused_pet_is_put_right_after_the_next_export_once_its_cause_is_mended(
    house: House,
) -> None:
    """T44: Postgres refused its event; the consumers' own audit after an export heals it."""
    await house.day(0)
    victim = min(set(house.truth(0)) & set(house.truth(3)))
    await house.sql("DELETE FROM petstream.pet WHERE animal_id = $1", victim)
    await house.sql("DELETE FROM petstream.consumer_position")
    await house.sql(
        f"ALTER TABLE petstream.pet ADD CONSTRAINT refused CHECK (animal_id <> {victim:d})"
    )
    await house.day(1)
    assert victim not in await house.names()
    result = await house.audit()
    (difference,) = [difference for difference in result.differences if difference.key == victim]
    assert difference.kind == "missing"
    assert difference.refused_because == "postgres-23514"
    assert "dead-letters" in "\n".join(command.described(result))
    await house.sql("ALTER TABLE petstream.pet DROP CONSTRAINT refused")
    write_export(house.home, house.feed, 2)
    await ingest(house.settings, house.kafka)
    stopping = asyncio.Event()
    daemon = asyncio.create_task(consume(
        ("deletions", "images", "pets"), house.settings, kafka=house.kafka,
        database_url=house.url, stopping=stopping,
    ))  # fmt: skip
    try:
        async with asyncio.timeout(40):
            while victim not in await house.names() or await house.differences():  # noqa: ASYNC110  a table
                await asyncio.sleep(0.5)
    finally:
        stopping.set()
        await daemon
    assert await house.names() == house.truth(2)


async def test_what_a_consumer_still_has_before_it_is_lag_and_no_difference(house: House) -> None:
    await house.day(0)
    write_export(house.home, house.feed, 1)
    await ingest(house.settings, house.kafka)
    result = await house.audit()
    assert result.equal
    assert result.lags["pets"].records > 0
    assert any("records before it" in line for line in command.described(result))


async def test_t47_nothing_is_repaired_where_the_log_is_shorter_than_it_was(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T47: `completed` says how long the topics were; a shorter one must not win."""
    await house.day(0)
    whole = await house.audit()
    assert whole.completed is not None
    await house.sql("DELETE FROM petstream.pet")
    shorter = TopicPartition(f"{house.settings.topic_prefix}pets.v1", 0)
    real = folded_log.ends_of

    def lengthened(event: Any) -> Any:
        return real(event) | {shorter: LogEnd(10_000)}

    monkeypatch.setattr(folded_log, "ends_of", lengthened)
    result = await house.audit()
    places = {difference.newest and difference.newest.topic_partition
              for difference in result.differences}  # fmt: skip
    assert shorter in places
    repaired = {difference.newest and difference.newest.topic_partition
                for difference in result.repairable}  # fmt: skip
    assert repaired == places - {shorter}, "one partition's trouble is its own"
    assert not result.equal
    assert any("lost records" in line for line in command.described(result))
