"""One ingester at a time: two at once, one that dies, one that sleeps, with real processes."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from console.inspect.database_reader import Unavailable, fetch_rows
from consumers.app import consume
from ingest.leadership import election, group, lease
from ingest.leadership.election import NotLeadingError, leading
from ingest.publish.publisher import Publisher
from ingest.run import Result, ingest
from lab.expectations import QUERIES, judge
from lab.simulator import expected, history, serve_ftp, write_export
from petstream import codec, failpoints, topics
from petstream.kafka.client import ensure_topics
from petstream.kafka.reader import read_to_end
from petstream.kafka.records import ConsumerRecord
from petstream.settings import FtpUrl, KafkaAccess, Settings

pytestmark = pytest.mark.servers

FEED = history(seed=11, pets=60, days=1)
LOG = (topics.PETS, topics.ORGS, topics.EXPORTS)


@pytest.fixture(autouse=True)
def _short_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A leader that isn't heard of is missed after a second, not after ten."""
    for module in (lease, election):
        monkeypatch.setattr(module, "SESSION_S", 1.0)


@pytest.fixture
def settings(tmp_path: Path, prefix: str) -> Iterator[Settings]:
    write_export(tmp_path / "ftp", FEED, 0, part_rows=20)
    with serve_ftp(tmp_path / "ftp", user="apikey-Ab3dEf9h", password="pw") as server:
        ftp = FtpUrl("apikey-Ab3dEf9h", "pw", "127.0.0.1", server.port, "", tls=False)
        yield Settings(ftp=ftp, data_dir=tmp_path / "data", settle_s=0, topic_prefix=prefix)


def fork(settings: Settings, kafka: str, report: Path, *, stop_at: str = "") -> int:
    """Start an ingester as a process; it stands still at a place, if asked to."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        failpoints.arm(stop_at)
        if stop_at:
            failpoints.signal = _Standing  # type: ignore[assignment, attr-defined]  # it stops
        said: list[str] = []
        try:
            result: Result = asyncio.run(ingest(settings, KafkaAccess(kafka), say=said.append))
            said.append(f"read {result.outcome is not None}")
            status = 0
        except NotLeadingError as error:
            said.append(str(error))
            status = 7
        report.write_text("\n".join(said), encoding="utf-8")
    except BaseException:  # noqa: BLE001  the process ends here, whatever it was
        traceback.print_exc(file=sys.stderr)
    finally:
        os._exit(status)


class _Standing:
    """Stands in for the module `signal` in petstream.failpoints: it stands still instead."""

    SIGKILL = signal.SIGSTOP


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def stands_still(pid: int) -> None:
    _, status = os.waitpid(pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), status


async def records(kafka: str, prefix: str) -> list[ConsumerRecord]:
    names = [topic.full_name(prefix) for topic in LOG]
    async with aclosing(read_to_end(KafkaAccess(kafka), names)) as batches:
        return [record async for batch in batches for record in batch]


def events(log: list[ConsumerRecord]) -> Counter[tuple[str, bytes]]:
    """Count each event of a pet or an organisation."""
    return Counter(
        (record.topic, dict(record.headers)["ce_id"])
        for record in log
        if not record.topic.endswith(topics.EXPORTS.name)
    )


def announced(log: list[ConsumerRecord]) -> Counter[str]:
    return Counter(
        codec.decode(record.headers, record.value).type.rpartition(".")[2]
        for record in log
        if record.topic.endswith(topics.EXPORTS.name)
    )


async def assert_tables(settings: Settings, kafka: str, database_url: str) -> None:
    await consume(
        ["pets", "deletions", "images"], settings, kafka=KafkaAccess(kafka),
        database_url=database_url, drain=True, stopping=asyncio.Event(),
    )  # fmt: skip
    rows = await fetch_rows(database_url, QUERIES)
    assert not isinstance(rows, Unavailable)
    assert judge(expected(FEED, 0), rows).differences == ()


async def test_of_two_at_once_one_reads_the_export_and_the_other_finds_it_done(
    settings: Settings, kafka: str, prefix: str, tmp_path: Path
) -> None:
    other = replace(settings, data_dir=tmp_path / "other")
    pids = [fork(settings, kafka, tmp_path / "a"), fork(other, kafka, tmp_path / "b")]
    assert [await asyncio.to_thread(ended, pid) for pid in pids] == [0, 0]
    said = [(tmp_path / name).read_text(encoding="utf-8") for name in "ab"]
    assert sorted(output.rpartition("\n")[2] for output in said) == ["read False", "read True"]
    log = await records(kafka, prefix)
    assert set(events(log).values()) == {1}
    assert announced(log) == {"started": 1, "completed": 1}


@pytest.mark.parametrize("place", ["ingest.send.before", "ingest.rows.flushed"])
async def test_a_leader_that_slept_through_its_successors_run_publishes_nothing_more(  # noqa: PLR0913, PLR0917  fixtures
    place: str, settings: Settings, kafka: str, prefix: str, tmp_path: Path, database_url: str
) -> None:
    """T39: also what it had read before it fell asleep."""
    bounded = {"message.timestamp.before.max.ms": "2000"}
    wanted = [topic._replace(configs=topic.configs | bounded) for topic in LOG]
    await ensure_topics(KafkaAccess(kafka), prefix, wanted=wanted)
    nth = 4 if place == "ingest.send.before" else 1
    sleeper = fork(settings, kafka, tmp_path / "sleeper", stop_at=f"{place}:{nth}")
    await asyncio.to_thread(stands_still, sleeper)
    wait = functools.partial(setattr, lease, "LEFTOVERS_S")
    wait(2.0)  # it isn't dead: its successor waits until what it has is refused
    try:
        other = fork(replace(settings, data_dir=tmp_path / "o"), kafka, tmp_path / "other")
        assert await asyncio.to_thread(ended, other) == 0
    finally:
        wait(float(topics.OLDEST_S))
        before = await records(kafka, prefix)
        os.kill(sleeper, signal.SIGCONT)
    assert await asyncio.to_thread(ended, sleeper) == 7
    assert "ended without a word: waiting" in (tmp_path / "other").read_text(encoding="utf-8")
    assert "has lost the lead to" in (tmp_path / "sleeper").read_text(encoding="utf-8")
    after = await records(kafka, prefix)
    assert len(after) == len(before)
    assert announced(after)["completed"] == 1
    await assert_tables(settings, kafka, database_url)


async def test_after_a_leader_that_was_killed_on_this_machine_nobody_waits_for_leftovers(
    settings: Settings, kafka: str, prefix: str, tmp_path: Path
) -> None:
    killed = fork(settings, kafka, tmp_path / "killed", stop_at="ingest.send.before:3")
    await asyncio.to_thread(stands_still, killed)
    os.kill(killed, signal.SIGKILL)
    assert await asyncio.to_thread(ended, killed) == -signal.SIGKILL
    async with asyncio.timeout(60):  # ten minutes, if it were taken for a sleeper
        result = await ingest(settings, KafkaAccess(kafka))
    assert result.outcome is not None
    assert announced(await records(kafka, prefix))["completed"] == 1


async def test_who_waits_too_long_is_told_who_leads(kafka: str, prefix: str) -> None:
    access = KafkaAccess(kafka)
    await ensure_topics(access, prefix)
    said: list[str] = []
    async with leading(access, prefix) as lead:
        with pytest.raises(NotLeadingError, match=rf"another ingester leads \(.*:{os.getpid()}\)"):
            async with leading(access, prefix, said.append, give_up_after_s=2.0):
                raise AssertionError
        await lead.check()
    assert [line.partition(" (")[0] for line in said] == ["another ingester leads"]
    async with asyncio.timeout(20), leading(access, prefix):
        """It is free again at once: the one before said that it left nothing."""


async def test_a_stranger_in_the_group_doesnt_take_the_lead_away(kafka: str, prefix: str) -> None:
    access = KafkaAccess(kafka)
    await ensure_topics(access, prefix)
    topic = topics.EXPORTS.full_name(prefix)
    async with leading(access, prefix) as lead:
        stranger = group.Membership(
            access, f"{prefix}ingest", topic, name="stranger", session_s=1.0
        )
        await stranger.join(20.0)
        await stranger.leave()
        await lead.check()


async def test_records_that_waited_too_long_are_stamped_anew_and_none_is_lost(
    kafka: str, prefix: str
) -> None:
    access = KafkaAccess(kafka)
    bounded = topics.EXPORTS.configs | {"message.timestamp.before.max.ms": "1000"}
    await ensure_topics(access, prefix, wanted=[topics.EXPORTS._replace(configs=bounded)])
    name = topics.EXPORTS.full_name(prefix)
    async with Publisher(access) as publisher:
        await publisher.send(name, "1", b"{}", ())
        await asyncio.sleep(1.5)  # what is tested: the record grows older than the topic takes
        await publisher.flush()
    async with aclosing(read_to_end(access, [name])) as batches:
        assert [record.value async for batch in batches for record in batch] == [b"{}"]
