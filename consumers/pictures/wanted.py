"""The consumer images: the wanted list of pictures, from pets' events. It fetches nothing.

Rule 1: the list has a guard of its own, so it may be at any distance from the consumer pets.
Rule 2: a picture with the same id and time keeps what is known of it, whatever its name and URL.
Rule 3: without an id the file's name is its identity; without a time the pet's media time is its.
Rule 4: a newer event that asks for the same pictures leaves them alone; an equal one doesn't, so
        that a replay mends the list.
Rule 5: a removal holds the pet's last set, and only dates it: it goes when a grace time is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from consumers.engine.batch import newest
from consumers.engine.postgres import Connection
from consumers.engine.queries import query
from consumers.engine.runner import Consumer
from consumers.registry import CONSUMERS
from petstream import codec
from petstream.codec import Envelope
from petstream.events import PetEvent
from petstream.kafka.records import ConsumerRecord
from petstream.model import Picture, Rendition

STATUSES: Final = ("due", "stored", "failed", "gone", "off")
"""What a picture on the list may be."""


class WantedPicture(Struct, frozen=True, gc=False):
    """A picture as the list has it; `want_pictures` reads it by these names."""

    animal_id: int
    picture_key: str
    picture_id: int | None
    position: int
    updated_at: datetime | None
    original_url: str | None
    large_url: str | None
    small_url: str | None
    version: datetime | None


def consumer(pictures: str | None) -> Consumer[Envelope]:
    """Return the consumer images.

    Args:
        pictures: the setting `PETSTREAM_PICTURES`; "off" lists pictures that nobody is to fetch.
    """
    status: Literal["due", "off"] = "off" if pictures == "off" else "due"

    async def apply(connection: Connection, envelopes: Sequence[Envelope]) -> None:
        await _apply(connection, envelopes, status)

    return Consumer("images", CONSUMERS["images"].topics, read, apply)


def read(record: ConsumerRecord) -> Envelope | None:
    """Return a pet's event."""
    envelope = codec.decode(record.headers, record.value)
    return envelope if isinstance(envelope.event, PetEvent) else None


async def _apply(connection: Connection, envelopes: Sequence[Envelope], status: str) -> None:
    latest = newest(
        envelopes,
        key=_animal_id,
        rank=lambda envelope: (envelope.sequence, envelope.digest),
    )
    if not latest:
        return
    sets = {_animal_id(envelope): _pictures(_event(envelope)) for envelope in latest}
    accepted = await connection.fetch(
        query("accept_picture_sets"),
        list(sets),
        [envelope.sequence for envelope in latest],
        [envelope.digest for envelope in latest],
        [envelope.export_id for envelope in latest],
        [envelope.time if _is_removal(envelope) else None for envelope in latest],
        [codec.digest(codec.encode(pictures)) for pictures in sets.values()],
    )
    asks_for = {row["animal_id"]: row["asks_for"] for row in accepted}
    others = [each for each in latest if asks_for.get(_animal_id(each)) == "other"]
    if others:
        kept = [picture for each in others for picture in sets[_animal_id(each)]]
        await connection.execute(
            query("drop_pictures"),
            [_animal_id(envelope) for envelope in others],
            [envelope.sequence for envelope in others],
            [envelope.export_id for envelope in others],
            [picture.animal_id for picture in kept],
            [picture.picture_key for picture in kept],
        )
    asking = [each for each in sets if asks_for.get(each, "same") != "same"]
    wanted = [picture for animal_id in asking for picture in sets[animal_id]]
    if wanted:
        await connection.execute(query("want_pictures"), codec.encode(wanted).decode(), status)


def _pictures(event: PetEvent) -> list[WantedPicture]:
    """Return a pet's pictures ordered by their keys, the first of each key."""
    pictures: dict[str, Picture] = {}
    for picture in event.pet.pictures:
        pictures.setdefault(_picture_key(picture), picture)
    return [
        WantedPicture(
            event.animal_id, key, picture.id, picture.position, picture.updated_at,
            _url(picture.original), _url(picture.large), _url(picture.small),
            picture.updated_at or event.pet.media_updated_at,
        )
        for key, picture in sorted(pictures.items(), key=lambda entry: entry[0])
    ]  # fmt: skip


def _picture_key(picture: Picture) -> str:
    """Return what a picture is known by: its id, else its file's name, else its place."""
    if picture.id is not None:
        return str(picture.id)
    url = _url(picture.original) or _url(picture.large) or _url(picture.small) or ""
    name = _file_name(url)
    return f"name {name}" if name else f"position {picture.position}"


def _file_name(url: str) -> str:
    try:
        return unquote(urlsplit(url).path).rpartition("/")[2][:200].replace("\0", "")
    except ValueError:
        return ""


def _is_removal(envelope: Envelope) -> bool:
    return _event(envelope).op == "removed"


def _animal_id(envelope: Envelope) -> int:
    return _event(envelope).animal_id


def _event(envelope: Envelope) -> PetEvent:
    assert isinstance(envelope.event, PetEvent)  # noqa: S101  `read` lets nothing else through
    return envelope.event


def _url(rendition: Rendition | None) -> str | None:
    return rendition.url if rendition else None
