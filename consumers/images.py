"""The consumer images: the wanted list of pictures, from pets' events. It fetches nothing.

Rule 1: the list has a guard of its own, so it may be at any distance from the consumer pets.
Rule 2: a picture with the same id and time keeps what is known of it.
Rule 3: removals aren't looked at: the view hides the pictures of pets that aren't listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from consumers.batch import newest
from consumers.kafka import Record
from consumers.postgres import Connection
from consumers.queries import query
from consumers.runner import Consumer
from contracts import codec
from contracts.codec import Envelope
from contracts.events import TYPE_PREFIX, PetEvent
from contracts.model import Picture, Rendition
from contracts.topics import PETS

_REMOVED: Final = f"{TYPE_PREFIX}pet.removed".encode()


def consumer(status: Literal["due", "off"]) -> Consumer[Envelope]:
    """Return the consumer images; `status` is what a picture not yet known is given."""

    async def apply(connection: Connection, envelopes: Sequence[Envelope]) -> None:
        await _apply(connection, envelopes, status)

    return Consumer("images", (PETS,), read, apply)


def read(record: Record) -> Envelope | None:
    """Return a pet's event; None for a removal."""
    if dict(record.headers).get("ce_type") == _REMOVED:
        return None
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
    )
    keys = {row["animal_id"] for row in advanced}
    wanted = [row for one in latest if (key := _key(one)) in keys for row in _rows(one, key)]
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
            )
            for animal_id, picture in wanted
        ],
    )  # fmt: skip


def _rows(envelope: Envelope, key: int) -> list[tuple[int, Picture]]:
    """Return a pet's pictures, each id once."""
    assert isinstance(envelope.event, PetEvent)  # noqa: S101  `read` lets nothing else through
    found: dict[str, Picture] = {}
    for picture in envelope.event.pet.pictures:
        found.setdefault(_picture_key(picture), picture)
    return [(key, found[one]) for one in sorted(found)]


def _picture_key(picture: Picture) -> str:
    """Return what a picture is known by: its id, or its place where the feed gave it none."""
    return str(picture.id) if picture.id is not None else f"position {picture.position}"


def _key(envelope: Envelope) -> int:
    assert isinstance(envelope.event, PetEvent)  # noqa: S101  `read` lets nothing else through
    return envelope.event.animal_id


def _url(rendition: Rendition | None) -> str | None:
    return rendition.url if rendition else None
