"""Which pictures the tables ask for, by what they are known, and when they go."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
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


async def applied(*envelopes: Envelope, accepted: bool = True) -> ScriptedConnection:
    """Apply events as the consumer does."""
    connection = ScriptedConnection(accept_picture_sets=[{"animal_id": 1}] if accepted else [])
    await consumer("file:///pictures").apply(connection, envelopes)  # type: ignore[arg-type]  # just what is asked of it
    return connection


async def wanted(*pictures: Picture) -> list[tuple[str, str | None]]:
    """Return keys and URLs of what is wanted of a pet."""
    connection = await applied(event(*pictures))
    return [(row[1], row[5]) for row in connection.arguments["want_picture"]]


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
        *_, dates = connection.arguments["accept_picture_sets"]
        assert dates == [left_at]


async def test_of_a_batch_the_newest_event_counts_and_what_is_held_may_be_newer() -> None:
    older, newer = picture(5, "https://x.org/old.jpg"), picture(5, "https://x.org/new.jpg")
    connection = await applied(event(newer, sequence=9), event(older, sequence=8))
    (row,) = connection.arguments["want_picture"]
    assert row[5] == "https://x.org/new.jpg"
    assert connection.arguments["drop_pictures"] == ([1], [1], ["5"])
    refused = await applied(event(older), accepted=False)
    assert refused.arguments["want_picture"] == ()
    assert refused.arguments["drop_pictures"] == ([], [], [])
