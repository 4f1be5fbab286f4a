"""The consumer images: the wanted list of pictures, from pets' events. It fetches nothing.

Rule 1: the list has a guard of its own, so it may be at any distance from the consumer pets.
Rule 2: a picture with the same id and time keeps what is known of it, whatever its name and URL.
Rule 3: without an id the file's name is its identity; without a time the pet's media time is its.
Rule 4: a removal holds the pet's last set, and only dates it: it goes when a grace time is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from consumers.engine.batch import newest
from consumers.engine.postgres import Connection
from consumers.engine.queries import query
from consumers.engine.runner import Consumer
from consumers.engine.subscription import Record
from consumers.registry import CONSUMERS
from petstream import codec
from petstream.codec import Envelope
from petstream.events import PetEvent
from petstream.model import Picture, Rendition

STATUSES: Final = ("due", "stored", "failed", "gone", "off")
"""What a picture on the list may be."""


def consumer(status: Literal["due", "off"]) -> Consumer[Envelope]:
    """Return the consumer images; `status` is what a picture not yet known is given."""

    async def apply(connection: Connection, envelopes: Sequence[Envelope]) -> None:
        await _apply(connection, envelopes, status)

    return Consumer("images", CONSUMERS["images"].topics, read, apply)


def read(record: Record) -> Envelope | None:
    """Return a pet's event."""
    envelope = codec.decode(record.headers, record.value)
    return envelope if isinstance(envelope.event, PetEvent) else None


async def _apply(connection: Connection, envelopes: Sequence[Envelope], status: str) -> None:
    latest = newest(envelopes, key=_key, rank=lambda one: (one.sequence, one.digest))
    if not latest:
        return
    advanced = await connection.fetch(
        query("accept_picture_sets"),
        [_key(one) for one in latest],
        [one.sequence for one in latest],
        [one.digest for one in latest],
        [one.export_id for one in latest],
        [one.time if _has_left(one) else None for one in latest],
    )
    keys = {row["animal_id"] for row in advanced}
    wanted = [row for one in latest if (key := _key(one)) in keys for row in _rows(one, key)]
    media = {_key(one): _event(one).pet.media_updated_at for one in latest}
    await connection.execute(
        query("drop_pictures"),
        sorted(keys),
        [animal_id for animal_id, _ in wanted],
        [_picture_key(picture) for _, picture in wanted],
    )
    await connection.executemany(
        query("want_picture"),
        [
            (
                animal_id, _picture_key(picture), picture.id, picture.position, picture.updated_at,
                _url(picture.original), _url(picture.large), _url(picture.small), status,
                picture.updated_at or media[animal_id],
            )
            for animal_id, picture in wanted
        ],
    )  # fmt: skip


def _rows(envelope: Envelope, key: int) -> list[tuple[int, Picture]]:
    """Return a pet's pictures, each id once."""
    found: dict[str, Picture] = {}
    for picture in _event(envelope).pet.pictures:
        found.setdefault(_picture_key(picture), picture)
    return [(key, found[one]) for one in sorted(found)]


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


def _has_left(envelope: Envelope) -> bool:
    return _event(envelope).op == "removed"


def _key(envelope: Envelope) -> int:
    return _event(envelope).animal_id


def _event(envelope: Envelope) -> PetEvent:
    assert isinstance(envelope.event, PetEvent)  # noqa: S101  `read` lets nothing else through
    return envelope.event


def _url(rendition: Rendition | None) -> str | None:
    return rendition.url if rendition else None
