"""What people look at, against a real Kafka and a real Postgres."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from records_of_topics import record

from console.inspect.dead_letters import dead_letters
from console.inspect.explain import explain
from console.inspect.status import status
from console.inspect.tail import tail
from ingest.publish.publisher import Publisher
from petstream import topics
from petstream.kafka.client import ensure_topics
from petstream.settings import KafkaAccess, Settings

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[3]
NO_POSTGRES = "postgresql://nobody:secret-word@127.0.0.1:1/pets"
PUBLISHED = (
    ("export.started", topics.EXPORTS),
    ("pet.added", topics.PETS),
    ("pet.removed", topics.PETS),
    ("picture.stored", topics.PICTURES),
    ("export.completed", topics.EXPORTS),
)


@pytest.fixture
def access(kafka: str) -> KafkaAccess:
    return KafkaAccess(kafka)


async def publish(kafka: KafkaAccess, prefix: str) -> None:
    await ensure_topics(kafka, prefix)
    async with Publisher(kafka) as publisher:
        for type_, topic in PUBLISHED:
            golden = record(type_)
            name = topic.full_name(prefix)
            await publisher.send(
                name, (golden.key or b"").decode(), golden.value or b"", golden.headers
            )


async def test_status_tells_of_topics_that_are_empty_and_of_a_postgres_that_is_away(
    access: KafkaAccess, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(topic_prefix=prefix)
    assert await status(settings, kafka=access, database_url=NO_POSTGRES, as_json=False) == 0
    said = capsys.readouterr().out
    assert "no export was completed yet" in said
    assert "Postgres: at 127.0.0.1:1 can't be reached" in said
    assert "secret-word" not in said


async def test_status_as_json_tells_what_is_in_the_topics(
    access: KafkaAccess, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await publish(access, prefix)
    settings = Settings(topic_prefix=prefix)
    assert await status(settings, kafka=access, database_url=None, as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["feed"]["newestExportId"] == "2026-11-23T08:12:04Z"
    pets = topics.PETS.full_name(prefix)
    lags = {(row["consumer"], row["topic"]): row["lag"] for row in document["lag"]}
    assert lags["pets", pets] == 2


async def test_explain_tells_the_life_of_a_removed_pet(
    access: KafkaAccess, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await publish(access, prefix)
    settings = Settings(topic_prefix=prefix)
    assert await explain(settings, kafka=access, database_url=None, animal_id=22611034) == 0
    said = capsys.readouterr().out
    assert "Not listed now: left the feed with export 2026-11-23T08:12:04Z" in said
    assert await explain(settings, kafka=access, database_url=None, animal_id=5) == 1
    assert capsys.readouterr().out.startswith("There is no pet 5")


async def test_explain_as_json_has_the_life_and_its_events_as_they_were_published(
    access: KafkaAccess, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await publish(access, prefix)
    settings = Settings(topic_prefix=prefix)
    assert await explain(
        settings, kafka=access, database_url=None, animal_id=22611034, as_json=True
    ) == 0  # fmt: skip
    document = json.loads(capsys.readouterr().out)
    assert document["animalId"] == 22611034
    assert "Not listed now: left the feed" in document["text"]
    assert [event["value"]["op"] for event in document["events"]] == ["added", "removed"]
    assert document["events"][1]["value"] == json.loads(record("pet.removed").value or b"")
    assert document["events"][0]["headers"]["ce_type"] == "org.petstream.pet.added"
    assert await explain(
        settings, kafka=access, database_url=None, animal_id=5, as_json=True
    ) == 1  # fmt: skip
    assert json.loads(capsys.readouterr().out)["events"] == []


async def test_tail_shows_what_is_there_and_what_comes(
    access: KafkaAccess, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await publish(access, prefix)
    stopping = asyncio.Event()
    settings = Settings(topic_prefix=prefix)
    task = asyncio.create_task(
        tail(
            settings,
            kafka=access,
            topic="pets",
            from_beginning=True,
            as_json=True,
            stopping=stopping,
        )
    )
    lines: list[str] = []
    async with asyncio.timeout(60):
        while len(lines) < 2:
            await asyncio.sleep(0.05)
            lines += capsys.readouterr().out.splitlines()
        await publish(access, prefix)
        while len(lines) < 4:
            await asyncio.sleep(0.05)
            lines += capsys.readouterr().out.splitlines()
        stopping.set()
        assert await task == 0
    ops = [json.loads(line)["value"]["op"] for line in lines]
    assert ops == ["added", "removed", "added", "removed"]


async def test_o8_a_signal_ends_a_tail_whose_reader_pauses_with_whole_lines(
    access: KafkaAccess, prefix: str, tmp_path: Path
) -> None:
    """O8: a pager held SIGTERM for 103 s; and the last line was cut."""
    await ensure_topics(access, prefix)
    golden = record("pet.added")
    async with Publisher(access) as publisher:
        for number in range(600):
            name = topics.PETS.full_name(prefix)
            await publisher.send(name, f"{number}", golden.value or b"", golden.headers)
    words = ("tail", "pets", "--from-beginning", "--json")
    process = subprocess.Popen(  # noqa: ASYNC220, S603  ours; a pipe whose reader is slow is the test
        [sys.executable, "-m", "console", *words], cwd=ROOT, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, bufsize=0,
        env={
            **os.environ, "PETSTREAM_KAFKA": access.bootstrap, "PETSTREAM_TOPIC_PREFIX": prefix,
            "PETSTREAM_DATA_DIR": str(tmp_path),
        },
    )  # fmt: skip
    with process:
        assert process.stdout
        first = process.stdout.read(1)
        await asyncio.sleep(1.0)  # a person in a pager
        asked_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert time.monotonic() - asked_s < 14
        out, wrong = process.communicate(timeout=10)
    assert wrong == b""
    assert (first + out).endswith(b"\n")
    assert {json.loads(line)["value"]["op"] for line in (first + out).splitlines()} == {"added"}


async def test_dead_letters_are_listed(
    access: KafkaAccess, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(topic_prefix=prefix)
    assert await dead_letters(settings, kafka=access, action="list", ident=None) == 0
    assert capsys.readouterr().out == "No dead letters.\n"
