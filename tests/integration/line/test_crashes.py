"""Killed at any instruction that matters, and started again: nothing is lost, nothing is twice.

Every place of `petstream.failpoints` is walked: the process is killed there with SIGKILL the first,
the second and the last time that an undisturbed run passes it. Processes are forked, so that they
needn't import everything anew; one test starts the command itself.
"""

from __future__ import annotations

import asyncio
import functools
import os
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import aclosing, nullcontext, suppress
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiokafka import AIOKafkaConsumer
from forked_processes import KILLED, Work, forked

import consumers.engine.subscription
from console.inspect.database_reader import Rows, Unavailable, fetch_rows
from consumers.app import consume
from consumers.engine.subscription import Subscription
from consumers.registry import NAMES, topics_of
from ingest.leadership import election, lease
from ingest.publish import lifecycle
from ingest.publish.publisher import Publisher
from ingest.removals import held_plans
from ingest.run import ingest
from lab.expectations import QUERIES, judge
from lab.simulator import History, expected, history, serve_ftp, write_export
from petstream import codec, failpoints, topics
from petstream.errors import UsageError
from petstream.kafka.client import ensure_topics
from petstream.kafka.reader import client_partitions, read_to_end, records_of
from petstream.kafka.records import ConsumerRecord, TopicPartition
from petstream.settings import FtpUrl, KafkaAccess, Settings

pytestmark = pytest.mark.servers

TOPICS = (topics.PETS, topics.ORGS, topics.EXPORTS, topics.DEAD_LETTERS)
FEED = history(seed=5, pets=80, days=2)
POISON = b"{"


class Command(NamedTuple):
    """A command on an export: what was in the topics before it, and what it does."""

    before: list[ConsumerRecord]
    day: int
    work: Callable[[Settings], Coroutine[Any, Any, object]]


class Stage:
    """A simulated feed and a Kafka; every case has topics of its own."""

    def __init__(self, home: Path, settings: Settings, kafka: KafkaAccess) -> None:
        """Know where everything is."""
        self.home, self.settings, self.kafka = home, settings, kafka

    def fresh(self, records: Iterable[ConsumerRecord] = ()) -> Settings:
        """Return settings with a prefix whose topics hold these records, and no others."""
        prefix = f"t{secrets.token_hex(4)}."

        async def fill() -> None:
            few = [topic._replace(partitions=min(2, topic.partitions)) for topic in topics.ALL]
            await ensure_topics(self.kafka, prefix, wanted=few)
            async with Publisher(self.kafka) as publisher:
                for record in records:
                    topic = prefix + record.topic.split(".", 1)[1]
                    await publisher.send(
                        topic, (record.key or b"").decode(), record.value or b"", record.headers
                    )

        asyncio.run(fill())
        return replace(self.settings, topic_prefix=prefix, data_dir=self.settings.data_dir / prefix)

    def records(self, settings: Settings) -> list[ConsumerRecord]:
        """Return all records, each partition's in the order of the log."""

        async def read() -> list[ConsumerRecord]:
            names = [topic.full_name(settings.topic_prefix) for topic in TOPICS]
            async with aclosing(read_to_end(self.kafka, names)) as batches:
                return [record async for batch in batches for record in batch]

        return asyncio.run(read())

    def put_out(self, day: int) -> None:
        """Lay a day's export on the server."""
        write_export(self.home, FEED, day, part_rows=40)

    async def read_export(self, settings: Settings) -> object:
        """Ingest what lies on the server."""
        return await ingest(settings, self.kafka)

    async def approve(self, settings: Settings) -> object:
        """Approve the plan that is held; one that was decided is refused, and made whole."""
        (held,) = await held_plans.plans(settings, self.kafka)
        with suppress(UsageError) if held.state == "approved" else nullcontext():
            return await held_plans.approve(
                settings, self.kafka, held.plan.plan_id, by="a person", reason="they are gone"
            )


@pytest.fixture(autouse=True)
def _short_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ingester that was killed is missed after a second, not after ten."""
    for module in (lease, election):
        monkeypatch.setattr(module, "SESSION_S", 1.0)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, kafka: str) -> Iterator[Stage]:
    home = tmp_path_factory.mktemp("ftp")
    with serve_ftp(home, user="apikey-Ab3dEf9h", password="canary-password") as server:
        ftp = FtpUrl("apikey-Ab3dEf9h", "canary-password", "127.0.0.1", server.port, "", tls=False)
        data = tmp_path_factory.mktemp("data")
        yield Stage(home, Settings(ftp=ftp, data_dir=data, settle_s=0), KafkaAccess(kafka))


def moments(passed: int) -> list[int]:
    """Return which times to kill at: the first, the second, the last."""
    return sorted({1, min(2, passed), passed})


def facts(records: Iterable[ConsumerRecord]) -> set[tuple[str, bytes | None, bytes, bytes | None]]:
    """Return the events of pets and organisations, each once, with all that they say."""
    return {
        (record.topic.split(".", 1)[1], record.key, dict(record.headers)["ce_id"], record.value)
        for record in records
        if record.topic.endswith((topics.PETS.name, topics.ORGS.name))
    }


def completed(records: Iterable[ConsumerRecord]) -> Counter[str]:
    """Return how often each export was completed."""
    completions: Counter[str] = Counter()
    for record in records:
        if record.topic.endswith(topics.EXPORTS.name):
            envelope = codec.decode(record.headers, record.value)
            completions[envelope.export_id] += envelope.type.endswith("export.completed")
    return +completions


def assert_sequences_rise(records: Iterable[ConsumerRecord]) -> None:
    """Of a key's events, each is newer than the one before it, or the same one again."""
    held: dict[tuple[str, bytes | None], tuple[bytes, bytes]] = {}
    for record in records:
        if record.topic.endswith((topics.PETS.name, topics.ORGS.name)):
            headers, key = dict(record.headers), (record.topic, record.key)
            now = (headers["ce_sequence"], headers["ce_digest"])
            assert held.get(key, now) <= now, (record.key, held[key], now)
            held[key] = now


def assert_healed(stage: Stage, command: Command) -> Counter[str]:
    """Kill a command at each of its places, run it again; return the places it passes."""
    stage.put_out(command.day)
    undisturbed = stage.fresh(command.before)
    (ended,) = forked((lambda: command.work(undisturbed), ""))
    assert ended.status == 0
    wanted = stage.records(undisturbed)
    for place, passed in ended.passed.items():
        cases = {nth: stage.fresh(command.before) for nth in moments(passed)}
        works = {nth: functools.partial(command.work, case) for nth, case in cases.items()}
        killed = forked(*((work, f"{place}:{nth}") for nth, work in works.items()))
        assert [process.status for process in killed] == [KILLED] * len(cases), place
        again = forked(*((work, "") for work in works.values()))
        assert [process.status for process in again] == [0] * len(cases), place
        for nth, settings in cases.items():
            records = stage.records(settings)
            assert facts(records) == facts(wanted), (place, nth)
            assert completed(records) == completed(wanted), (place, nth)
            assert_sequences_rise(records)
            assert states(records) == states(wanted), (place, nth)
    return ended.passed


def states(records: Iterable[ConsumerRecord]) -> dict[str, str]:
    """Return what each subject of exports.v1 ends as, for whoever reads no more than headers."""
    newest: dict[str, tuple[tuple[int, str], str]] = {}
    ids: Counter[bytes] = Counter()
    for record in records:
        if record.topic.endswith(topics.EXPORTS.name):
            envelope = codec.decode(record.headers, record.value)
            ids[dict(record.headers)["ce_id"]] += 1
            held = newest.get(envelope.subject)
            if held is None or envelope.rank > held[0]:
                newest[envelope.subject] = envelope.rank, envelope.type
    assert set(ids.values()) == {1}
    return {subject: type_ for subject, (_, type_) in newest.items()}


def one_day(
    stage: Stage, before: list[ConsumerRecord], day: int, **changes: Any
) -> list[ConsumerRecord]:
    """Read a day's export undisturbed, and return what is in the topics then."""
    stage.put_out(day)
    settings = replace(stage.fresh(before), **changes)
    assert forked((lambda: stage.read_export(settings), ""))[0].status == 0
    return stage.records(settings)


def test_an_ingester_killed_anywhere_is_healed_by_reading_the_export_again(stage: Stage) -> None:
    passed = assert_healed(stage, Command([], 0, stage.read_export))
    passed += assert_healed(stage, Command(one_day(stage, [], 0), 1, stage.read_export))
    assert {
        place for place in failpoints.PLACES if place.startswith("ingest.")
    } - passed.keys() == {"ingest.held.after", "ingest.debt.recorded"}


def test_removals_that_are_held_and_approved_survive_a_kill_anywhere(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "IDS_A_PART", 1)  # several parts, each a subject of its own
    first = one_day(stage, [], 0)

    async def held(settings: Settings) -> object:
        return await stage.read_export(replace(settings, removal_max_count=0))

    assert assert_healed(stage, Command(first, 1, held))["ingest.held.after"] == 1
    after = one_day(stage, first, 1, removal_max_count=0)
    passed = assert_healed(stage, Command(after, 1, stage.approve))
    places = passed.keys()
    assert passed["approval.part.sent"] > 1
    assert places >= {place for place in failpoints.PLACES if place.startswith("approval.")}


def test_consumers_killed_anywhere_end_in_the_tables_that_the_feed_calls_for(
    stage: Stage, databases: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    records = one_day(stage, one_day(stage, [], 0), 1)
    pets = TopicPartition(f"t.{topics.PETS.name}", 0)
    poison = [
        ConsumerRecord(pets, 0, key, POISON, (("ce_type", b"nonsense"),)) for key in (b"1", b"2")
    ]
    settings = stage.fresh([*poison, *records, *poison])
    short = functools.partial(
        AIOKafkaConsumer, session_timeout_ms=800, heartbeat_interval_ms=200
    )  # a killed member is missed for a second, not for ten
    monkeypatch.setattr(consumers.engine.subscription, "AIOKafkaConsumer", short)
    monkeypatch.setattr(Subscription, "poll", whole_batch)
    log = stage.records(settings)

    def work(database: str, name: Any) -> Work:
        return lambda: consume(
            [name], settings, kafka=stage.kafka, database_url=database, drain=True,
            stopping=asyncio.Event(),
        )  # fmt: skip

    database = databases()
    undisturbed = forked(*((work(database, name), "") for name in NAMES))
    assert [process.status for process in undisturbed] == [0, 0, 0]
    assert_tables(database, FEED)
    assert_all_applied(database, log, settings.topic_prefix)
    letters = letters_of(stage, settings)
    assert len(letters) == len(NAMES) * 2 * len(poison)
    places = {place for process in undisturbed for place in process.passed}
    assert places == {place for place in failpoints.PLACES if place.startswith("consumer.")}
    for place in sorted(places):
        passed = [process.passed[place] for process in undisturbed]
        for nths in zip_longest(*map(moments, passed), fillvalue=1):
            database = databases()
            cases = [
                (work(database, name), f"{place}:{nth}")
                for name, nth in zip(NAMES, nths, strict=True)
            ]
            killed = [process.status for process in forked(*cases)]
            assert killed == [KILLED] * len(NAMES), (place, nths)
            assert_in_one_transaction(database, log)
            again = forked(*((work(database, name), "") for name in NAMES))
            assert [process.status for process in again] == [0, 0, 0], (place, nths)
            assert_tables(database, FEED)
            assert_all_applied(database, log, settings.topic_prefix)
            before, letters = letters, letters_of(stage, settings)
            assert {letters[each] - before[each] for each in letters} <= {1, 2}, (place, nths)


async def whole_batch(
    self: Subscription, timeout_ms: int = 500, max_records: int = 40
) -> list[ConsumerRecord]:
    """Poll so many records, of one partition after the other: batches aren't as the network has it.

    So a place is passed as often in each run, and a kill at its last time is none too late. (The
    letters come last: there are more of them in each run.)
    """
    rebalances, records = self.rebalances, list[ConsumerRecord]()
    ends = await self.bounds(self.assigned())
    for at in sorted(ends, key=lambda at: (at.topic.endswith(topics.DEAD_LETTERS.name), at)):
        while len(records) < max_records and self.rebalances == rebalances:
            position = await self.position(at)
            if position is None or position >= ends[at].end:
                break
            batches = await self._consumer.getmany(
                *client_partitions([at]),
                timeout_ms=timeout_ms,
                max_records=max_records - len(records),
            )
            records += records_of(at, batches.get(at, ()))
    if not records:
        await asyncio.sleep(0.02)
    return records


def letters_of(stage: Stage, settings: Settings) -> Counter[tuple[bytes, bytes]]:
    """Return how many dead letters each consumer's group has left of each record."""
    details = [
        dict(codec.details_of(record.headers))
        for record in stage.records(settings)
        if record.topic.endswith(topics.DEAD_LETTERS.name)
    ]
    return Counter((each["dl_group"], each["dl_origin"]) for each in details)


def applied(database: str) -> Rows:
    """Return what the consumers stored: positions, and what they applied up to them."""
    rows = asyncio.run(
        fetch_rows(
            database,
            {
                "positions": ("SELECT * FROM petstream.consumer_position", ()),
                "history": ("SELECT animal_id, sequence FROM petstream.pet_event", ()),
                "pictures": ("SELECT animal_id FROM petstream.picture_set", ()),
            },
        )
    )
    assert not isinstance(rows, Unavailable)
    return rows


def assert_in_one_transaction(database: str, log: list[ConsumerRecord]) -> None:
    """Of history and wanted pictures there is what lies before the stored positions, no more."""
    rows = applied(database)
    next_ = {
        (row["consumer"], row["topic"], row["partition"]): row["next_offset"]
        for row in rows["positions"]
    }

    def before(consumer: str) -> list[ConsumerRecord]:
        return [
            record
            for record in log
            if record.topic.endswith(topics.PETS.name) and record.value != POISON
            and record.offset < next_.get((consumer, record.topic, record.partition), 0)
        ]  # fmt: skip

    history = Counter(int(record.key or b"") for record in before("pets"))
    assert Counter(row["animal_id"] for row in rows["history"]) == history
    assert {row["animal_id"] for row in rows["pictures"]} == {
        int(record.key or b"") for record in before("images")
    }


def assert_all_applied(database: str, log: list[ConsumerRecord], prefix: str) -> None:
    """Every consumer has stored that it applied all there is (but for letters: they come still)."""
    ends = {(record.topic, record.partition): record.offset + 1 for record in log}
    wanted = {
        (name, topic, partition): end
        for name in NAMES
        for (topic, partition), end in ends.items()
        if topic in topics_of(name, prefix) and not topic.endswith(topics.DEAD_LETTERS.name)
    }
    stored = {
        (row["consumer"], row["topic"], row["partition"]): row["next_offset"]
        for row in applied(database)["positions"]
    }
    assert wanted.items() <= stored.items()


def test_the_command_itself_dies_where_it_is_told_to_and_goes_on_when_run_again(
    stage: Stage,
) -> None:
    stage.put_out(0)
    settings = stage.fresh()
    ftp = stage.settings.ftp
    assert ftp is not None
    environment = os.environ | {
        "PETSTREAM_FTP_URL": f"ftp://{ftp.user}:{ftp.password}@{ftp.host}:{ftp.port}/",
        "PETSTREAM_KAFKA": stage.kafka.bootstrap,
        "PETSTREAM_TOPIC_PREFIX": settings.topic_prefix,
        "PETSTREAM_DATA_DIR": str(settings.data_dir),
        "PETSTREAM_SETTLE_S": "0",
    }
    command = [sys.executable, "-m", "console", "ingest"]
    killed = subprocess.run(  # noqa: S603  our own command
        command, env=environment | {"CRASH_AT": "ingest.rows.flushed:1"}, check=False
    )
    assert killed.returncode == KILLED
    assert completed(stage.records(settings)) == {}
    again = subprocess.run(command, env=environment, check=False)  # noqa: S603  our own command
    assert again.returncode == 0
    assert sum(completed(stage.records(settings)).values()) == 1


def assert_tables(database: str, feed: History) -> None:
    """The views hold what the simulated history must have led to, its history each event once."""
    rows = asyncio.run(fetch_rows(database, QUERIES))
    assert not isinstance(rows, Unavailable)
    assert judge(expected(feed, feed.days - 1), rows).differences == ()
