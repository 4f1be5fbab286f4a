"""`doctor` against a real Kafka, a real Postgres and a real FTP server."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from console.doctor.check_result import CheckResult
from console.doctor.doctor import as_document, as_text, doctor
from console.doctor.feed import check_feed
from console.doctor.kafka import check_kafka
from console.doctor.postgres import check_postgres
from console.embedded import jars
from ingest.run import ingest
from lab.simulator import history, serve_ftp, write_export
from petstream import topics
from petstream.errors import PetstreamError
from petstream.kafka.client import ensure_topics
from petstream.kafka.reader import read_topic
from petstream.setting_values import FtpUrl, ftp_url
from petstream.settings import KafkaAccess, Settings

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


def failed(results: list[CheckResult]) -> list[str]:
    return [result.what for result in results if result.state == "fail"]


async def test_a_good_feed_passes_and_plain_ftp_is_a_warning(served: tuple[Path, FtpUrl]) -> None:
    home, ftp = served
    results = await check_feed(ftp, just_after(home))
    assert [result.what for result in results if result.state != "pass"] == [
        "plain FTP: the server offers no TLS, so the password travels in the clear"
    ]
    assert any("REST" in result.what for result in results)


async def test_a_refused_login_fails_without_a_secret(served: tuple[Path, FtpUrl]) -> None:
    results = await check_feed(replace(served[1], password="canary-wrong"), datetime.now(UTC))
    assert len(failed(results)) == 1
    assert "anary" not in as_text(results) + as_document(results)


@pytest.mark.parametrize("fault", ["missing-part", "stale-petlist"])
async def test_a_bad_set_on_the_server_fails(served: tuple[Path, FtpUrl], fault: str) -> None:
    home, ftp = served
    write_export(home, FEED, 1, part_rows=20, key_prefix=True, faults=[fault])
    results = await check_feed(ftp, just_after(home))
    assert not failed(results), "it may be being written"
    assert any("wait and look again" in result.mend for result in results)
    results = await check_feed(ftp, just_after(home) + timedelta(hours=3))
    assert failed(results)
    assert "anary" not in as_text(results)


@pytest.mark.parametrize(
    ("fault", "printed"),
    [
        ("truncated-petlist", "ends in the middle"),
        ("html-petlist", "holds no id"),
        ("empty-petlist", "is empty"),
    ],
)
async def test_a_bad_petlist_on_the_server_is_a_warning(
    served: tuple[Path, FtpUrl], fault: str, printed: str
) -> None:
    home, ftp = served
    write_export(home, FEED, 1, part_rows=20, key_prefix=True, faults=[fault])
    results = await check_feed(ftp, just_after(home))
    assert any(printed in result.what and result.state == "warn" for result in results), as_text(
        results
    )


async def test_topics_as_made_pass_and_others_fail(kafka: str, prefix: str) -> None:
    access = KafkaAccess(kafka)
    states = [result.state for result in await check_kafka(access, prefix)]
    assert states == ["pass"] + ["warn"] * len(topics.ALL)
    assert all(
        result.state == "warn" for result in (await check_kafka(access, prefix))[1:]
    )  # none made
    odd = topics.PETS._replace(partitions=2, configs={"cleanup.policy": "delete"})
    await ensure_topics(access, prefix, wanted=[odd])
    await ensure_topics(access, prefix)
    results = await check_kafka(access, prefix)
    name = topics.PETS.full_name(prefix)
    assert not any("partitions" in line for line in failed(results)), "any number is as good"
    assert f"{name} has cleanup.policy=delete, not compact" in failed(results)
    assert all(line.startswith(name) for line in failed(results))


async def test_a_kafka_without_replicas_that_flushes_lacks_nothing_else(
    kafka: str, prefix: str
) -> None:
    access = KafkaAccess(kafka)
    await ensure_topics(access, prefix)
    results = await check_kafka(access, prefix)
    assert {result.state for result in results} == {"pass"}
    assert "keeps what it acknowledges, but there is one broker only" in results[-1].what


@pytest.mark.parametrize(
    ("topic", "configs"),
    [(topics.PETS, {"cleanup.policy": "delete"}), (topics.EXPORTS, {"retention.ms": "1000000"})],
)
async def test_o1_topics_that_forget_stop_a_run_before_it_publishes_and_a_command_mends_it(  # noqa: PLR0913, PLR0917  fixtures
    served: tuple[Path, FtpUrl],
    kafka: str,
    prefix: str,
    tmp_path: Path,
    topic: topics.Topic,
    configs: dict[str, str],
) -> None:
    """O1: made by somebody else, with Kafka's usual retention."""
    access = KafkaAccess(kafka)
    await ensure_topics(access, prefix, wanted=[topic._replace(configs=configs)])
    settings = Settings(ftp=served[1], data_dir=tmp_path, topic_prefix=prefix, settle_s=0)
    with pytest.raises(PetstreamError) as stopped:
        await ingest(settings, access)
    name = topic.full_name(prefix)
    assert f"{name} has " in str(stopped.value)
    assert f"--bootstrap-server {kafka} " in str(stopped.value)
    assert await read_topic(access, topics.EXPORTS.full_name(prefix)) == []
    run_kafka_configs(str(stopped.value).rpartition("kafka-configs.sh ")[2])
    assert (await ingest(settings, access)).outcome is not None


def run_kafka_configs(arguments: str) -> None:
    """Run kafka-configs.sh, which is this class of Kafka's."""
    jars_of_kafka = ":".join(jars.classpath(Path.cwd(), lambda _line: None))
    java = [jars.java(), "-cp", jars_of_kafka, "kafka.admin.ConfigCommand"]
    subprocess.run([*java, *shlex.split(arguments)], check=True)  # noqa: S603  as a message says


async def test_a_migrated_database_passes_and_one_with_a_migration_less_fails(
    database_url: str,
) -> None:
    assert {result.state for result in await check_postgres(database_url)} == {"pass"}
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "DELETE FROM petstream.schema_migration"
        " WHERE name = (SELECT max(name) FROM petstream.schema_migration)"
    )
    database = urlsplit(database_url).path[1:]
    assert any("lacks" in line for line in failed(await check_postgres(database_url)))
    await connection.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    await connection.close()
    assert any("read_only" in line for line in failed(await check_postgres(database_url)))


async def test_an_empty_database_fails_and_is_left_empty(postgres: str) -> None:
    assert any("petstream migrate" in result.what for result in await check_postgres(postgres))
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
    printed = capsys.readouterr().out
    assert status == 0, printed
    assert "anary" not in printed
    monkeypatch.setenv("PETSTREAM_FTP_URL", f"ftp://{USER}:canary@{ftp.host}:{ftp.port}/")
    assert await doctor(as_json=False) == 1
    assert "version" in capsys.readouterr().out
