"""What is asked of a host for one picture, and what is stored of its answer."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from drawn_pictures import drawn_picture

from consumers.pictures.fetch import FetchContext, fetch
from consumers.pictures.http import Download, Validators
from consumers.pictures.queue import Claim, Postponed, Stored
from consumers.pictures.retry_policy import RefusedPictureError
from consumers.pictures.store.interface import key_of

URL = "https://cdn.example.org/1.jpg"
KNOWN = Validators('"etag"', None)
PICTURE = drawn_picture()
SHA256 = hashlib.sha256(PICTURE).hexdigest()
ORIGINAL, SMALL = key_of(SHA256, "jpg"), key_of(SHA256, "jpg", 320)
STORED = Claim(
    animal_id=7, key="1", version=datetime(2026, 11, 20, tzinfo=UTC), attempts=1, misses=0,
    url=URL, fetched_url=URL, validators=KNOWN, stored_as=ORIGINAL, thumbnails={"320": SMALL},
)  # fmt: skip


class World:
    """A host, a thumbnailer and a store, and what was asked of them."""

    def __init__(self, *stored: str, wait_s: float = 0.0, undecodable: bool = False) -> None:
        """Have these keys in the store."""
        self.stored, self.wait_s, self.undecodable = list(stored), wait_s, undecodable
        self.asked: list[tuple[str, Validators]] = []
        self.body = PICTURE
        self.files: dict[str, bytes] = {}

    def host_wait_s(self, _url: str) -> float:
        """Say for how long the host is to be left alone."""
        return self.wait_s

    async def fetch(self, url: str, known: Validators) -> Download | None:
        """Answer as a host does that has nothing newer."""
        self.asked.append((url, known))
        return None if known == KNOWN else Download(self.body, Validators('"new"', None))

    async def make(self, _data: bytes, sizes: Any) -> list[bytes]:
        """Make thumbnails."""
        if self.undecodable:
            raise RefusedPictureError("undecodable", "content")
        return [b"small" for _ in sizes]

    async def has(self, key: str) -> bool:
        """Tell whether a key is stored."""
        return key in self.stored

    async def put(self, key: str, data: bytes) -> None:
        """Store a key."""
        self.stored.append(key)
        self.files[key] = data

    async def fetched(self, claim: Claim) -> Any:
        """Fetch with all of this."""
        return await fetch(claim, FetchContext(self, self, self, (320,)))  # type: ignore[arg-type]  # just what is asked of each


async def test_what_is_stored_is_asked_for_conditionally() -> None:
    world = World(ORIGINAL, SMALL)
    assert await world.fetched(STORED) is None
    assert world.asked == [(URL, KNOWN)]


async def test_another_url_is_never_asked_with_the_validators_of_the_one_before() -> None:
    """Two hosts may well have the same ETag: the picture would stay the old one."""
    world = World(ORIGINAL, SMALL)
    elsewhere = STORED._replace(url="https://other.example.org/1.jpg")
    assert isinstance(await world.fetched(elsewhere), Stored)
    assert world.asked == [("https://other.example.org/1.jpg", Validators())]


async def test_where_a_file_is_missing_all_of_it_comes_anew() -> None:
    for there in ((ORIGINAL,), (SMALL,), ()):
        world = World(*there)
        outcome = await world.fetched(STORED)
        assert isinstance(outcome, Stored)
        assert (outcome.stored_as, outcome.thumbnails) == (ORIGINAL, {"320": SMALL})
        assert {ORIGINAL, SMALL} <= set(world.stored)


async def test_a_host_that_asked_to_be_left_alone_is() -> None:
    world = World(wait_s=30.0)
    assert await world.fetched(STORED) == Postponed(30.0)
    assert world.asked == []


async def test_what_cannot_be_decoded_is_not_stored() -> None:
    world = World(undecodable=True)
    outcome = await world.fetched(STORED)
    assert isinstance(outcome, RefusedPictureError)
    assert world.stored == []


async def test_the_thumbnails_are_there_before_the_original() -> None:
    """A crash in between leaves no picture without them."""
    world = World()
    await world.fetched(STORED)
    assert world.stored == [SMALL, ORIGINAL]


async def test_p1_what_stands_behind_the_end_is_not_stored() -> None:
    """P1: the picture is the same, whatever its host writes behind it."""
    world = World()
    world.body = PICTURE + b"\r\n" + bytes(3_000)
    outcome = await world.fetched(STORED)
    assert (outcome.stored_as, outcome.size_bytes) == (ORIGINAL, len(PICTURE))
    assert world.files[ORIGINAL] == PICTURE
