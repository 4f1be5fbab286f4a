"""Pictures in a bucket, with moto's server over real HTTP, and what goes wrong with one.

moto checks keys only from the moment it is told to, and keeps what it holds when it is stopped.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import asyncpg
import pytest
from hostile_pictures import HostilePictures, drawn, hostile_pictures
from moto.server import ThreadedMotoServer

from console.doctor.check_result import CheckResult
from console.doctor.store import check_stores
from consumers.engine import backoff
from consumers.engine.postgres import connected
from consumers.engine.runner import RunContext
from consumers.pictures import wanted
from consumers.pictures.store.factory import probe
from consumers.pictures.store.interface import SHARDS, StoreTroubleError, key_of
from consumers.pictures.store.s3 import BucketStore
from consumers.pictures.worker import with_workers, worker_config
from petstream.codec import Envelope
from petstream.errors import PetstreamError
from petstream.events import PetEvent, Source
from petstream.kafka.client import ensure_topics
from petstream.model import Pet, Picture, Rendition
from petstream.settings import KafkaAccess, Settings
from petstream.waiting import Delays

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
DEADLINE_S = 30.0


class S3Server:
    """An S3 server that can be stopped, and started again where it was."""

    def __init__(self) -> None:
        """Start it."""
        self.port = 0
        self.start()

    def start(self) -> None:
        """Answer again."""
        self._server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self._server.start()
        _, self.port = self._server.get_host_and_port()

    def stop(self) -> None:
        """Answer no longer."""
        self._server.stop()

    def make(self, bucket: str) -> None:
        """Make a bucket."""
        self._ask(bucket, method="PUT")

    def check_keys(self, *, yes: bool) -> None:
        """Refuse whoever isn't known, which is everybody; or nobody."""
        self._ask("moto-api/reset-auth", b"0" if yes else b"inf", method="POST")

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def _ask(self, path: str, data: bytes | None = None, *, method: str) -> None:
        request = Request(  # noqa: S310  our own server
            f"{self.url}/{path}", data, {"Content-Type": "text/plain"}, method=method
        )
        with urlopen(request, timeout=10):  # noqa: S310  our own server
            pass


@pytest.fixture(scope="module")
def running() -> Iterator[S3Server]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs each request
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def server(running: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A server, and the environment that leads to it."""
    for name, value in {
        "AWS_ENDPOINT_URL": running.url, "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "canary-id", "AWS_SECRET_ACCESS_KEY": "canary-secret",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    yield running
    running.check_keys(yes=False)


@pytest.fixture
def bucket(server: S3Server) -> str:
    """A bucket's name."""
    name = f"pictures-{secrets.token_hex(4)}"
    server.make(name)
    return name


# ---- the store ---------------------------------------------------------------------------------


async def test_t37_a_bucket_keeps_what_a_directory_does(bucket: str) -> None:
    """T37: put, looked for, listed by shard with its age, deleted."""
    store = BucketStore(f"s3://{bucket}/some/prefix")
    data = b"\xff\xd8\xff picture"
    sha256 = hashlib.sha256(data).hexdigest()
    keys = {key_of(sha256, "jpg"), key_of(sha256, "jpg", 320)}
    for key in sorted(keys):
        await store.put(key, data)
        await store.put(key, data)
    assert await store.get(key_of(sha256, "jpg")) == data
    assert await store.has(key_of(sha256, "jpg", 320))
    assert not await store.has(key_of("0" * 64, "jpg"))
    with pytest.raises(FileNotFoundError):
        await store.get(key_of("0" * 64, "jpg"))
    ages_s = {file.key: file.age_s async for file in store.files(f"{sha256[:2]}/")}
    assert set(ages_s) == keys
    assert max(ages_s.values()) < 60
    others = [shard for shard in SHARDS if shard != f"{sha256[:2]}/"][:3]
    assert [file for shard in others async for file in store.files(shard)] == []
    for key in [*keys, *keys]:
        await store.delete(key)
    assert [file async for file in store.files(f"{sha256[:2]}/")] == []


def everything(store: BucketStore) -> dict[str, Callable[[], Any]]:
    key = key_of("ab" * 32, "jpg")

    async def listed() -> list[Any]:
        return [file async for file in store.files("ab/")]

    return {
        "put": lambda: store.put(key, b"x"), "get": lambda: store.get(key), "list": listed,
        "probe": lambda: probe(store),
    }  # fmt: skip


async def test_whatever_is_wrong_with_a_bucket_is_said_in_one_line_without_a_secret(
    server: S3Server, bucket: str
) -> None:
    """A bucket that isn't there, keys that aren't known, a server that is away."""

    async def assert_said(store: BucketStore, words: str, *, lasting: bool) -> None:
        for name, ask in everything(store).items():
            with pytest.raises(StoreTroubleError, match=words) as caught:
                await ask()
            assert caught.value.lasting == lasting, name
            text = f"{caught.value} {caught.value!r} {caught.value.__cause__}"
            assert "canary" not in text
            assert "\n" not in text

    missing = BucketStore("s3://there-is-no-such-bucket/p")
    await assert_said(
        missing, r"^the bucket there-is-no-such-bucket doesn't exist: make", lasting=True
    )
    store = BucketStore(f"s3://{bucket}/p")
    await probe(store)
    server.check_keys(yes=True)
    await assert_said(
        store, rf"^the bucket {bucket} refuses access .InvalidAccessKeyId", lasting=True
    )
    with pytest.raises(StoreTroubleError, match="refuses access"):
        await store.has(key_of("ab" * 32, "jpg"))
    server.check_keys(yes=False)
    server.stop()
    try:
        await assert_said(store, rf"^the bucket {bucket} can't be used", lasting=False)
    finally:
        server.start()
    await probe(store)


async def test_doctor_puts_gets_and_deletes_an_object(server: S3Server, bucket: str) -> None:
    async def check(name: str) -> CheckResult:
        return (await check_stores(Settings(pictures=f"s3://{name}/p")))[-1]

    result = await check(bucket)
    assert (result.state, result.what) == ("pass", f"s3://{bucket}/p takes, gives and deletes")
    everywhere = BucketStore(f"s3://{bucket}")
    assert [file for shard in ("", "p/") async for file in everywhere.files(shard)] == []
    result = await check("there-is-no-such-bucket")
    assert (result.state, result.what) == (
        "fail",
        "the bucket there-is-no-such-bucket doesn't exist",
    )
    assert (result.mend or "").startswith("make it")
    server.check_keys(yes=True)
    result = await check(bucket)
    assert result.state == "fail"
    assert "AWS_ACCESS_KEY_ID" in (result.mend or "")
    assert "canary" not in f"{result}"


# ---- the workers -------------------------------------------------------------------------------


class BucketStage:
    """A pet with pictures in the list, their host, and a bucket to put them into."""

    def __init__(self, kafka: str, database_url: str, host: HostilePictures, home: str) -> None:
        """Know where everything is."""
        self.database_url, self.host, self.kafka = database_url, host, KafkaAccess(kafka)
        self.settings = Settings(
            topic_prefix=f"t{secrets.token_hex(4)}.", pictures=home, thumbnails=(16,),
            picture_trusted_hosts=frozenset({urlsplit(host.url("/")).netloc}),
        )  # fmt: skip

    async def want(self, *names: str) -> None:
        """Let the consumer images hear of a pet with these pictures."""
        at = datetime.now(UTC)
        sequence = int(at.timestamp() * 1e6)
        pictures = tuple(
            Picture(number, number, START, Rendition(self.host.url(name)))
            for number, name in enumerate(names, 1)
        )
        event = PetEvent(
            op="updated", animal_id=7, sequence=sequence, first_seen_at=START,
            pet=Pet(animal_id=7, pictures=pictures), source=Source("x", "daily", "pets_1.json", 1),
        )  # fmt: skip
        envelope = Envelope("pet.updated", "pet/7", sequence, "x", "0" * 32, START, event)
        async with connected(self.database_url) as connection, connection.transaction():
            await wanted.consumer(None).apply(connection, [envelope])

    async def rows(self) -> dict[str, tuple[str, int, str | None]]:
        """Return how each picture stands: status, tries, error."""
        connection = await asyncpg.connect(self.database_url)
        try:
            rows = await connection.fetch("SELECT * FROM petstream.pet_picture")
        finally:
            await connection.close()
        return {row["picture_key"]: (row["status"], row["attempts"], row["error"]) for row in rows}

    async def work(self, *, drain: bool = True, stopping: asyncio.Event | None = None) -> None:
        """Run the workers."""
        context = RunContext(
            self.kafka, self.database_url, self.settings.topic_prefix, drain=drain,
            stopping=stopping or asyncio.Event(), progress=lambda _name, _records: None,
        )  # fmt: skip
        await ensure_topics(context.kafka, context.prefix)

        async def nothing() -> None:
            if not drain:
                await context.stopping.wait()

        await with_workers(nothing(), worker_config(self.settings), context)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Run the workers as a daemon does."""
        stopping = asyncio.Event()
        task = asyncio.create_task(self.work(drain=False, stopping=stopping))
        try:
            yield
        finally:
            stopping.set()
            await task


@pytest.fixture
async def host() -> AsyncIterator[HostilePictures]:
    async with hostile_pictures() as server:
        yield server


async def until(what: Callable[[], Any]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await what():  # noqa: ASYNC110  a table has no event for it
            await asyncio.sleep(0.05)


STORED = ("stored", 1, None)
DUE = ("due", 0, None)


async def test_a_picture_goes_into_a_bucket_with_its_thumbnail(
    kafka: str, database_url: str, host: HostilePictures, bucket: str
) -> None:
    stage = BucketStage(kafka, database_url, host, f"s3://{bucket}/p")
    await stage.want("/a.jpg")
    await stage.work()
    assert await stage.rows() == {"1": STORED}
    sha256 = hashlib.sha256(drawn("a.jpg")).hexdigest()
    store = BucketStore(f"s3://{bucket}/p")
    assert await store.get(key_of(sha256, "jpg")) == drawn("a.jpg")
    assert await store.has(key_of(sha256, "jpg", 16))


@pytest.mark.parametrize("wrong", ["bucket", "keys"])
async def test_who_may_not_store_says_so_once_and_what_is_due_stays_due(  # noqa: PLR0913, PLR0917  fixtures
    kafka: str, database_url: str, host: HostilePictures, server: S3Server, bucket: str, wrong: str
) -> None:
    """It isn't a matter of waiting, so `--drain` ends at once."""
    name = f"{bucket}-not-there-yet" if wrong == "bucket" else bucket
    server.check_keys(yes=wrong == "keys")
    stage = BucketStage(kafka, database_url, host, f"s3://{name}")
    await stage.want("/a.jpg", "/b.jpg")
    with pytest.raises(ExceptionGroup) as caught:
        await stage.work()
    (error,) = caught.value.exceptions
    assert isinstance(error, PetstreamError)
    assert f"the bucket {name} " in str(error)
    assert "\n" not in str(error)
    assert await stage.rows() == {"1": DUE, "2": DUE}
    server.check_keys(yes=False)
    if wrong == "bucket":
        server.make(name)
    await stage.work()
    assert await stage.rows() == {"1": STORED, "2": STORED}
    assert max(host.hits.values()) <= 2


async def test_a_bucket_that_goes_away_at_work_is_waited_for_and_nothing_is_fetched_meanwhile(  # noqa: PLR0913, PLR0917  fixtures
    kafka: str,
    database_url: str,
    host: HostilePictures,
    server: S3Server,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A daemon; its host isn't asked over and over for what can't be kept."""
    monkeypatch.setattr(backoff, "_DELAYS", Delays(0.01, longest_s=0.02))
    stage = BucketStage(kafka, database_url, host, f"s3://{bucket}")
    await stage.want("/a.jpg")

    async def all_stored() -> bool:
        return {status for status, _, _ in (await stage.rows()).values()} == {"stored"}

    async def tried_thrice() -> bool:
        return caplog.text.count("pictures: StoreTroubleError; trying again") >= 3

    async with stage.working():
        await until(all_stored)
        server.stop()
        try:
            await stage.want("/a.jpg", "/b.jpg", "/c.jpg")
            await until(tried_thrice)
            rows = await stage.rows()
            assert (rows["1"], rows["2"], rows["3"]) == (STORED, DUE, DUE)
            assert max(host.hits["/b.jpg"], host.hits["/c.jpg"]) == 1
        finally:
            server.start()
        await until(all_stored)
    assert host.hits["/a.jpg"] == 1
    assert max(host.hits["/b.jpg"], host.hits["/c.jpg"]) == 2
    words = f"pictures: the bucket {bucket} can't be used"
    said = [record.message for record in caplog.records if record.message.startswith(words)]
    assert len(said) == 1
