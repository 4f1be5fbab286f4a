"""One picture: fetched, looked at, made small, stored. What came of it is returned, not written.

Rule 1: a conditional request is made only of the URL that the validators came from, and only while
        everything that was stored of it is there.
Rule 2: the thumbnails are made before anything is stored: what can't be decoded isn't kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from consumers.pictures.http import PictureHosts, Validators
from consumers.pictures.queue import Claim, Outcome, Postponed, Stored
from consumers.pictures.retry_policy import RefusedPictureError
from consumers.pictures.sniff import sniffed
from consumers.pictures.store import PictureStore, key_of
from consumers.pictures.thumbnails import Thumbnailer
from petstream import failpoints


class Workshop(NamedTuple):
    """What a fetch needs."""

    hosts: PictureHosts
    thumbnailer: Thumbnailer
    store: PictureStore
    sizes: Sequence[int]


async def fetched(one: Claim, shop: Workshop) -> Outcome:
    """Fetch a picture, and store it.

    Raises:
        OSError: of the store; the picture is none the worse.
    """
    if one.url is None:
        return RefusedPictureError("no-url")
    if (wait_s := shop.hosts.asked_to_wait_s(one.url)) > 0:
        return Postponed(wait_s)
    try:
        answer = await shop.hosts.fetch(one.url, await _validators(one, shop.store))
        if answer is None:
            return None
        kind = sniffed(answer.data)
        small = await shop.thumbnailer.make(answer.data, shop.sizes)
    except RefusedPictureError as refusal:
        return refusal
    sha256 = hashlib.sha256(answer.data).hexdigest()
    thumbnails = {str(size): key_of(sha256, "jpg", size) for size in shop.sizes}
    failpoints.point("picture.store.before")
    for key, data in zip(thumbnails.values(), small, strict=True):
        await shop.store.put(key, data)
    failpoints.point("picture.thumbnails.stored")
    stored_as = key_of(sha256, kind.suffix)
    await shop.store.put(stored_as, answer.data)
    failpoints.point("picture.store.after")
    return Stored(
        stored_as, thumbnails, sha256, kind.content_type, len(answer.data), kind.width,
        kind.height, answer.validators,
    )  # fmt: skip


async def _validators(one: Claim, store: PictureStore) -> Validators:
    if one.stored_as is None or one.fetched_url != one.url or not any(one.validators):
        return Validators()
    for key in (one.stored_as, *one.thumbnails.values()):
        if not await store.has(key):
            return Validators()
    return one.validators
