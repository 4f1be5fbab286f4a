"""Which pictures the tables ask for, by what they are known, and when they go."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from scripted_connection import ScriptedConnection

from consumers.pictures.wanted import consumer
from petstream.codec import Envelope
from petstream.events import PetEvent, Source
from petstream.model import Pet, Picture, Rendition

AT = datetime(2026, 11, 20, 8, 12, 4, tzinfo=UTC)


def picture(ident: int | None, url: str | None, position: int = 1) -> Picture:
    """Return a picture."""
    return Picture(ident, position, AT, None if url is None else Rendition(url), None, None)


def event(*pictures: Picture, sequence: int = 7, op: Any = "updated") -> Envelope:
    """Return an event of one pet."""
    pet = PetEvent(
        op=op, animal_id=1, sequence=sequence, pet=Pet(animal_id=1, org_id=2, pictures=pictures),
        first_seen_at=AT, source=Source("x", "daily", "updatedpets_1.json", 1),
    )  # fmt: skip
    return Envelope(f"pet.{op}", "pet/1", sequence, "x", f"{sequence}", AT, pet)


async def applied(*envelopes: Envelope, asks_for: str | None = "other") -> ScriptedConnection:
    """Apply events as the consumer does; None: what is held is newer."""
    accepted = [{"animal_id": 1, "asks_for": asks_for}] if asks_for else []
    connection = ScriptedConnection(accept_picture_sets=accepted)
    await consumer("file:///pictures").apply(connection, envelopes)  # type: ignore[arg-type]  # just what is asked of it
    return connection


async def wanted(*pictures: Picture) -> list[tuple[str, str | None]]:
    """Return keys and URLs of what is wanted of a pet."""
    connection = await applied(event(*pictures))
    return [(each["picture_key"], each["original_url"]) for each in asked_for(connection)]


def asked_for(connection: ScriptedConnection) -> list[dict[str, Any]]:
    """Return the pictures that are put on the list."""
    pictures, _ = connection.arguments["want_pictures"]
    asked: list[dict[str, Any]] = json.loads(pictures)
    return asked


async def digests(*envelopes: Envelope) -> set[str]:
    """Return the digests of the sets that each event alone asks for."""
    applications = [await applied(envelope) for envelope in envelopes]
    return {each.arguments["accept_picture_sets"][5][0] for each in applications}


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://cdn.example.org/a/Rex%20at%20home.jpg?width=500", "name Rex at home.jpg"),
        ("https://cdn.example.org/a/rex.jpg#x", "name rex.jpg"),
        ("https://cdn.example.org/b/rex.jpg", "name rex.jpg"),
        ("https://cdn.example.org/?id=1/2", "position 1"),
        ("http://[", "position 1"),
        (None, "position 1"),
    ],
)
async def test_a_picture_without_an_id_is_known_by_its_files_name(
    url: str | None, key: str
) -> None:
    assert await wanted(picture(None, url)) == [(key, url)]


async def test_a_picture_with_an_id_is_known_by_it_and_the_first_of_each_counts() -> None:
    first, second = "https://cdn.example.org/1.jpg", "https://cdn.example.org/2.jpg"
    assert await wanted(picture(5, first), picture(5, second, 2), picture(6, second, 3)) == [
        ("5", first),
        ("6", second),
    ]


async def test_a_removal_dates_the_set_and_anything_else_makes_it_stay() -> None:
    for op, left_at in (("removed", AT), ("updated", None), ("relisted", None)):
        connection = await applied(event(picture(5, "https://x.org/1.jpg"), op=op))
        *_, dates, _ = connection.arguments["accept_picture_sets"]
        assert dates == [left_at]


async def test_of_a_batch_the_newest_event_counts_and_what_is_held_may_be_newer() -> None:
    older, newer = picture(5, "https://x.org/old.jpg"), picture(5, "https://x.org/new.jpg")
    connection = await applied(event(newer, sequence=9), event(older, sequence=8))
    assert [each["original_url"] for each in asked_for(connection)] == ["https://x.org/new.jpg"]
    assert connection.arguments["drop_pictures"] == ([1], [9], ["x"], [1], ["5"])
    refused = await applied(event(older), asks_for=None)
    assert refused.asked == ["accept_picture_sets"]


async def test_a_first_set_drops_nothing_and_the_same_set_does_nothing_at_all() -> None:
    first = await applied(event(picture(5, "https://x.org/1.jpg")), asks_for="first")
    assert first.asked == ["accept_picture_sets", "want_pictures"]
    same = await applied(event(picture(5, "https://x.org/1.jpg")), asks_for="same")
    assert same.asked == ["accept_picture_sets"]


async def test_sets_are_the_same_if_all_that_is_kept_of_their_pictures_is() -> None:
    first, second = picture(5, "https://x.org/1.jpg"), picture(6, "https://x.org/2.jpg", 2)
    assert len(await digests(event(first, second), event(second, first, sequence=8))) == 1
    for change in (
        {"id": 7}, {"position": 3}, {"updated_at": AT + timedelta(seconds=1)},
        {"original": Rendition("https://x.org/3.jpg")}, {"large": first.original},
        {"small": first.original}, {"updated_at": None},
    ):  # fmt: skip
        assert len(await digests(event(first), event(replace(first, **change)))) == 2, change
    undated = event(replace(first, updated_at=None))
    assert isinstance(undated.event, PetEvent)
    pet = replace(undated.event.pet, media_updated_at=AT)
    dated = undated._replace(event=replace(undated.event, pet=pet))
    assert len(await digests(undated, dated)) == 2, (
        "the pet's media time is the version of its picture"
    )
