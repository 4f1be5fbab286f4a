"""What is asked of a host for one picture, and what is stored of its answer."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from drawn_pictures import drawn_picture

from consumers.pictures.fetch import FetchContext, fetch
from consumers.pictures.http import Download, Validators
from consumers.pictures.queue import Claim, Postponed, RenditionUrl, Stored
from consumers.pictures.retry_policy import RefusedPictureError
from consumers.pictures.store.interface import key_of

URL = "https://cdn.example.org/1.jpg"
KNOWN = Validators('"etag"', None)
PICTURE = drawn_picture()
SHA256 = hashlib.sha256(PICTURE).hexdigest()
ORIGINAL, SMALL = key_of(SHA256, "jpg"), key_of(SHA256, "jpg", 320)
STORED = Claim(
    animal_id=7, key="1", version=datetime(2026, 11, 20, tzinfo=UTC), attempts=1, misses=0,
    urls=(RenditionUrl("original", URL),), fetched_url=URL, validators=KNOWN, stored_as=ORIGINAL,
    thumbnails={"320": SMALL},
)  # fmt: skip


class World:
    """A host, a thumbnailer and a store, and what was asked of them."""

    def __init__(self, *stored: str, wait_s: float = 0.0, undecodable: bool = False) -> None:
        """Have these keys in the store."""
        self.stored, self.wait_s, self.undecodable = list(stored), wait_s, undecodable
        self.asked: list[tuple[str, Validators]] = []
        self.answers: dict[str, list[bytes | RefusedPictureError]] = {}
        self.body = PICTURE
        self.files: dict[str, bytes] = {}

    def host_wait_s(self, _url: str) -> float:
        """Say for how long the host is to be left alone."""
        return self.wait_s

    async def fetch(self, url: str, known: Validators) -> Download | None:
        """Answer as scripted, the last answer for ever; else as a host that has nothing newer."""
        self.asked.append((url, known))
        if answers := self.answers.get(url):
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            if isinstance(answer, RefusedPictureError):
                raise answer
            return Download(answer, Validators())
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
    elsewhere = STORED._replace(urls=(RenditionUrl("original", "https://other.example.org/1.jpg"),))
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


LARGE, TINY = "https://cdn.example.org/1_500.jpg", "https://cdn.example.org/1_100.jpg"
NEW = STORED._replace(
    urls=(
        RenditionUrl("original", URL),
        RenditionUrl("large", LARGE),
        RenditionUrl("small", TINY),
    ),
    fetched_url=None, validators=Validators(), stored_as=None, thumbnails={},
)  # fmt: skip
MISSING = RefusedPictureError("http-404", "missing")
AWAY = RefusedPictureError("connection", "trouble")
BROKEN_OFF = RefusedPictureError("short", "trouble")
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


@pytest.mark.parametrize(
    "original",
    [
        HEIC,
        b"<!doctype html><p>Not here",
        b"",
        PICTURE[:300],
        PICTURE + b"<script>x</script>",
        MISSING,
        RefusedPictureError("http-403", "content"),
        RefusedPictureError("too-large", "content"),
        RefusedPictureError("host-not-allowed"),
        RefusedPictureError("bad-url"),
        BROKEN_OFF,
    ],
)
async def test_p6_where_the_original_cannot_be_had_the_next_rendition_is_stored(
    original: bytes | RefusedPictureError,
) -> None:
    """P6: HEIC, 404, cut, HTML; and it is told which one it is."""
    world = World()
    world.answers[URL] = [original]
    outcome = await world.fetched(NEW)
    assert isinstance(outcome, Stored)
    assert outcome.source == RenditionUrl("large", LARGE)
    assert TINY not in [url for url, _ in world.asked]


async def test_p6_the_smallest_is_stored_where_no_other_can_be_had() -> None:
    """P6: original, large, small."""
    world = World()
    world.answers |= {URL: [MISSING], LARGE: [HEIC]}
    outcome = await world.fetched(NEW)
    assert outcome.source == RenditionUrl("small", TINY)
    assert [url for url, _ in world.asked] == [URL, LARGE, TINY]


async def test_p6_the_original_is_stored_where_it_can_be_had() -> None:
    """P6: no other is asked for."""
    world = World()
    assert (await world.fetched(NEW)).source == RenditionUrl("original", URL)
    assert [url for url, _ in world.asked] == [URL]


async def test_p6_what_cannot_be_decoded_makes_way_for_the_next() -> None:
    """P6: the decoder's word counts like the header's."""
    world = World(undecodable=True)
    outcome = await world.fetched(NEW)
    assert (outcome.reason, len(world.asked)) == ("undecodable", 3)


async def test_p6_a_connection_that_breaks_off_once_costs_no_rendition() -> None:
    """P6: cut twice, it is taken for cut."""
    world = World()
    world.answers[URL] = [BROKEN_OFF, PICTURE]
    assert (await world.fetched(NEW)).source.rendition == "original"
    assert [url for url, _ in world.asked] == [URL, URL]


async def test_p6_a_host_in_trouble_is_waited_for_before_less_is_taken() -> None:
    """P6: it may be there in a minute; after a day and a half less is better than none."""
    world = World()
    world.answers[URL] = [AWAY]
    assert await world.fetched(NEW) is AWAY
    assert [url for url, _ in world.asked] == [URL]
    late = await world.fetched(NEW._replace(attempts=12))
    assert late.source.rendition == "large"


@pytest.mark.parametrize(
    ("original", "large", "small", "reason"),
    [
        (MISSING, MISSING, MISSING, "http-404"),
        (MISSING, HEIC, MISSING, "not-a-picture"),
        (HEIC, AWAY, PICTURE, "connection"),
        (RefusedPictureError("bad-url"), MISSING, MISSING, "http-404"),
        (RefusedPictureError("port"), RefusedPictureError("scheme"), HEIC, "not-a-picture"),
        (RefusedPictureError("port"),) * 3 + ("port",),
    ],
)
async def test_p6_if_none_can_be_had_the_refusal_counts_that_leaves_most_to_hope_for(
    original: Any, large: Any, small: Any, reason: str
) -> None:
    """P6: gone is what is missing as a whole; what one is in trouble of is tried for weeks."""
    world = World()
    world.answers |= {URL: [original], LARGE: [large], TINY: [small]}
    outcome = await world.fetched(NEW)
    assert outcome.reason == reason


async def test_p6_the_validators_of_what_is_stored_go_with_its_url_only() -> None:
    """P6: the original is asked for anew, the large one, which is stored, conditionally."""
    world = World(ORIGINAL, SMALL)
    world.answers[URL] = [MISSING]
    stored = NEW._replace(
        fetched_url=LARGE, validators=KNOWN, stored_as=ORIGINAL, thumbnails={"320": SMALL}
    )
    assert await world.fetched(stored) is None
    assert world.asked == [(URL, Validators()), (LARGE, KNOWN)]


async def test_p6_a_picture_without_any_url_says_so() -> None:
    outcome = await World().fetched(NEW._replace(urls=()))
    assert outcome.reason == "no-url"
