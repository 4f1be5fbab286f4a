"""Who comes in to the embedded Kafka: whoever has the password in our file, and nobody else."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Consumer
from live_files import contents
from server_homes import put_away

from console.embedded import shell_environment
from console.embedded.process import recorded
from console.embedded.servers import ensure_kafka, running
from petstream.errors import PetstreamError, UnreachableError
from petstream.kafka import client, diagnosis
from petstream.kafka.client import KAFKA_ERRORS, answers, client_options, ensure_topics
from petstream.kafka.reader import read_topic
from petstream.kafka.records import ProducerRecord
from petstream.kafka.writer import send_all
from petstream.settings import KafkaAccess, load
from petstream.topics import PETS

pytestmark = [
    pytest.mark.servers,
    pytest.mark.leaves_sockets("aiokafka does, where it is not let in"),
]

RECORD = ProducerRecord("t.pets.v1", b"1", b"{}", ())


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the Kafka is that `up` would start."""
    with put_away(tmp_path_factory.mktemp("door")) as path:
        yield path


@pytest.fixture(scope="module")
def access(data_dir: Path) -> KafkaAccess:
    """How we come in; there are topics."""
    made = ensure_kafka(data_dir, for_tests=True)
    asyncio.run(ensure_topics(made, "t."))
    return made


def strangers(access: KafkaAccess) -> dict[str, KafkaAccess]:
    """Return how others try to come in."""
    return {
        "without a password": KafkaAccess(access.bootstrap),
        "with a wrong one": replace(access, sasl_password="guessed"),
        "as another user": replace(access, sasl_username="keeper"),
        "in the clear": replace(access, sasl_mechanism="PLAIN"),
    }


def controller(data_dir: Path) -> str:
    """Return where the controller listens."""
    text = (data_dir / "kafka" / "server.properties").read_text("utf-8")
    (line,) = (line for line in text.splitlines() if line.startswith("controller.quorum.boot"))
    return line.partition("=")[2]


@pytest.mark.parametrize(
    "way", ["without a password", "with a wrong one", "as another user", "in the clear"]
)
async def test_s1_a_stranger_neither_reads_nor_forges_an_event(
    access: KafkaAccess, way: str
) -> None:
    """S1: any user of the machine took a pet off the page."""
    stranger = strangers(access)[way]
    with pytest.raises(UnreachableError):
        await answers(stranger)
    producer = AIOKafkaProducer(**client_options(stranger), request_timeout_ms=2_000)
    with pytest.raises(KAFKA_ERRORS):
        await client.start(producer)
    await client.stop(producer)
    assert await read_topic(access, PETS.full_name("t.")) == []


@pytest.mark.parametrize(
    "way", ["without a password", "with a wrong one", "as another user", "in the clear"]
)
async def test_s1_nobody_else_speaks_to_the_controller(
    access: KafkaAccess, data_dir: Path, way: str
) -> None:
    """S1: topics are deleted and users are made there; our own password isn't enough, either."""
    ways = [strangers(access)[way], access, replace(access, sasl_mechanism="PLAIN")]
    for stranger in ways:
        there = replace(stranger, bootstrap=controller(data_dir))
        assert await diagnosis.refusal(there, client_options(there)) is not None


async def test_s1_no_file_that_others_may_read_holds_a_password_nor_does_the_command_line(
    access: KafkaAccess, data_dir: Path
) -> None:
    """S1: the one of the user, and the one of the keeper."""
    shell_environment.variables(data_dir, "petstream.")
    password = str(access.sasl_password).encode()
    files = contents(data_dir)
    ours = (password, b"user_keeper", b"sasl.password=")
    secret = {path.name for path, text in files.items() if any(word in text for word in ours)}
    assert secret == {
        "kafka.password", "server.properties", "kafka-client.properties", "kcat.conf",
    }  # fmt: skip
    opened = {path.name for path in files if path.name in secret and path.stat().st_mode & 0o077}
    assert opened == set()
    process = recorded(data_dir, "kafka")
    assert process is not None
    if Path("/proc").is_dir():
        for name in ("cmdline", "environ"):
            assert password not in Path(f"/proc/{process.pid}/{name}").read_bytes()


async def test_s1_what_env_prints_lets_our_own_commands_and_other_clients_in(
    access: KafkaAccess, data_dir: Path
) -> None:
    printed = shell_environment.variables(data_dir, "petstream.")
    settings = {name: text for name, text in printed.items() if name.startswith("PETSTREAM_")}
    assert load(settings, Path("nowhere")).kafka == access
    assert running(data_dir).kafka == access
    lines = Path(printed["KCAT_CONFIG"]).read_text("utf-8").splitlines()
    consumer = Consumer({**dict(line.split("=", 1) for line in lines), "group.id": "t.env"})
    try:
        assert PETS.full_name("t.") in consumer.list_topics(timeout=30).topics
    finally:
        consumer.close()


async def test_s1_a_password_that_was_lost_is_made_anew_and_the_old_one_ends(
    access: KafkaAccess, data_dir: Path
) -> None:
    kept = data_dir / "kafka.password"
    before = kept.read_text("utf-8")
    kept.unlink()
    with pytest.raises(PetstreamError, match="petstream down"):
        running(data_dir)
    anew = await asyncio.to_thread(ensure_kafka, data_dir, for_tests=True)
    try:
        assert anew.bootstrap == access.bootstrap
        assert anew.sasl_password != access.sasl_password
        await answers(anew)
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        with pytest.raises(UnreachableError, match="refuses the password"):
            await answers(access)
    finally:
        kept.write_text(before, "utf-8")
        await asyncio.to_thread(ensure_kafka, data_dir, for_tests=True)


async def test_s1_a_kafka_of_an_earlier_version_is_closed_and_keeps_its_records(
    tmp_path: Path,
) -> None:
    """S1: while it runs as well, which is how an upgrade meets it."""
    with put_away(tmp_path / "earlier") as home:
        earlier = await asyncio.to_thread(ensure_kafka, home, for_tests=True, authenticated=False)
        await ensure_topics(earlier, "t.", wanted=[PETS])
        await send_all(earlier, [RECORD])
        said: list[str] = []
        access = await asyncio.to_thread(ensure_kafka, home, say=said.append, for_tests=True)
        assert said == [
            "stopping the Kafka of an earlier version, which asks nobody who they are",
            "starting Kafka",
        ]
        assert access.bootstrap == earlier.bootstrap
        assert [record.key for record in await read_topic(access, RECORD.topic)] == [b"1"]
        with pytest.raises(UnreachableError):
            await answers(earlier)
