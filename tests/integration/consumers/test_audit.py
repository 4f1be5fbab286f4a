"""The tables compared with the log, and put right by it: damaged rows, parked events, lost logs."""

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
from consumers.audit.compare import audit
from consumers.audit.repair import repair
from ingest.run import ingest
from lab.simulator import FtpAddress, History, expected, history, serve_ftp, write_export
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
        return {one["animal_id"]: one["name"] for one in await self.sql(
            "SELECT animal_id, name FROM petstream.pets")}  # fmt: skip

    async def found(self) -> list[tuple[str, str, int]]:
        """Return the differences there are."""
        found = await audit(self.kafka, self.url, self.settings.topic_prefix)
        return [(one.table, one.kind, one.key) for one in found.differences]

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


async def test_t47_damaged_rows_are_found_told_and_put_right_by_the_log(
    house: House,
) -> None:
    """T47: rows lost, set back, hidden, or listed after their removal."""
    for day in range(3):
        await house.day(day)
    assert await house.found() == [], "consumers alone leave no difference"
    wanted = await damage(house)
    assert sorted(await house.found()) == sorted(wanted)
    found = await audit(house.kafka, house.url, house.settings.topic_prefix)
    assert await repair(found.mendable, house.kafka, house.url, house.settings) == []
    assert await house.found() == []
    assert await house.names() == house.truth(2)
    lines = "\n".join(command.told(found))
    assert "pets listing: 2" in lines
    assert str(wanted[0][2]) in lines
    assert PASSWORD not in lines


async def test_t44_a_parked_pet_is_put_right_after_the_next_export_once_its_cause_is_mended(
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
    found = await audit(house.kafka, house.url, house.settings.topic_prefix)
    (one,) = [one for one in found.differences if one.key == victim]
    assert one.kind == "missing"
    assert one.parked == "postgres-23514"
    assert "dead-letters" in "\n".join(command.told(found))
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
            while victim not in await house.names() or await house.found():  # noqa: ASYNC110  a table
                await asyncio.sleep(0.5)
    finally:
        stopping.set()
        await daemon
    assert await house.names() == house.truth(2)


async def test_what_a_consumer_still_has_before_it_is_lag_and_no_difference(house: House) -> None:
    await house.day(0)
    write_export(house.home, house.feed, 1)
    await ingest(house.settings, house.kafka)
    found = await audit(house.kafka, house.url, house.settings.topic_prefix)
    assert found.equal
    assert found.behind["pets"].records > 0
    assert any("records before it" in line for line in command.told(found))


async def test_t47_nothing_is_repaired_while_the_log_is_shorter_than_it_was(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T47: `completed` says how long the topics were; a shorter one must not win."""
    await house.day(0)
    await house.sql("DELETE FROM petstream.pet WHERE animal_id = $1", min(await house.names()))
    prefix = house.settings.topic_prefix
    longer = {f"{prefix}pets.v1/{n}": 10_000 for n in range(6)}
    real = folded_log.Log._take_export  # noqa: SLF001  what an export says is what is made up here

    def lengthened(log: folded_log.Log, record: Any) -> None:
        real(log, record)
        if log.completed is not None:
            log.completed = log.completed._replace(end_offsets=longer)

    monkeypatch.setattr(folded_log.Log, "_take_export", lengthened)
    found = await audit(house.kafka, house.url, prefix)
    assert found.differences
    assert found.mendable == []
    assert not found.equal
    assert any("lost records" in line for line in command.told(found))
