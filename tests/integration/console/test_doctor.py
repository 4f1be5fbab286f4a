"""`doctor` against a real Kafka, a real Postgres and a real FTP server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from console.doctor.doctor import as_document, as_text, doctor
from console.doctor.feed import feed
from console.doctor.finding import Finding
from console.doctor.kafka import kafka as ask_kafka
from console.doctor.postgres import postgres as ask_postgres
from lab.simulator import history, serve_ftp, write_export
from petstream import topics
from petstream.kafka.client import ensure_topics
from petstream.setting_values import FtpUrl, ftp_url
from petstream.settings import KafkaAccess

pytestmark = pytest.mark.servers

FEED = history(seed=5, pets=60, days=2)
USER, PASSWORD = "apikey-Canary99", "canary-password"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, FtpUrl]]:
    home = tmp_path / "ftp"
    write_export(home, FEED, 1, key_prefix=True)
    with serve_ftp(home, user=USER, password=PASSWORD) as address:
        yield home, ftp_url(address.url)


def just_after(home: Path) -> datetime:
    newest = max(path.stat().st_mtime for path in home.iterdir())
    return datetime.fromtimestamp(newest, UTC) + timedelta(hours=1)


def failed(found: list[Finding]) -> list[str]:
    return [one.what for one in found if one.state == "fail"]


async def test_a_good_feed_passes_and_plain_ftp_is_a_warning(served: tuple[Path, FtpUrl]) -> None:
    home, ftp = served
    found = await feed(ftp, just_after(home))
    assert [one.what for one in found if one.state != "pass"] == [
        "plain FTP: the server offers no TLS, so the password travels in the clear"
    ]
    assert any("REST" in one.what for one in found)


async def test_a_refused_login_fails_without_a_secret(served: tuple[Path, FtpUrl]) -> None:
    found = await feed(replace(served[1], password="canary-wrong"), datetime.now(UTC))
    assert len(failed(found)) == 1
    assert "anary" not in as_text(found) + as_document(found)


@pytest.mark.parametrize("fault", ["missing-part", "stale-petlist"])
async def test_a_bad_set_on_the_server_fails(served: tuple[Path, FtpUrl], fault: str) -> None:
    home, ftp = served
    write_export(home, FEED, 1, part_rows=20, key_prefix=True, faults=[fault])
    found = await feed(ftp, just_after(home))
    assert not failed(found), "it may be being written"
    assert any("wait and look again" in one.mend for one in found)
    found = await feed(ftp, just_after(home) + timedelta(hours=3))
    assert failed(found)
    assert "anary" not in as_text(found)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("truncated-petlist", "ends in the middle"),
        ("html-petlist", "holds no id"),
        ("empty-petlist", "is empty"),
    ],
)
async def test_a_bad_petlist_on_the_server_is_a_warning(
    served: tuple[Path, FtpUrl], fault: str, said: str
) -> None:
    home, ftp = served
    write_export(home, FEED, 1, part_rows=20, key_prefix=True, faults=[fault])
    found = await feed(ftp, just_after(home))
    assert any(said in one.what and one.state == "warn" for one in found), as_text(found)


async def test_topics_as_made_pass_and_others_fail(kafka: str, prefix: str) -> None:
    access = KafkaAccess(kafka)
    states = [one.state for one in await ask_kafka(access, prefix)]
    assert states == ["pass"] + ["warn"] * len(topics.ALL)
    assert all(one.state == "warn" for one in (await ask_kafka(access, prefix))[1:])  # none made
    odd = topics.PETS._replace(partitions=2, configs={"cleanup.policy": "delete"})
    await ensure_topics(access, prefix, wanted=[odd])
    await ensure_topics(access, prefix)
    found = await ask_kafka(access, prefix)
    name = topics.PETS.full_name(prefix)
    assert f"{name} has 2 partitions, not 6" in failed(found)
    assert f"{name} has cleanup.policy=delete, not compact" in failed(found)
    assert all(line.startswith(name) for line in failed(found))


async def test_a_migrated_database_passes_and_one_with_a_migration_less_fails(
    database_url: str,
) -> None:
    assert {one.state for one in await ask_postgres(database_url)} == {"pass"}
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "DELETE FROM petstream.schema_migration"
        " WHERE name = (SELECT max(name) FROM petstream.schema_migration)"
    )
    database = urlsplit(database_url).path[1:]
    assert any("missing" in line for line in failed(await ask_postgres(database_url)))
    await connection.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    await connection.close()
    assert any("read-only" in line for line in failed(await ask_postgres(database_url)))


async def test_an_empty_database_fails_and_is_left_empty(postgres: str) -> None:
    assert any("petstream migrate" in one.what for one in await ask_postgres(postgres))
    connection = await asyncpg.connect(postgres)
    try:
        assert await connection.fetchval("SELECT to_regnamespace('petstream')") is None
    finally:
        await connection.close()


async def test_everything_together_ends_with_status_0_though_the_feed_is_old(  # noqa: PLR0913, PLR0917  fixtures
    served: tuple[Path, FtpUrl],
    kafka: str,
    prefix: str,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ftp = served[1]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PETSTREAM_FTP_URL", f"ftp://{USER}:{PASSWORD}@{ftp.host}:{ftp.port}/")
    monkeypatch.setenv("PETSTREAM_KAFKA", kafka)
    monkeypatch.setenv("PETSTREAM_TOPIC_PREFIX", prefix)
    monkeypatch.setenv("PETSTREAM_DATABASE_URL", database_url)
    status = await doctor(as_json=False)
    said = capsys.readouterr().out
    assert status == 0, said
    assert "anary" not in said
    monkeypatch.setenv("PETSTREAM_FTP_URL", f"ftp://{USER}:canary@{ftp.host}:{ftp.port}/")
    assert await doctor(as_json=False) == 1
    assert "version" in capsys.readouterr().out
