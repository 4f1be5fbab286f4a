"""Pictures from a pet's event to the store, with real Kafka, Postgres and HTTP."""

from __future__ import annotations

import asyncio
import io
import json
import os
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from aiohttp import web
from bad_pictures import bad_pictures
from hostile_pictures import Answer, HostilePictures, drawn, hostile_pictures
from odd_gifs_and_webps import odd_gifs_and_webps
from odd_jpegs import odd_jpegs
from odd_pngs import odd_pngs
from PIL import Image

from consumers.admin.picture_retries import SMALLER, RetrySelection, make_due
from consumers.app import consume
from consumers.engine.postgres import connected
from consumers.engine.runner import RunContext
from consumers.pictures import sweep, wanted
from consumers.pictures.http import Validators
from consumers.pictures.queue import Stored, claim_due, settle
from consumers.pictures.retry_policy import RefusedPictureError
from consumers.pictures.store.directory import DirectoryStore, directory_of
from consumers.pictures.store.interface import SHARDS
from consumers.pictures.worker import with_workers, worker_config
from petstream import codec
from petstream.codec import Envelope
from petstream.events import PetEvent, PictureEvent, Source
from petstream.kafka.client import ensure_topics
from petstream.kafka.reader import read_topic
from petstream.model import Pet, Picture, Rendition
from petstream.settings import KafkaAccess, Settings
from petstream.topics import PICTURES

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
PETS = (7, 8)
STORED, GONE = "org.petstream.picture.stored", "org.petstream.picture.gone"


def picture(ident: int | None, url: str | None, day: int | None = 0, position: int = 1) -> Picture:
    at = None if day is None else START + timedelta(days=day)
    return Picture(ident, position, at, Rendition(url) if url else None)


def pet(
    animal_id: int,
    day: int,
    pictures: Sequence[Picture] = (),
    op: Any = "updated",
    media: int | None = None,
) -> Envelope:
    at = None if media is None else START + timedelta(days=media)
    event = PetEvent(
        op=op, animal_id=animal_id, sequence=1_000_000 * (day + 1), first_seen_at=START,
        pet=Pet(animal_id=animal_id, pictures=tuple(pictures), media_updated_at=at),
        source=Source(f"export-{day}", "daily", "pets_1.json", 1),
    )  # fmt: skip
    return Envelope(
        f"pet.{op}", f"pet/{animal_id}", event.sequence, f"export-{day}", f"{day:032}",
        START + timedelta(days=day), event,
    )  # fmt: skip


async def nothing() -> None:
    """Consume nothing."""


@dataclass
class PictureStage:
    """A database, a host and a store."""

    database_url: str
    host: HostilePictures
    settings: Settings

    @property
    def store(self) -> DirectoryStore:
        """The picture store."""
        return DirectoryStore(directory_of(self.settings.pictures or ""))

    async def apply(self, *envelopes: Envelope) -> None:
        """Let the consumer images apply events."""
        async with connected(self.database_url) as connection, connection.transaction():
            await wanted.consumer(None).apply(connection, envelopes)

    async def fetch(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Ask the database."""
        connection = await asyncpg.connect(self.database_url)
        try:
            return [dict(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    async def rows(self) -> dict[str, dict[str, Any]]:
        """Return the wanted list."""
        rows = await self.fetch("SELECT * FROM petstream.pet_picture")
        return {row["picture_key"]: row for row in rows}

    async def consume(self, kafka: str) -> None:
        """Run `consume images --drain`."""
        await consume(
            ["images"], self.settings, kafka=KafkaAccess(kafka), database_url=self.database_url,
            drain=True, stopping=asyncio.Event(),
        )  # fmt: skip

    async def work(self, kafka: str) -> None:
        """Run the workers only, until nothing is due."""
        context = RunContext(
            KafkaAccess(kafka), self.database_url, self.settings.topic_prefix, drain=True,
            stopping=asyncio.Event(), progress=lambda _name, _records: None,
        )  # fmt: skip
        await ensure_topics(context.kafka, context.prefix)
        await with_workers(nothing(), worker_config(self.settings), context)

    async def published(self, kafka: str) -> list[tuple[bytes, Any]]:
        """Return the keys and events published about pictures."""
        topic = PICTURES.full_name(self.settings.topic_prefix)
        records = [
            record
            for key in PETS
            for record in await read_topic(KafkaAccess(kafka), topic, key=b"%d" % key)
        ]
        return [
            (record.key or b"", codec.decode(record.headers, record.value)) for record in records
        ]

    async def keys(self) -> set[str]:
        """Return what is in the store."""
        return {file.key for shard in SHARDS async for file in self.store.files(shard)}


@pytest.fixture
async def stage(database_url: str, prefix: str, tmp_path: Path) -> AsyncIterator[PictureStage]:
    async with hostile_pictures() as host:
        settings = Settings(
            topic_prefix=prefix, pictures=(tmp_path / "store").as_uri(), thumbnails=(16, 32),
            picture_trusted_hosts=frozenset({urlsplit(host.url("/")).netloc}),
        )  # fmt: skip
        yield PictureStage(database_url, host, settings)


async def test_a_picture_is_stored_made_small_and_published(
    stage: PictureStage, kafka: str
) -> None:
    await stage.apply(pet(7, 0, [picture(1, stage.host.url("/a.jpg"))]))
    await stage.consume(kafka)
    row = (await stage.rows())["1"]
    assert (row["status"], row["error"], row["attempts"]) == ("stored", None, 1)
    assert (row["content_type"], row["width"], row["height"]) == ("image/jpeg", 80, 60)
    data = await stage.store.get(row["stored_as"])
    assert data == drawn("a.jpg")
    assert row["bytes"] == len(data)
    small = json.loads(row["thumbnails"])
    for size in ("16", "32"):
        image = Image.open(io.BytesIO(await stage.store.get(small[size])))
        assert max(image.size) == int(size)
    ((key, envelope),) = await stage.published(kafka)
    assert key == b"7"
    assert (envelope.type, envelope.subject) == (STORED, "picture/1")
    assert envelope.export_id == "export-0"
    event = envelope.event
    assert isinstance(event, PictureEvent)
    assert (event.op, event.animal_id, event.stored_as) == ("stored", 7, row["stored_as"])
    assert (event.sha256, event.thumbnails) == (row["sha256"], small)
    assert await stage.fetch("SELECT * FROM petstream.picture_news") == []


async def test_the_same_id_and_time_is_the_same_picture_whatever_name_and_url(
    stage: PictureStage, kafka: str
) -> None:
    """T36: hosts and names move: zero downloads; a newer time or a new id: one."""
    url = stage.host.url
    await stage.apply(pet(7, 0, [picture(1, url("/old/1.jpg")), picture(2, url("/old/2.jpg"))]))
    await stage.work(kafka)
    assert sum(stage.host.hits.values()) == 2
    moved = [picture(1, url("/cdn/one.jpg"), position=2), picture(2, url("/cdn/two.jpg"))]
    await stage.apply(pet(7, 1, moved))
    await stage.work(kafka)
    assert sum(stage.host.hits.values()) == 2
    rows = await stage.rows()
    assert (rows["1"]["original_url"], rows["1"]["position"]) == (url("/cdn/one.jpg"), 2)
    assert {row["status"] for row in rows.values()} == {"stored"}
    await stage.apply(pet(7, 2, [picture(1, url("/cdn/one.jpg"), 2), picture(3, url("/3.jpg"))]))
    await stage.work(kafka)
    assert stage.host.hits["/cdn/one.jpg"] == stage.host.hits["/3.jpg"] == 1
    assert set(await stage.rows()) == {"1", "3"}
    events = [event for _, event in await stage.published(kafka)]
    changes = [(event.subject, event.type) for event in events]
    assert changes.count(("picture/2", GONE)) == 1
    assert changes.count(("picture/1", STORED)) == 2
    assert len({(event.subject, event.sequence) for event in events}) == len(events)


async def test_without_id_the_files_name_and_without_time_the_pets_decides(
    stage: PictureStage, kafka: str
) -> None:
    url = stage.host.url
    await stage.apply(pet(7, 0, [picture(None, url("/a/x.jpg"), None)], media=0))
    await stage.work(kafka)
    await stage.apply(pet(7, 1, [picture(None, url("/b/x.jpg?width=9"), None)], media=0))
    await stage.work(kafka)
    assert sum(stage.host.hits.values()) == 1
    await stage.apply(pet(7, 2, [picture(None, url("/b/y.jpg"), None)], media=0))
    await stage.work(kafka)
    assert set(await stage.rows()) == {"name y.jpg"}
    await stage.apply(pet(7, 3, [picture(None, url("/b/y.jpg"), None)], media=3))
    await stage.work(kafka)
    assert stage.host.hits["/b/y.jpg"] == 2
    assert stage.host.conditional["/b/y.jpg"] == 1  # and cost nothing but the asking
    assert (await stage.rows())["name y.jpg"]["status"] == "stored"


async def test_t33_t35_what_cant_be_had_says_why_in_its_row(
    stage: PictureStage, kafka: str
) -> None:
    """T30, T33, T35: stable reasons; the others are stored all the same."""
    expected = {
        "html": ("failed", "markup"), "svg": ("failed", "markup"), "cut": ("failed", "truncated"),
        "missing": ("due", "http-404"), "broken": ("due", "http-500"), "good": ("stored", None),
    }  # fmt: skip
    pictures = [
        picture(number, stage.host.url(f"/{name}/1.jpg")) for number, name in enumerate(expected)
    ]
    pictures += [picture(90, "http://127.0.0.1/a.jpg"), picture(91, None)]
    await stage.apply(pet(7, 0, pictures))
    await stage.work(kafka)
    rows = await stage.rows()
    row_of = {name: rows[str(number)] for number, name in enumerate(expected)}
    assert {name: (row["status"], row["error"]) for name, row in row_of.items()} == expected
    assert (rows["90"]["error"], rows["90"]["next_try_at"]) == ("address-refused", None)
    assert rows["91"]["error"] == "no-url"
    assert row_of["broken"]["next_try_at"] > datetime.now(UTC)
    assert len(await stage.keys()) == 3


async def test_t35_a_picture_is_gone_after_three_tries_over_days(
    stage: PictureStage, kafka: str
) -> None:
    """T35: and it is published as gone only because it had been stored."""
    await stage.apply(pet(7, 0, [picture(1, stage.host.url("/a.jpg"))]))
    await stage.work(kafka)
    await stage.apply(pet(7, 1, [picture(1, stage.host.url("/missing/a.jpg"), 1)]))
    for tries in (1, 2, 3):
        await stage.work(kafka)
        await stage.work(kafka)  # not due: nothing is asked
        assert stage.host.hits["/missing/a.jpg"] == tries
        row = (await stage.rows())["1"]
        assert (row["status"], row["misses"]) == ("gone" if tries == 3 else "due", tries)
        await stage.fetch(
            "UPDATE petstream.pet_picture SET next_try_at = now() WHERE next_try_at IS NOT NULL"
        )
    assert row["stored_as"] is None
    assert [event.type for _, event in await stage.published(kafka)] == [STORED, GONE]
    await stage.apply(pet(7, 2, [picture(1, stage.host.url("/back.jpg"), 1)]))  # under another URL
    await stage.work(kafka)
    assert (await stage.rows())["1"]["status"] == "stored"


async def test_t36_processes_that_share_the_list_fetch_each_picture_once(
    stage: PictureStage, kafka: str
) -> None:
    """T36: replayed events and several workers: one fetch a version."""
    events = [
        pet(animal, 0, [picture(animal * 10 + nth, stage.host.url(f"/{animal}-{nth}.jpg"))
                        for nth in range(10)])
        for animal in PETS
    ]  # fmt: skip
    await stage.apply(*events)
    await ensure_topics(KafkaAccess(kafka), stage.settings.topic_prefix)
    await asyncio.gather(*(stage.work(kafka) for _ in range(3)))
    await stage.apply(*events)
    await stage.work(kafka)
    assert set(stage.host.hits.values()) == {1}
    assert len(stage.host.hits) == 20
    assert len(await stage.published(kafka)) == 20


async def test_t36_a_worker_never_waits_for_anothers_rows(stage: PictureStage) -> None:
    """T36: FOR UPDATE SKIP LOCKED; a claim is nobody else's until its lease is over."""
    await stage.apply(pet(7, 0, [picture(nth, stage.host.url(f"/{nth}.jpg")) for nth in range(4)]))
    async with (
        connected(stage.database_url) as first,
        connected(stage.database_url) as second,
    ):
        async with first.transaction():
            mine = await claim_due(first, 2)
            async with asyncio.timeout(5):
                yours = await claim_due(second, 4)
        my_keys, your_keys = {claim.key for claim in mine}, {claim.key for claim in yours}
        assert len(my_keys) == len(your_keys) == 2
        assert my_keys ^ your_keys == {"0", "1", "2", "3"}
        assert await claim_due(second, 4) == []
        await second.execute("UPDATE petstream.pet_picture SET next_try_at = now()")
        again = await claim_due(second, 4)  # as if the leases were over
        assert {claim.attempts for claim in again} == {2}
        late = RefusedPictureError("late")
        await settle(first, mine[0], late)  # whoever comes back late changes nothing
        assert {row["error"] for row in (await stage.rows()).values()} == {None}


async def test_t36_a_picture_that_moves_on_while_it_is_fetched_stays_due(
    stage: PictureStage,
) -> None:
    """T36: what was fetched of the older version isn't taken for the newer one."""
    await stage.apply(pet(7, 0, [picture(1, stage.host.url("/a.jpg"))]))
    async with connected(stage.database_url) as connection:
        (older,) = await claim_due(connection, 1)
        await stage.apply(pet(7, 1, [picture(1, stage.host.url("/a.jpg"), 1)]))
        (newer,) = await claim_due(connection, 1)
        assert newer.attempts == older.attempts == 1
        stored = Stored(newer.urls[0], "x.jpg", {}, "x", "image/jpeg", 1, 1, 1, Validators())
        await settle(connection, older, stored)
        assert (await stage.rows())["1"]["status"] == "due"
        await settle(connection, newer, stored)
        assert (await stage.rows())["1"]["status"] == "stored"


async def test_t37_a_row_without_its_file_is_fetched_again_and_orphans_go(
    stage: PictureStage, kafka: str
) -> None:
    """T37: a crash between file and row leaves an orphan; a lost file is noticed."""
    await stage.apply(pet(7, 0, [picture(nth, stage.host.url(f"/{nth}.jpg")) for nth in (1, 2)]))
    await stage.work(kafka)
    rows, before = await stage.rows(), await stage.keys()
    orphan = f"ab/cd/ab{'c' * 62}.jpg"
    await stage.store.put(orphan, b"of a crash")
    path = directory_of(stage.settings.pictures or "") / orphan
    async with connected(stage.database_url) as connection:
        assert (await sweep.sweep(connection, stage.store)).dropped == 0  # may be in use
        os.utime(path, (time.time() - 100_000, time.time() - 100_000))
        await stage.store.delete(rows["1"]["stored_as"])
        await stage.store.delete(json.loads(rows["2"]["thumbnails"])["32"])
        assert await sweep.sweep(connection, stage.store) == sweep.Swept(dropped=1, lost=2)
    await stage.work(kafka)
    assert await stage.keys() == before
    assert stage.host.hits["/1.jpg"] == stage.host.hits["/2.jpg"] == 2


async def test_the_pictures_of_a_pet_that_left_go_when_the_grace_time_is_over(
    stage: PictureStage, kafka: str
) -> None:
    sets = {7: [picture(1, stage.host.url("/a.jpg"))]}
    sets[8] = [picture(2, stage.host.url("/missing/b.jpg"))]
    await stage.apply(*(pet(key, 0, pictures) for key, pictures in sets.items()))
    await stage.work(kafka)
    await stage.apply(*(pet(key, 1, pictures, "removed") for key, pictures in sets.items()))
    await stage.fetch("UPDATE petstream.pet_picture SET next_try_at = now() WHERE animal_id = 8")
    await stage.work(kafka)
    assert stage.host.hits["/missing/b.jpg"] == 1  # nobody asks for pictures of who left
    async with connected(stage.database_url) as connection:
        await sweep.sweep(connection, stage.store, grace=timedelta(days=36_500), orphan_s=0)
        assert len(await stage.keys()) == 3
        await sweep.sweep(connection, stage.store, orphan_s=0, grace=timedelta(0))
    assert await stage.keys() == set()
    await stage.work(kafka)
    assert [event.type for _, event in await stage.published(kafka)] == [STORED, GONE]
    await stage.apply(pet(7, 2, [picture(1, stage.host.url("/a.jpg"))], op="relisted"))
    await stage.work(kafka)
    assert (await stage.rows())["1"]["status"] == "stored"
    assert len(await stage.keys()) == 3


async def test_the_pictures_of_a_pet_that_comes_back_while_they_are_swept_stay(
    stage: PictureStage, kafka: str
) -> None:
    """Its set is written by that transaction, its pictures aren't: they are as they were."""
    pictures = [picture(1, stage.host.url("/a.jpg"))]
    await stage.apply(pet(7, 0, pictures))
    await stage.work(kafka)
    await stage.apply(pet(7, 1, pictures, "removed"))
    async with connected(stage.database_url) as consumer, connected(stage.database_url) as sweeper:
        await sweeper.execute("SET lock_timeout = '2s'")  # it waits for nobody
        async with consumer.transaction():
            await wanted.consumer(None).apply(consumer, [pet(7, 2, pictures, "relisted")])
            await sweep.sweep(sweeper, stage.store, orphan_s=0, grace=timedelta(0))
    assert (await stage.rows())["1"]["status"] == "stored"
    assert len(await stage.keys()) == 3


async def test_pictures_left_off_are_fetched_once_there_is_a_store(
    stage: PictureStage, kafka: str
) -> None:
    async with connected(stage.database_url) as connection:
        await wanted.consumer("off").apply(
            connection, [pet(7, 0, [picture(1, stage.host.url("/a.jpg"))])]
        )
    assert (await stage.rows())["1"]["status"] == "off"
    await stage.work(kafka)
    assert (await stage.rows())["1"]["status"] == "stored"


def renditions(ident: int, *urls: str | None) -> Picture:
    """Return a picture with an original, a large and a small rendition."""
    return Picture(ident, 1, START, *(Rendition(url) if url else None for url in urls))


async def test_p6_where_the_original_cannot_be_had_the_next_is_stored_and_told(
    stage: PictureStage, kafka: str
) -> None:
    """P6: in the row, the view and the event; a crash and a second worker see the same."""
    url = stage.host.url
    await stage.apply(pet(7, 0, [
        renditions(1, url("/html/1.jpg"), url("/large/1.jpg"), url("/small/1.jpg")),
        renditions(2, url("/missing/2.jpg"), url("/cut/2.jpg"), url("/small/2.jpg")),
        renditions(3, url("/good/3.jpg"), url("/large/3.jpg"), None),
        renditions(4, url("/missing/4.jpg"), url("/missing/4_.jpg"), url("/html/4.jpg")),
    ]))  # fmt: skip
    await stage.work(kafka)
    rows = await stage.rows()
    assert {key: (row["status"], row["rendition"], row["error"]) for key, row in rows.items()} == {
        "1": ("stored", "large", None), "2": ("stored", "small", None),
        "3": ("stored", "original", None), "4": ("failed", None, "markup"),
    }  # fmt: skip
    assert rows["1"]["fetched_url"] == url("/large/1.jpg")
    assert stage.host.hits["/large/3.jpg"] == stage.host.hits["/small/1.jpg"] == 0
    events = [envelope.event for _, envelope in await stage.published(kafka)]
    assert {event.picture_id: event.rendition for event in events} == {
        1: "large", 2: "small", 3: "original",
    }  # fmt: skip
    columns = await stage.fetch("SELECT rendition FROM petstream.pet_pictures")
    assert columns == []  # no pet is listed here: the view has the column


async def test_p6_what_could_not_be_had_is_tried_again_when_any_of_its_urls_changes(
    stage: PictureStage, kafka: str
) -> None:
    """P6: the large one may be mended while the original stays as it was."""
    html = stage.host.url("/html/1.jpg")
    await stage.apply(pet(7, 0, [renditions(1, html, html + "?large", None)]))
    await stage.work(kafka)
    assert (await stage.rows())["1"]["status"] == "failed"
    await stage.apply(pet(7, 1, [renditions(1, html, stage.host.url("/large/1.jpg"), None)]))
    await stage.work(kafka)
    row = (await stage.rows())["1"]
    assert (row["status"], row["rendition"]) == ("stored", "large")


STANDING = {
    "1": ("a.example", "failed", "address-refused", None),
    "2": ("b.example", "failed", "address-refused", None),
    "3": ("A.Example.", "due", "unknown-host", None),
    "4": ("a.example", "gone", "http-404", None),
    "5": ("a.example", "stored", None, "original"),
    "6": ("a.example", "stored", None, "large"),
    "7": ("a.example", "due", None, None),
    "8": ("a.example.evil.example", "failed", "polyglot", None),
    "9": ("a.example", "off", None, None),
}
"""Of pictures by their keys: host, status, error and rendition."""


@pytest.mark.parametrize(
    ("selection", "again"),
    [
        (RetrySelection(), "1 2 3 4 6 8"),
        (RetrySelection(host="a.example"), "1 3 4 6"),
        (RetrySelection(host=" A.EXAMPLE. "), "1 3 4 6"),
        (RetrySelection(reason="address-refused"), "1 2"),
        (RetrySelection(host="a.example", reason="address-refused"), "1"),
        (RetrySelection(animal_id=7), "1 2 3 4 6 8"),
        (RetrySelection(animal_id=9), ""),
        (RetrySelection(reason="no-such-reason"), ""),
    ],
)
async def test_p9_what_could_not_be_had_is_due_again_by_host_reason_or_pet(
    stage: PictureStage, selection: RetrySelection, again: str
) -> None:
    """P9: after the cause is mended; what is stored and what is due stays as it is."""
    await stage.apply(
        pet(7, 0, [
            picture(int(key), f"https://{host}/{key}.jpg", position=int(key))
            for key, (host, *_) in STANDING.items()
        ]),
        pet(8, 0, [picture(80, "https://a.example/80.jpg")]),
        pet(8, 1, [picture(80, "https://a.example/80.jpg")], "removed"),
    )  # fmt: skip
    for key, (_, status, error, rendition) in STANDING.items():
        await stage.fetch(
            "UPDATE petstream.pet_picture SET status = $2, error = $3, rendition = $4, "
            "attempts = 3, misses = 2, next_try_at = now() + interval '1 day' "
            "WHERE picture_key = $1", key, status, error, rendition,
        )  # fmt: skip
    await stage.fetch(
        "UPDATE petstream.pet_picture SET status = 'failed', error = 'polyglot' WHERE animal_id = 8"
    )
    before = await stage.rows()
    reasons = await make_due(stage.database_url, selection)
    after = await stage.rows()
    changed = {key for key, row in after.items() if row != before[key]}
    assert changed == set(again.split())
    for key in changed:
        row = after[key]
        assert (row["status"], row["attempts"], row["misses"]) == ("due", 0, 0)
        assert row["next_try_at"] is None
    errors = sorted(STANDING[key][2] or SMALLER for key in changed)
    assert sorted(reason for reason, count in reasons.items() for _ in range(count)) == errors


async def test_p1_to_p6_a_host_of_odd_and_bad_pictures(stage: PictureStage, kafka: str) -> None:
    """P1-P6: each odd one is stored; of a bad one, its large rendition, or why there is none."""
    odd = [(name, data) for name, data, _ in (*odd_pngs(), *odd_jpegs(), *odd_gifs_and_webps())]
    bad = list(bad_pictures())

    def served(data: bytes) -> Answer:
        async def answer(_: web.Request) -> web.Response:
            return web.Response(body=data)

        return answer

    pictures = []
    for number, data in enumerate([data for _, data in odd] + [data for _, data, _ in bad]):
        path = f"/odd/{number}"
        stage.host.answers[path] = served(data)
        large = stage.host.url(f"/large/{number}.jpg") if number % 2 else None
        pictures.append(renditions(number, stage.host.url(path), large, None))
    await stage.apply(pet(7, 0, pictures))
    await stage.work(kafka)
    rows = await stage.rows()
    odd_rows = {name: rows[str(number)] for number, (name, _) in enumerate(odd)}
    assert {name for name, row in odd_rows.items() if row["rendition"] != "original"} == set()
    for number, (name, _, reason) in enumerate(bad, len(odd)):
        row = rows[str(number)]
        stands = ("stored", "large", None) if number % 2 else ("failed", None, reason)
        assert (row["status"], row["rendition"], row["error"]) == stands, name
    stored = [row for row in rows.values() if row["status"] == "stored"]
    assert len(await stage.published(kafka)) == len(stored)
