"""Dead letters as a whole run: each alone, too many, redriven (T44), with real servers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from msgspec import structs

from console.act.redrive import redrive
from console.inspect import dead_letters as letters
from consumers.app import consume
from consumers.engine import backoff, dead_letters
from consumers.engine.runner import Consumer, RunContext, run
from consumers.pets import current
from consumers.pets import history as pets
from consumers.registry import NAMES
from ingest.changes import comparison
from ingest.parse import rows
from ingest.run import ingest
from lab.simulator import history, serve_ftp, write_export
from petstream import codec, topics
from petstream.errors import PetstreamError, UsageError
from petstream.events import PetEvent, Source
from petstream.html import rendered
from petstream.kafka.client import ensure_topics
from petstream.kafka.reader import read_topic
from petstream.kafka.records import ConsumerRecord, ProducerRecord, TopicPartition
from petstream.model import Pet
from petstream.settings import FtpUrl, KafkaAccess, Settings
from petstream.topics import DEAD_LETTERS, MAX_MESSAGE_BYTES, PETS
from petstream.waiting import Delays

pytestmark = pytest.mark.servers

START = datetime(2026, 11, 20, 8, 12, 4, tzinfo=UTC)
GROUP = "pets"
Sent = tuple[bytes, bytes | None, codec.Headers]


class Stage:
    """The topics of one test, and its database."""

    def __init__(self, kafka: str, database_url: str, prefix: str) -> None:
        """Name the servers."""
        self.kafka, self.database_url, self.prefix = KafkaAccess(kafka), database_url, prefix
        self.settings = Settings(topic_prefix=prefix)

    async def publish(self, records: Sequence[Sent], topic: topics.Topic = PETS) -> None:
        """Publish records as they are, all of them in the first partition."""
        await ensure_topics(self.kafka, self.prefix)
        async with AIOKafkaProducer(
            bootstrap_servers=self.kafka.bootstrap, max_request_size=2 * MAX_MESSAGE_BYTES
        ) as producer:
            for key, value, headers in records:
                await producer.send_and_wait(
                    topic.full_name(self.prefix), value, key=key, partition=0, headers=list(headers)
                )

    async def consume(self, *names: Any) -> None:
        """Run consumers until they have applied all there is."""
        await consume(
            names or ("pets",), self.settings, kafka=self.kafka, database_url=self.database_url,
            drain=True, stopping=asyncio.Event(),
        )  # fmt: skip

    async def run(self, consumer: Consumer[Any]) -> None:
        """Run one consumer of the test's own."""
        stopping = asyncio.Event()
        await run(
            consumer,
            RunContext(
                self.kafka, self.database_url, self.prefix, drain=True, stopping=stopping,
                progress=lambda _name, _records: None,
            ),
        )  # fmt: skip

    async def names(self) -> dict[int, str]:
        """Return the pets that are listed, and what they are called."""
        connection = await asyncpg.connect(self.database_url)
        try:
            rows = await connection.fetch("SELECT animal_id, name FROM petstream.pets")
            return {row["animal_id"]: row["name"] for row in rows}
        finally:
            await connection.close()

    async def read(self, topic: topics.Topic) -> list[ConsumerRecord]:
        """Return all records of a topic."""
        records = await read_topic(self.kafka, topic.full_name(self.prefix))
        return sorted(
            (structs.replace(record, timestamp_ms=0) for record in records),
            key=lambda record: (record.topic_partition, record.offset),
        )

    async def redrive(self, *idents: str) -> int:
        """Do what ``petstream dead-letters replay`` does."""
        every = not idents
        return await redrive(self.settings, kafka=self.kafka, idents=idents, every=every)


@pytest.fixture
def stage(kafka: str, database_url: str, prefix: str) -> Stage:
    return Stage(kafka, database_url, prefix)


def pet(animal_id: int, day: int = 0, text: str = "Sit", name: str | None = None) -> Sent:
    event = PetEvent(
        op="updated" if day else "added", animal_id=animal_id, sequence=1_000 + day,
        pet=Pet(animal_id=animal_id, org_id=7, name=name or f"Rex {day}", description_text=text),
        first_seen_at=START, source=Source(f"export-{day}", "daily", "newpets_1.json", 1),
    )  # fmt: skip
    value = codec.encode(event)
    headers = codec.headers(
        type_=f"pet.{event.op}", subject=f"pet/{animal_id}", sequence=event.sequence,
        export_id=f"export-{day}", digest=codec.digest(value), time=START,
    )  # fmt: skip
    return str(animal_id).encode(), value, headers


def other(sent: Sent, **changes: str) -> Sent:
    """Return a record with other headers."""
    key, value, headers = sent
    return (
        key,
        value,
        tuple((name, changes.get(name, text.decode()).encode()) for name, text in headers),
    )


@pytest.fixture
def mistaken(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let the consumer make something of "poison" that Postgres refuses; return what mends it."""
    right = rendered

    def wrong(html: str | None, text: str | None, tracker: str | None) -> str | None:
        return "\0" if text and text.startswith("poison") else right(html, text, tracker)

    monkeypatch.setattr(current, "rendered", wrong)
    return lambda: monkeypatch.setattr(current, "rendered", right)


async def test_t44_poison_of_every_kind_becomes_a_letter_as_it_came_and_its_neighbours_are_applied(
    stage: Stage,
) -> None:
    """T44."""
    records = [pet(number) for number in range(100)]
    key, value, headers = pet(10)
    records[10] = (key, b"{not json", headers)
    records[20] = (key, None, headers)
    records[30] = (key, value, ())
    records[40] = other(pet(40), ce_type="org.petstream.pet.promoted")
    records[50] = other(pet(50), ce_source="/somewhere/else")
    records[60] = pet(60, name="a NUL \0 in it")
    records[70] = other(pet(70), ce_sequence="many")
    poison = (10, 20, 30, 40, 50, 60, 70)
    await stage.publish(records)
    await stage.consume()
    await stage.consume()  # which shows the letters in Postgres
    assert (await stage.names()).keys() == set(range(100)) - set(poison)
    originals = [dead_letters.original(letter) for letter in await stage.read(DEAD_LETTERS)]
    expected = [
        ConsumerRecord(TopicPartition(PETS.full_name(stage.prefix), 0), at, *records[at])
        for at in poison
    ]
    kept = [original.record for original in originals if original]
    assert sorted(kept, key=lambda record: record.offset) == expected
    connection = await asyncpg.connect(stage.database_url)
    rows = await connection.fetch("SELECT * FROM petstream.dead_letters")
    await connection.close()
    place = f"{PETS.full_name(stage.prefix)}/0/"
    assert {int(row["origin"].removeprefix(place)): row["reason"] for row in rows} == {
        10: "value", 20: "null", 30: "headers", 40: "type", 50: "version", 60: "postgres-22021",
        70: "headers",
    }  # fmt: skip
    assert all(row["error"] for row in rows)


async def test_t44_a_flood_stops_the_consumer_and_once_mended_it_goes_on(
    stage: Stage, mistaken: Callable[[], None]
) -> None:
    """T44: too many is an outage: nothing moves until somebody has looked."""
    await stage.publish(
        [pet(number, text="poison" if 200 <= number < 260 else "Sit") for number in range(400)]
    )
    with pytest.raises(
        PetstreamError, match=r"records were refused.*postgres-22021.*mend the cause"
    ):
        await stage.consume()
    with pytest.raises(PetstreamError, match="records were refused"):
        await stage.consume()
    mistaken()
    await stage.consume()
    assert (await stage.names()).keys() == set(range(400))
    assert await stage.read(DEAD_LETTERS) == []


TRANSIENT = (
    asyncpg.DeadlockDetectedError("x"), asyncpg.SerializationError("x"),
    asyncpg.TooManyConnectionsError("x"), asyncpg.CannotConnectNowError("x"),
    asyncpg.QueryCanceledError("x"), asyncpg.LockNotAvailableError("x"),
    asyncpg.DiskFullError("x"), asyncpg.AdminShutdownError("x"),
    asyncpg.ConnectionDoesNotExistError("x"), asyncpg.InterfaceError("x"),
    ConnectionResetError("x"), TimeoutError("x"),
)  # fmt: skip


async def test_t44_trouble_with_postgres_makes_no_dead_letter(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T44, and T41: each kind of trouble once, then all is well."""
    monkeypatch.setattr(backoff, "_DELAYS", Delays(0.001, longest_s=0.002))
    await stage.publish([pet(number) for number in range(50)])
    trouble = list(TRANSIENT)

    async def apply(connection: Any, items: Sequence[Any]) -> None:
        await pets.CONSUMER.apply(connection, items)
        if trouble:
            raise trouble.pop()

    await stage.run(Consumer("pets", pets.CONSUMER.topics, pets.CONSUMER.read, apply))
    assert not trouble
    assert (await stage.names()).keys() == set(range(50))
    assert await stage.read(DEAD_LETTERS) == []


async def test_t44_a_dead_event_that_is_sent_back_is_applied_once_the_cause_is_mended(
    stage: Stage, mistaken: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """T44: through the guard, word for word, and twice is as good as once."""
    sent = pet(5, text="poison")
    await stage.publish([*(pet(number) for number in range(5)), sent])
    await stage.consume()
    assert 5 not in await stage.names()
    mistaken()
    assert await stage.redrive("0") == 0
    assert f"0: sent back to {PETS.full_name(stage.prefix)}/0" in capsys.readouterr().out
    again = (await stage.read(PETS))[-1]
    assert (again.partition, again.key, again.value, again.headers) == (0, *sent)
    await stage.consume(*NAMES)
    before = await stage.names()
    assert before[5] == "Rex 0"
    assert await stage.redrive("0") == await stage.redrive() == 0
    await stage.consume(*NAMES)
    assert await stage.names() == before
    assert len(await stage.read(DEAD_LETTERS)) == 1


async def test_t44_an_event_that_was_overtaken_is_not_sent_back(
    stage: Stage, mistaken: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Compaction would keep it, and lose the newer one."""
    await stage.publish([pet(1, text="poison")])
    await stage.consume()
    await stage.publish([pet(1, day=1)])
    await stage.consume()
    mistaken()
    assert await stage.redrive("0") == 0
    assert "has a newer event of its key" in capsys.readouterr().out
    assert len(await stage.read(PETS)) == 2
    assert await stage.names() == {1: "Rex 1"}


async def test_what_cannot_be_sent_back_says_why(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = (pet(1)[0], b"{", pet(1)[2])
    row = (b"X/pets_1.json/17", b"{", (("dl_class", b"row"), ("dl_origin", b"X/pets_1.json/17")))
    await stage.publish([broken, pet(2)])
    await stage.publish([(b"X", b"{", pet(1)[2])], topics.EXPORTS)
    await stage.publish([row], DEAD_LETTERS)
    await stage.consume()
    idents = {
        dict(letter.headers)["dl_origin"].decode(): letter.offset
        for letter in await stage.read(DEAD_LETTERS)
    }
    ends = [len(await stage.read(topic)) for topic in (PETS, topics.EXPORTS)]
    for origin, status, said in (
        ("X/pets_1.json/17", 0, "the next scrub reads it again and puts it right"),
        (f"{stage.prefix}pets.v1/0/0", 1, "not sent: this version can't read it either"),
        (f"{stage.prefix}exports.v1/0/0", 1, f"--from-offset {stage.prefix}exports.v1/0:0"),
    ):
        assert await stage.redrive(str(idents[origin])) == status
        assert await stage.redrive(origin) == status
        assert said in capsys.readouterr().out
    assert await stage.redrive() == 0
    assert "0 of 3 sent back" in capsys.readouterr().out
    assert [len(await stage.read(topic)) for topic in (PETS, topics.EXPORTS)] == ends
    with pytest.raises(UsageError, match="there is no dead letter 99"):
        await stage.redrive("99")
    with pytest.raises(UsageError, match="which dead letters"):
        await redrive(stage.settings, kafka=stage.kafka, idents=["0"], every=True)


async def test_no_more_are_sent_back_at_a_time_than_the_consumer_bears(
    stage: Stage, mistaken: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """If the cause wasn't mended they are all refused again, next to each other."""
    bad = range(0, 150, 10)
    await stage.publish([pet(key, text="poison" if key in bad else "Sit") for key in range(150)])
    await stage.consume()
    await stage.redrive()
    assert "10 of 15 sent back" in capsys.readouterr().out
    await stage.consume()
    mistaken()
    await stage.consume()
    assert (await stage.names()).keys() == set(range(150)) - set(bad)


async def test_replay_of_many_goes_on_behind_those_that_were_sent_back_before(
    stage: Stage, mistaken: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the first ten would be sent for ever; what is refused again counts anew."""
    bad = range(0, 180, 10)
    await stage.publish([pet(key, text="poison" if key in bad else "Sit") for key in range(180)])
    await stage.consume()
    await stage.redrive()
    await stage.consume()  # refused again: ten letters more
    assert len(await stage.read(DEAD_LETTERS)) == 28
    mistaken()
    capsys.readouterr()
    for sent, idents in ((10, []), (8, [*map(str, range(28))]), (0, [])):
        assert await stage.redrive(*idents) == 0
        assert f"{sent} of 28 sent back" in capsys.readouterr().out
        await stage.consume()
    assert (await stage.names()).keys() == set(range(180))
    assert len(await stage.read(PETS)) == 180 + 10 + 18


async def test_t44_a_record_at_kafkas_limit_becomes_a_letter_and_comes_back_whole(
    stage: Stage, mistaken: Callable[[], None]
) -> None:
    """T44: with the letter's own headers it is larger than Kafka takes."""
    bare = pet(1, text="poison")
    room = MAX_MESSAGE_BYTES - dead_letters.size_of(ProducerRecord("", *bare)) - 200
    sent = pet(1, text="poison" + "x" * room)
    await stage.publish([sent, pet(2)])
    await stage.consume()
    assert (await stage.names()).keys() == {2}
    (letter,) = await stage.read(DEAD_LETTERS)
    original = dead_letters.original(letter)
    assert original is not None
    assert original.cut_bytes == len(sent[1] or b"")
    assert "of the original's" in letters.whole(letter)
    mistaken()
    assert await stage.redrive("0") == 0
    again = (await stage.read(PETS))[-1]
    assert (again.key, again.value, again.headers) == sent
    await stage.consume()
    assert (await stage.names()).keys() == {1, 2}


async def test_t44_a_broken_record_at_kafkas_limit_becomes_a_letter_however_large_its_headers(
    stage: Stage,
) -> None:
    """T44: else the consumer would retry its letter for ever; its beginning shows what it was."""
    key, _, headers = pet(1)
    large = (*headers, *((f"theirs-{number}", b"h" * 20_000) for number in range(100)))
    room = MAX_MESSAGE_BYTES - dead_letters.size_of(ProducerRecord("", key, b"", large)) - 2_000
    broken = (key, b"{not json" + b"x" * room, large)
    await stage.publish([broken, pet(2)])
    await stage.consume()
    assert (await stage.names()).keys() == {2}
    (letter,) = await stage.read(DEAD_LETTERS)
    original = dead_letters.original(letter)
    assert original is not None
    assert (original.record.topic, original.record.offset) == (PETS.full_name(stage.prefix), 0)
    assert original.cut_bytes == len(broken[1])
    assert broken[1].startswith(original.record.value or b"-")
    assert dict(letter.headers)["dl_reason"] == b"value"
    assert await stage.redrive("0") == 1, "this version can't read it either"
    assert len(await stage.read(PETS)) == 2


async def test_t44_the_pet_of_a_dead_event_is_put_right_by_the_next_scrub(
    stage: Stage, tmp_path: Path
) -> None:
    """T44: the log is copied, with one pet's event damaged on the way."""
    feed = history(seed=4, pets=40, days=2)
    home = tmp_path / "ftp"
    home.mkdir()
    with serve_ftp(home, user="apikey-Ab3dEf9h", password="canary") as server:
        address = FtpUrl("apikey-Ab3dEf9h", "canary", "127.0.0.1", server.port, "", tls=False)
        settings = Settings(
            ftp=address, data_dir=tmp_path / "data", topic_prefix=f"{stage.prefix}whole.",
            settle_s=0,
        )  # fmt: skip
        write_export(home, feed, 0)
        await ingest(settings, stage.kafka)
        victim = await _copied(stage, settings.topic_prefix)
        await stage.consume()
        assert victim in feed.truth(0).pets
        assert (await stage.names()).keys() == feed.truth(0).pets.keys() - {victim}
        here = Settings(
            ftp=address, data_dir=tmp_path / "data", topic_prefix=stage.prefix, settle_s=0
        )
        await ingest(here, stage.kafka, wanted="scrub")
    await stage.consume()
    assert (await stage.names()).keys() == feed.truth(0).pets.keys()


async def test_t44_a_refused_row_is_read_again_from_the_archive(
    stage: Stage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """T44: once a mistake of ours is mended; what is newer stays, and twice is as good as once."""
    feed = history(seed=4, pets=40, days=2)
    first, later = sorted(feed.truth(0).pets.keys())[:2]
    home = tmp_path / "ftp"
    home.mkdir()
    with serve_ftp(home, user="apikey-Ab3dEf9h", password="canary") as server:
        address = FtpUrl("apikey-Ab3dEf9h", "canary", "127.0.0.1", server.port, "", tls=False)
        stage.settings = Settings(
            ftp=address, data_dir=tmp_path / "data", topic_prefix=stage.prefix, settle_s=0,
            archive_days=10_000,
        )  # fmt: skip
        write_export(home, feed, 0)
        with monkeypatch.context() as mistake:
            mistake.setattr(comparison, "parse", refusing({first, later}))
            export_id = (await ingest(stage.settings, stage.kafka)).export_id
        await stage.consume()
        assert (await stage.names()).keys() == feed.truth(0).pets.keys() - {first, later}
        assert await letters.dead_letters(
            stage.settings, kafka=stage.kafka, action="list", ident=None
        ) == 0  # fmt: skip
        assert f"{export_id}/pets_1.json/" in capsys.readouterr().out
        assert await stage.redrive("0", "1") == 0
        said = capsys.readouterr().out
        assert f"a row of export {export_id}, which is read again from the archive" in said
        assert said.count(f"export {export_id} (initial) is completed") == 1
        assert "2 added" in said
        await stage.consume()
        assert (await stage.names()).keys() == feed.truth(0).pets.keys()
        write_export(home, feed, 1)
        await ingest(stage.settings, stage.kafka)
    before = await stage.read(PETS)
    assert await stage.redrive("0") == await stage.redrive() == 0
    assert await stage.read(PETS) == before
    await stage.consume("pets", "deletions")
    assert (await stage.names()).keys() == feed.truth(1).pets.keys()
    assert len(await stage.read(DEAD_LETTERS)) == 2


def refusing(animal_ids: set[int]) -> Callable[..., Any]:
    """Return a parser of rows with a mistake: it can't read those of some pets."""
    right = rows.parse
    refused = {str(animal_id) for animal_id in animal_ids}

    def parse(some: Any, odd: Any = None) -> Any:
        return [
            rows.BadRow(row.number, row.offset, "not-json", "a mistake of ours", row.raw[:2_048])
            if isinstance(parsed, dict) and parsed.get("animalID") in refused
            else parsed
            for row, parsed in zip(some, right(some, odd), strict=True)
        ]

    return parse


async def _copied(stage: Stage, prefix: str) -> int:
    """Copy the topics of another prefix, partition by partition; return whose event is damaged."""
    await ensure_topics(stage.kafka, stage.prefix)
    whole = Stage(stage.kafka.bootstrap, "", prefix)
    victim: int | None = None
    async with AIOKafkaProducer(bootstrap_servers=stage.kafka.bootstrap) as producer:
        for topic in (PETS, topics.ORGS, topics.EXPORTS):
            for record in await whole.read(topic):
                value = record.value
                if topic is PETS and victim is None:
                    victim, value = int(record.key or b""), b"{"
                await producer.send_and_wait(
                    topic.full_name(stage.prefix), value, key=record.key,
                    partition=record.partition, headers=list(record.headers),
                )  # fmt: skip
    assert victim is not None
    return victim
