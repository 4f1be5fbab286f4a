"""Picture workers killed at every durable step: nothing is lost, little is fetched again.

Each case has a database and a store of its own, and pictures of a pet of its own. Processes are
forked, as in `test_crashes`; the host of the pictures lives in the tests' process and counts.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from forked_processes import KILLED, Work, forked
from PIL import Image

from consumers.engine.postgres import connected
from consumers.engine.runner import RunContext
from consumers.pictures import sweep, wanted
from consumers.pictures.store.directory import DirectoryStore, directory_of
from consumers.pictures.store.interface import SHARDS
from consumers.pictures.worker import with_workers, worker_config
from petstream import codec, failpoints
from petstream.codec import Envelope
from petstream.events import PetEvent, Source
from petstream.kafka.client import ensure_topics
from petstream.kafka.reader import read_topic
from petstream.model import Pet, Picture, Rendition
from petstream.settings import KafkaAccess, Settings
from petstream.topics import PICTURES

pytestmark = pytest.mark.servers

PLACES = [place for place in failpoints.PLACES if place.startswith("picture.")]
A_PET = range(1, 5)
START = datetime(2026, 11, 2, 8, tzinfo=UTC)
STORED = "org.petstream.picture.stored"


class CountingHost:
    """Serves a picture under any path, and counts; another generation has other bytes."""

    def __init__(self) -> None:
        """Serve from now on."""
        self.hits: Counter[str] = Counter()
        self.generation = 1
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.hits[self.path] += 1
                data = host.drawn(self.path)
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def drawn(self, path: str) -> bytes:
        """Draw the picture of a path."""
        file = io.BytesIO()
        image = Image.new("RGB", (60, 40), "navy")
        image.save(file, "JPEG", comment=f"{path} {self.generation}".encode())
        return file.getvalue()

    def close(self) -> None:
        """Serve no longer."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def host() -> Iterator[CountingHost]:
    server = CountingHost()
    yield server
    server.close()


@dataclass(frozen=True)
class Case:
    """A pet whose pictures are wanted, by workers that are killed somewhere (``""``: nowhere)."""

    at: str
    animal_id: int
    database: str
    settings: Settings
    kafka: KafkaAccess

    @property
    def store(self) -> DirectoryStore:
        """Where the pictures go."""
        return DirectoryStore(directory_of(self.settings.pictures or ""))

    def path(self, picture_id: int) -> str:
        """Return where a picture is on its host."""
        return f"/{self.animal_id}/{picture_id}.jpg"

    async def want(self, host: CountingHost) -> None:
        """Let the consumer images hear of the pet."""
        pictures = tuple(
            Picture(number, number, START, Rendition(f"http://{host.address}{self.path(number)}"))
            for number in A_PET
        )
        event = PetEvent(
            op="added", animal_id=self.animal_id, sequence=1_000, first_seen_at=START,
            pet=Pet(animal_id=self.animal_id, pictures=pictures),
            source=Source("x", "daily", "pets_1.json", 1),
        )  # fmt: skip
        envelope = Envelope(
            "pet.added", f"pet/{self.animal_id}", 1_000, "x", "0" * 32, START, event
        )  # fmt: skip
        async with connected(self.database) as connection, connection.transaction():
            await wanted.consumer(None).apply(connection, [envelope])

    async def work(self) -> None:
        """Run the workers until nothing is due."""
        context = RunContext(
            self.kafka, self.database, self.settings.topic_prefix, drain=True,
            stopping=asyncio.Event(), progress=lambda _name, _records: None,
        )  # fmt: skip

        async def nothing() -> None:
            """Consume nothing."""

        await with_workers(nothing(), worker_config(self.settings), context)

    async def rows(self) -> dict[int, dict[str, Any]]:
        """Return the wanted list."""
        async with connected(self.database) as connection:
            rows = await connection.fetch("SELECT * FROM petstream.pet_picture")
        return {row["picture_id"]: dict(row) for row in rows}

    async def let_time_pass(self) -> None:
        """End the leases of who was killed, and make what it left half-written old."""
        async with connected(self.database) as connection:
            await connection.execute(
                "UPDATE petstream.pet_picture SET next_try_at = now() WHERE status = 'due'"
            )
        past = time.time() - 2 * 86_400
        for path in directory_of(self.settings.pictures or "").rglob("*.*"):
            os.utime(path, (past, past))

    async def sweep(self) -> sweep.Swept:
        """Sweep."""
        async with connected(self.database) as connection:
            return await sweep.sweep(connection, self.store, orphan_s=0)

    async def keys(self) -> set[str]:
        """Return what is in the store."""
        return {file.key for shard in SHARDS async for file in self.store.files(shard)}

    async def published(self) -> Counter[tuple[str, str, bytes]]:
        """Return what was published of the pet's pictures, and how often."""
        topic, key = PICTURES.full_name(self.settings.topic_prefix), b"%d" % self.animal_id
        events: Counter[tuple[str, str, bytes]] = Counter()
        for record in await read_topic(self.kafka, topic, key=key):
            envelope = codec.decode(record.headers, record.value)
            events[envelope.type, envelope.subject, record.value or b""] += 1
        return events


def test_workers_killed_anywhere_lose_no_picture_and_no_event_and_leave_no_file_behind(
    kafka: str, databases: Callable[[], str], host: CountingHost, tmp_path: Path
) -> None:
    """T37."""
    prefix = f"t{secrets.token_hex(4)}."
    asyncio.run(ensure_topics(KafkaAccess(kafka), prefix))
    (whole,) = cases([""], kafka, databases, host, tmp_path / "whole", prefix)
    (ended,) = run([whole], killed=False)
    assert ended.passed.keys() == set(PLACES)
    killed = [f"{place}:{nth}" for place in PLACES for nth in {1, min(3, ended.passed[place])}]
    stage = cases(killed, kafka, databases, host, tmp_path, prefix)
    assert {process.status for process in run(stage, killed=True)} == {KILLED}
    for case in stage:
        asyncio.run(judge_killed(case))
    host.generation = 2  # what was stored and not noted would never be stored again
    hits, before = Counter(host.hits), {case.at: asyncio.run(case.rows()) for case in stage}
    for case in stage:
        asyncio.run(case.let_time_pass())
    run(stage, killed=False)
    for case in stage:
        asyncio.run(judge_healed(case, host, hits, before[case.at]))


def cases(  # noqa: PLR0913, PLR0917  where everything is
    places: list[str],
    kafka: str,
    databases: Callable[[], str],
    host: CountingHost,
    home: Path,
    prefix: str,
) -> list[Case]:
    """Make a case for each place, its pictures wanted."""
    made: list[Case] = []
    for number, at in enumerate(places, len(places) * 1_000):
        settings = Settings(
            topic_prefix=prefix, pictures=(home / str(number)).as_uri(), thumbnails=(16, 32),
            picture_trusted_hosts=frozenset({host.address}),
        )  # fmt: skip
        made.append(Case(at, number, databases(), settings, KafkaAccess(kafka)))
        asyncio.run(made[-1].want(host))
    return made


def run(stage: list[Case], *, killed: bool) -> list[Any]:
    """Run the workers of some cases at once, a few at a time."""
    works: list[tuple[Work, str]] = [(case.work, case.at if killed else "") for case in stage]
    ended = [process for at in range(0, len(works), 4) for process in forked(*works[at : at + 4])]
    if not killed:
        assert {process.status for process in ended} == {0}
    return ended


async def judge_killed(case: Case) -> None:
    """Whatever a row or an event says is in the store, and nobody is blamed."""
    keys, rows = await case.keys(), await case.rows()
    assert {row["status"] for row in rows.values()} <= {"due", "stored"}, case.at
    assert {row["error"] for row in rows.values()} == {None}, case.at
    assert named(rows) <= keys, case.at
    for key in keys:
        data = await case.store.get(key)
        assert Image.open(io.BytesIO(data)).size[0] in {16, 32, 60}, f"{case.at}: not whole"
    for type_, _, value in await case.published():
        assert type_ == STORED
        assert {json.loads(value)["storedAs"], *json.loads(value)["thumbnails"].values()} <= keys


async def judge_healed(
    case: Case, host: CountingHost, hits: Counter[str], before: dict[int, dict[str, Any]]
) -> None:
    """Every picture is stored, published, and was fetched again only if nobody knew of it."""
    rows = await case.rows()
    assert {row["status"] for row in rows.values()} == {"stored"}, case.at
    for picture_id in A_PET:
        path, known = case.path(picture_id), before[picture_id]["status"] == "stored"
        again = host.hits[path] - hits[path]
        assert again == (0 if known else 1), (case.at, picture_id)
        assert hits[path] <= 1
        if known:
            assert rows[picture_id] == before[picture_id]
    events = await case.published()
    values = {json.loads(value)["pictureId"]: json.loads(value) for _, _, value in events}
    assert len(events) == len(A_PET), f"{case.at}: of each picture one event, if perhaps twice"
    assert max(events.values()) <= 2
    assert {picture_id: value["storedAs"] for picture_id, value in values.items()} == {
        picture_id: row["stored_as"] for picture_id, row in rows.items()
    }
    keys = await case.keys()
    assert named(rows) <= keys, case.at
    assert await case.sweep() == sweep.Swept(len(keys - named(rows)), 0), case.at
    files = list(directory_of(case.settings.pictures or "").rglob("*.*"))
    assert len(files) == len(await case.keys()) == len(named(rows)), case.at


def named(rows: dict[int, dict[str, Any]]) -> set[str]:
    """Return the keys that rows name."""
    stored = [row for row in rows.values() if row["stored_as"]]
    small = {key for row in stored for key in json.loads(row["thumbnails"]).values()}
    return small | {row["stored_as"] for row in stored}
