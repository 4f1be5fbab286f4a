"""Rows of the feed's shape, made here: every key, every scalar a string."""

from __future__ import annotations

from typing import Any

import msgspec

from ingest.parse.rows import Row
from petstream.fields import fields_of
from petstream.model import Organization, Pet

_FILLED = {
    "animalID": "22611034", "orgID": "701", "status": "Available", "lastUpdated": "1755230411",
    "rescueID": "A-19", "name": "Biscuit &amp; Jam ", "species": "Dog",
    "breed": "Labrador Retriever / Mixed", "primaryBreed": "Labrador Retriever", "sex": "Female",
    "mixed": "Yes", "dogs": "Yes", "kids": "No", "declawed": "No", "housetrained": "Yes",
    "age": "Baby", "birthdate": "2026-01-31", "specialNeeds": "No", "size": "Large",
    "sizeCurrent": "0", "sizePotential": "45.5", "sizeUOM": "Pounds", "uptodate": "Yes",
    "courtesy": "No", "found": "No", "animalLocation": "02134", "adoptionFee": "250",
    "description": '<div class="rgDescription">Hello</div>', "descriptionPlain": "Hello",
    "trackerImageUrl": "https://tracker.rescuegroups.org/pet?22611034&a=&h=",
    "oKWithAdults": "Yes", "leashtrained": "Yes", "contactName": "Jo", "contactEmail": "jo@x.org",
    "mediaLastUpdated": "1755230400", "messagePet": "Yes", "needsFoster": "No",
}  # fmt: skip


def picture(media_id: int, order: int, updated: str = "1755230400") -> dict[str, Any]:
    """Return a picture of the feed's shape."""
    url = f"https://pictures.example/701/pictures/animals/22611/22611034/{media_id}"
    sizes = {"original": 1600, "large": 500, "small": 100}
    inner = {
        name: {
            "fileSize": "45083", "resolutionX": str(size), "resolutionY": str(size),
            "url": f"{url}_{size}x{size}.jpg",
        }
        for name, size in sizes.items()
    }  # fmt: skip
    return {
        "originalUrl": inner["original"]["url"], "largeUrl": inner["large"]["url"],
        "smallUrl": inner["small"]["url"], "fullsizeUrl": inner["large"]["url"],
        "thumbnailUrl": inner["small"]["url"], "mediaID": str(media_id),
        "mediaOrder": str(order), "lastUpdated": updated, **inner,
    }  # fmt: skip


def pet_row(animal_id: int = 22611034, **changes: Any) -> dict[str, Any]:
    """Return a pet row with all 105 keys."""
    row: dict[str, Any] = {field.feed_name: "" for field in fields_of(Pet)}
    row |= _FILLED | {"videos": [], "videoUrls": [], "pictures": [picture(102900001, 1)]}
    return row | {"animalID": str(animal_id)} | changes


def org_row(org_id: int = 701, **changes: Any) -> dict[str, Any]:
    """Return an organisation row with all 22 keys."""
    row: dict[str, Any] = {field.feed_name: "" for field in fields_of(Organization)}
    row |= {
        "status": "Available", "name": "Paws", "state": " tx ", "zip": "02134",
        "orgurl": "http://", "orgType": "Rescue", "orgSpecies": "Dogs Only",
        "allowAppSubmissions": "No", "messageOrg": "Yes",
    }  # fmt: skip
    return row | {"orgID": str(org_id)} | changes


def framed(*rows: dict[str, Any] | bytes) -> list[Row]:
    """Return rows as the framer gives them."""
    pieces, offset = [], 0
    for number, row in enumerate(rows, start=1):
        raw = row if isinstance(row, bytes) else msgspec.json.encode(row)
        pieces.append(Row(number, offset, raw))
        offset += len(raw) + 1
    return pieces
