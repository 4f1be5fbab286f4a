"""The store that `PETSTREAM_PICTURES` names, opened and put to the test."""

from __future__ import annotations

import hashlib
import secrets

from consumers.pictures.store.directory import DirectoryStore, directory_of
from consumers.pictures.store.interface import PictureStore, StoreTroubleError, key_of
from petstream.errors import UsageError


def open_store(url: str) -> PictureStore:
    """Return the store of a ``file:`` or ``s3:`` URL; nothing is asked of it yet."""
    if url.startswith("s3:"):
        try:
            from consumers.pictures.store.s3 import BucketStore  # noqa: PLC0415  where it is used
        except ModuleNotFoundError as error:
            raise UsageError(
                "pictures in a bucket need the package obstore: pip install 'petstream[s3]', "
                "or set PETSTREAM_PICTURES to a directory"
            ) from error

        return BucketStore(url)
    return DirectoryStore(directory_of(url))


async def probe(store: PictureStore) -> None:
    """Put something small, get it, and delete it again; raises what keeps it from that."""
    data = secrets.token_bytes(32)
    key = key_of(hashlib.sha256(data).hexdigest(), "jpg")
    await store.put(key, data)
    try:
        if await store.get(key) != data:
            raise StoreTroubleError(
                "the picture store gives back something else than was put", "see to its server"
            )
    finally:
        await store.delete(key)
