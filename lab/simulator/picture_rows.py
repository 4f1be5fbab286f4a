"""The `pictures` of a simulated pet.

Rule 1: a media id belongs to one pet for ever: its ordinal leaves room for 64.
Rule 2: a picture's bytes follow from media id, width and height alone (also the declared fileSize,
        which the picture server keeps to the byte), so rows and server need no common memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.simulator import vocabulary

if TYPE_CHECKING:
    from random import Random

    from lab.simulator.shapes import Row

FIRST_MEDIA_ID = 98_000_000
MEDIA_IDS_PER_PET = 64
MOST_PICTURES = 25
LARGE_WIDTH = 500
SMALL_WIDTH = 100

_SIZES, _SIZE_WEIGHTS = zip(*vocabulary.PICTURE_SIZES, strict=True)
_COUNTS, _COUNT_WEIGHTS = zip(*vocabulary.PICTURE_COUNTS, strict=True)


def first_pictures(  # noqa: PLR0913 - all by name: whose, where and when
    rng: Random, *, base_url: str, org_id: int, animal_id: int, ordinal: int, at: int
) -> list[Row]:
    """The pictures a pet begins with, uploaded in the minute before `at` (epoch seconds)."""
    count = rng.choice(rng.choices(_COUNTS, _COUNT_WEIGHTS)[0])
    return [
        picture(
            rng,
            address=folder_url(base_url, org_id, animal_id),
            media_id=media_id(ordinal, number),
            order=number + 1,
            at=at - count + number,
        )
        for number in range(count)
    ]


def media_id(ordinal: int, number: int) -> int:
    """The id of a pet's picture: numbers 0-31 are there from the start, 32-63 come by edits."""
    return FIRST_MEDIA_ID + ordinal * MEDIA_IDS_PER_PET + number % MEDIA_IDS_PER_PET


def folder_url(base_url: str, org_id: int, animal_id: int) -> str:
    """Where a pet's pictures are."""
    return f"{base_url}/{org_id}/pictures/animals/{animal_id // 1000}/{animal_id}"


def picture(rng: Random, *, address: str, media_id: int, order: int, at: int) -> Row:
    """One element in the feed's shape: the original, 500 wide, 100 wide, and the legacy aliases."""
    width, height = rng.choices(_SIZES, _SIZE_WEIGHTS)[0]
    original = _file(address, media_id, width, height)
    large = _file(address, media_id, LARGE_WIDTH, height * LARGE_WIDTH // width)
    small = _file(address, media_id, SMALL_WIDTH, height * SMALL_WIDTH // width)
    return {
        "originalUrl": original["url"],
        "largeUrl": large["url"],
        "smallUrl": small["url"],
        "fullsizeUrl": large["url"],
        "thumbnailUrl": small["url"],
        "mediaID": str(media_id),
        "mediaOrder": str(order),
        "lastUpdated": str(at),
        "original": original,
        "large": large,
        "small": small,
    }


def file_bytes(media_id: int, width: int, height: int) -> int:
    """How large the JPEG of that size is: 2-4 kB the small one, 15-60 kB the large one."""
    return 2_000 + width * height * (80 + media_id % 97) // 1_000


def _file(address: str, media_id: int, width: int, height: int) -> Row:
    return {
        "fileSize": str(file_bytes(media_id, width, height)),
        "resolutionX": str(width),
        "resolutionY": str(height),
        "url": f"{address}/{media_id}_{width}x{height}.jpg",
    }
