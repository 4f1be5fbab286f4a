"""The embedded Kafka and Postgres, started, found, killed and started again for real."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from server_homes import put_away

from console.embedded.process import recorded
from console.embedded.servers import Servers, down, ensure_kafka, ensure_postgres, running
from petstream.kafka.client import client_options
from petstream.settings import KafkaAccess

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[3]


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """Return a data directory whose name holds what breaks careless settings files."""
    with put_away(tmp_path / "spaces, commas = and ünïcode") as path:
        yield path


def test_kafka_outlives_the_command_that_started_it_and_keeps_its_records(data_dir: Path) -> None:
    with a_command(f"ensure_kafka(Path({str(data_dir)!r}), for_tests=True)") as command:
        wait_until(lambda: recorded(data_dir, "kafka") is not None)
        command.kill()  # in the middle of its waiting
    begun = pid(data_dir, "kafka")
    said: list[str] = []
    kafka = ensure_kafka(data_dir, say=said.append, for_tests=True)
    assert pid(data_dir, "kafka") == begun, "found, not started again"
    assert said == []
    assert os.getsid(begun) == begun, "a Ctrl-C in the terminal doesn't reach it"
    assert running(data_dir) == Servers(kafka=kafka, database_url=None)
    asyncio.run(write_record(kafka, b"x" * 7_000_000))

    os.kill(begun, signal.SIGKILL)
    wait_until(lambda: running(data_dir).kafka is None)
    assert ensure_kafka(data_dir, for_tests=True) == kafka, "clients find it where it was"
    assert pid(data_dir, "kafka") != begun
    assert asyncio.run(read_record(kafka)) == b"x" * 7_000_000

    assert down(data_dir) == ["kafka"]
    assert down(data_dir) == []
    assert running(data_dir) == Servers(kafka=None, database_url=None)


def test_what_kafka_acknowledged_is_on_the_disk_within_seconds_again_and_again(
    data_dir: Path,
) -> None:
    """A power cut costs no more: what lies before the recovery point was flushed."""
    kafka = ensure_kafka(data_dir, for_tests=True)
    flushed = data_dir / "kafka" / "log" / "recovery-point-offset-checkpoint"

    def is_flushed(records: int) -> bool:
        return flushed.exists() and f"kept 0 {records}\n" in flushed.read_text()

    for records in (1, 2):
        asyncio.run(write_record(kafka, b"x"))
        wait_until(partial(is_flushed, records), limit_s=30)


def test_postgres_keeps_its_rows_when_it_is_killed(data_dir: Path) -> None:
    database_url = ensure_postgres(data_dir)
    begun = pid(data_dir, "postgres")
    assert ensure_postgres(data_dir) == database_url
    assert pid(data_dir, "postgres") == begun
    assert os.getsid(begun) == begun
    assert stat.S_IMODE((data_dir / "postgres.password").stat().st_mode) == 0o600
    asyncio.run(ask(database_url, "CREATE TABLE kept AS SELECT 'Zoë' AS name"))

    os.kill(begun, signal.SIGKILL)
    wait_until(lambda: running(data_dir).database_url is None)
    assert ensure_postgres(data_dir) == database_url
    assert asyncio.run(ask(database_url, "SELECT upper(name) FROM kept")) == "ZOË"

    assert down(data_dir) == ["postgres"]
    assert ensure_postgres(data_dir) == database_url, "also after an orderly end"
    assert asyncio.run(ask(database_url, "SELECT name FROM kept")) == "Zoë"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="an environment is looked at in /proc")
def test_s2_servers_get_no_secret_of_our_environment(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S2: their processes may belong to others, who read it."""
    monkeypatch.setenv("PETSTREAM_FTP_URL", "ftp://apikey-canary:canary@127.0.0.1/")
    monkeypatch.setenv("SOMEBODYS_PASSWORD", "canary")
    ensure_kafka(data_dir, for_tests=True)
    ensure_postgres(data_dir, for_tests=True)
    for name in ("kafka", "postgres"):
        process = recorded(data_dir, name)
        assert process is not None
        environment = Path(f"/proc/{process.pid}/environ").read_bytes()
        assert b"PATH=" in environment
        assert b"canary" not in environment, name


def test_s9_nobody_else_reads_what_lies_in_a_data_directory(data_dir: Path) -> None:
    """S9: also in one that was there before, where what an earlier version made is open."""
    before = os.umask(0o022)
    try:
        (data_dir / "kafka").mkdir(parents=True)
        (data_dir / "kafka.log").touch()
        ensure_kafka(data_dir, for_tests=True)
        down(data_dir)
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE((data_dir / name).stat().st_mode) for name in
             ("kafka", "kafka.log")}  # fmt: skip
    assert modes == {"kafka": 0o700, "kafka.log": 0o600}


@pytest.mark.parametrize(
    ("name", "value"),
    [("timezone", "UTC"), ("server_encoding", "UTF8"), ("listen_addresses", "127.0.0.1"),
     ("max_connections", "100"), ("password_encryption", "scram-sha-256")],
)  # fmt: skip
def test_postgres_is_set_up_for_us(shared_postgres: str, name: str, value: str) -> None:
    assert asyncio.run(ask(shared_postgres, f"SHOW {name}")) == value


def test_postgres_lets_nobody_in_without_the_password(shared_postgres: str) -> None:
    scheme, _, rest = shared_postgres.partition("://petstream:")
    guessed = f"{scheme}://petstream:guessed@{rest.partition('@')[2]}"
    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(ask(guessed, "SELECT 1"))


async def test_it_may_be_asked_for_from_inside_an_event_loop(shared_postgres: str) -> None:
    assert await ask(shared_postgres, "SELECT 1") == 1


def test_two_commands_that_start_at_once_get_the_same_server(data_dir: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        urls = set(pool.map(lambda _: ensure_postgres(data_dir, for_tests=True), range(3)))
    assert len(urls) == 1


def test_a_log_directory_that_was_killed_while_it_was_made_is_made_anew(data_dir: Path) -> None:
    with a_command(f"ensure_kafka(Path({str(data_dir)!r}), for_tests=True)") as command:
        wait_until(lambda: any((data_dir / "kafka").glob("new-*")))
        command.kill()  # the tool that formats goes on for a while
    assert ensure_kafka(data_dir, for_tests=True) == running(data_dir).kafka


def test_a_database_that_was_killed_while_it_was_made_is_made_anew(data_dir: Path) -> None:
    with a_command(f"ensure_postgres(Path({str(data_dir)!r}))") as command:
        wait_until((data_dir / "postgres.password").exists)
        command.kill()  # its initdb goes on for a while
    assert asyncio.run(ask(ensure_postgres(data_dir, for_tests=True), "SELECT 1")) == 1


@pytest.fixture(scope="module")
def shared_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start one server, from inside a running loop, for the tests that only look."""
    with put_away(tmp_path_factory.mktemp("shared")) as home:

        async def start() -> str:
            return ensure_postgres(home, for_tests=True)

        yield asyncio.run(start())


def a_command(call: str) -> subprocess.Popen[bytes]:
    """Run a command of its own that makes one call."""
    program = f"from pathlib import Path\nfrom console.embedded.servers import *\n{call}\n"
    return subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, start_new_session=True)  # noqa: S603  ours


def wait_until(happened: Callable[[], bool], *, limit_s: float = 60.0) -> None:
    """Wait for something that another process does."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < limit_s
        time.sleep(0.01)


def pid(data_dir: Path, name: str) -> int:
    """Return the process that is written down."""
    return int(json.loads((data_dir / f"{name}.json").read_text())["pid"])


async def ask(database_url: str, query: str) -> object:
    """Return the first value of a query."""
    connection = await asyncpg.connect(database_url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def write_record(kafka: KafkaAccess, value: bytes) -> None:
    """Make a topic and put one record there, acknowledged."""
    admin = AIOKafkaAdminClient(**client_options(kafka))
    await admin.start()
    try:
        limit = {"max.message.bytes": str(8 * 1024 * 1024)}
        await admin.create_topics([NewTopic("kept", 1, 1, topic_configs=limit)])
    finally:
        await admin.close()
    producer = AIOKafkaProducer(
        **client_options(kafka), enable_idempotence=True, max_request_size=8 * 1024 * 1024
    )
    await producer.start()
    try:
        async with asyncio.timeout(30):
            await producer.send_and_wait("kept", value, partition=0)
    finally:
        await producer.stop()


async def read_record(kafka: KafkaAccess) -> bytes | None:
    """Return the value of the first record."""
    consumer = AIOKafkaConsumer(**client_options(kafka), auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition("kept", 0)])
        async with asyncio.timeout(30):
            record = await consumer.getone()
    finally:
        await consumer.stop()
    value: bytes | None = record.value
    return value
