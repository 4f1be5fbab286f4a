"""One picture: fetched, sniffed, made small, stored. The outcome is returned, not written.

Rule 1: a conditional request is made only of the URL that the validators came from, and only while
        everything that was stored of it is there.
Rule 2: the thumbnails are made before anything is stored: what can't be decoded isn't kept.
Rule 3: what stands behind the picture's end isn't stored with it.
Rule 4: renditions are asked for in their order until one can be had; which one is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from consumers.pictures.http import PictureClient, Validators
from consumers.pictures.queue import Claim, FetchOutcome, Postponed, RenditionUrl, Stored
from consumers.pictures.retry_policy import (
    RefusedPictureError,
    asks_again,
    asks_for_next,
    weightiest,
)
from consumers.pictures.sniff import sniff
from consumers.pictures.store.interface import PictureStore, key_of
from consumers.pictures.thumbnails import Thumbnailer
from petstream import failpoints


class FetchContext(NamedTuple):
    """What a fetch needs."""

    client: PictureClient
    thumbnailer: Thumbnailer
    store: PictureStore
    sizes: Sequence[int]


async def fetch(claim: Claim, context: FetchContext) -> FetchOutcome:
    """Fetch a picture, and store it.

    Raises:
        OSError: of the store; the picture isn't to blame.
    """
    refusals: list[RefusedPictureError] = []
    for source in claim.urls:
        outcome = await _fetch_rendition(claim, source, context)
        if isinstance(outcome, RefusedPictureError) and asks_again(outcome):
            outcome = await _fetch_rendition(claim, source, context)
        if not isinstance(outcome, RefusedPictureError):
            return outcome
        refusals.append(outcome)
        if not asks_for_next(outcome, claim.attempts):
            break
    return weightiest(refusals)


async def _fetch_rendition(
    claim: Claim, source: RenditionUrl, context: FetchContext
) -> FetchOutcome:
    if (wait_s := context.client.host_wait_s(source.url)) > 0:
        return Postponed(wait_s)
    try:
        validators = await _usable_validators(claim, source.url, context.store)
        download = await context.client.fetch(source.url, validators)
        if download is None:
            return None
        header = sniff(download.data)
        picture = download.data[: header.end]
        thumbnails = await context.thumbnailer.make(picture, context.sizes)
    except RefusedPictureError as refusal:
        return refusal
    sha256 = hashlib.sha256(picture).hexdigest()
    thumbnail_keys = {str(size): key_of(sha256, "jpg", size) for size in context.sizes}
    failpoints.point("picture.store.before")
    for key, data in zip(thumbnail_keys.values(), thumbnails, strict=True):
        await context.store.put(key, data)
    failpoints.point("picture.thumbnails.stored")
    stored_as = key_of(sha256, header.suffix)
    await context.store.put(stored_as, picture)
    failpoints.point("picture.store.after")
    return Stored(
        source=source,
        stored_as=stored_as,
        thumbnails=thumbnail_keys,
        sha256=sha256,
        content_type=header.content_type,
        size_bytes=len(picture),
        width=header.width,
        height=header.height,
        validators=download.validators,
    )


async def _usable_validators(claim: Claim, url: str, store: PictureStore) -> Validators:
    """Return what makes the request conditional; nothing if all must come anew."""
    if claim.stored_as is None or claim.fetched_url != url or not any(claim.validators):
        return Validators()
    for key in (claim.stored_as, *claim.thumbnails.values()):
        if not await store.has(key):
            return Validators()
    return claim.validators
