"""More of a consumer: partitions shared out, and members that die or stand still among them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from members import Feed, Member, bugs, until

from lab.simulator import history, serve_ftp
from petstream import topics
from petstream.settings import FtpUrl

pytestmark = pytest.mark.servers

USER, PASSWORD = "apikey-Ab3dEf9h", "canary-password"
KILLED = -signal.SIGKILL
Join = Callable[..., Member]


@pytest.fixture
def feed(tmp_path: Path, kafka: str, database_url: str, prefix: str) -> Iterator[Feed]:
    home = tmp_path / "ftp"
    home.mkdir()
    with serve_ftp(home, user=USER, password=PASSWORD) as server:
        yield Feed(
            history(seed=31, pets=300, days=5), home,
            ftp=FtpUrl(USER, PASSWORD, "127.0.0.1", server.port, "", tls=False),
            kafka=kafka, database_url=database_url, prefix=prefix,
        )  # fmt: skip


@pytest.fixture
def join(feed: Feed, tmp_path: Path) -> Iterator[Join]:
    """Starts one more member; its time-outs are short and its batches small."""
    with ExitStack() as members:
        started: list[Member] = []

        def begin(**settings: str) -> Member:
            more = {"TEST_SHORT_TIMEOUTS": "1", "TEST_MAX_RECORDS": "20"} | settings
            started.append(Member(feed, tmp_path / f"member-{len(started)}.log", **more))
            members.callback(started[-1].done_with)
            return started[-1]

        yield begin


async def test_members_come_die_and_stand_still_and_nothing_is_lost(feed: Feed, join: Join) -> None:
    """From one to four and back, with one killed and two stopped in the middle of a batch.

    One that is stopped before its first row finds later that its partitions were others' long
    since; one that is stopped before its commit keeps its rows locked until it goes on.
    """
    first = join()
    await feed.publish()
    await feed.applied()
    killed = join(CRASH_AT="consumer.apply.after")
    late = join(TEST_STILL_AT="consumer.apply.before")
    locked = join(TEST_STILL_AT="consumer.commit.before")
    shares = await feed.shared_among(4)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    of_pets = topics.PETS.full_name(feed.settings.topic_prefix)
    assert all(any(place.topic == of_pets for place in share) for share in shares)

    await feed.publish()
    assert killed.wait() == KILLED

    async def both_stand_still() -> bool:
        return late.stands_still() and locked.stands_still()

    await until("stopped in the middle of a batch", both_stand_still)
    await feed.shared_among(1)
    await feed.publish()  # its owner is another now, who waits where rows are locked
    late.send(signal.SIGCONT)
    locked.send(signal.SIGCONT)
    await feed.shared_among(3)
    await feed.applied()
    await feed.publish()
    await feed.applied()

    late.send(signal.SIGTERM)
    locked.send(signal.SIGTERM)
    assert (late.wait(), locked.wait()) == (0, 0)
    await feed.shared_among(1)
    await feed.publish()
    await feed.applied()
    first.send(signal.SIGTERM)
    assert first.wait() == 0
    assert await feed.differences() == ()
    assert bugs([first, late, locked]) == []
