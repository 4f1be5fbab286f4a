"""The only door to obstore: pictures in a bucket of S3 or of what speaks like it.

Rule 1: access comes from the environment, as S3's own tools read it (`AWS_ACCESS_KEY_ID`, …,
        `AWS_ENDPOINT_URL` for another server than Amazon's); no message holds any of it.
Rule 2: an object is whole or not there: S3 sees to that.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from consumers.picture_store import Kept

T = TypeVar("T")

_TYPES: Final = {
    "jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp",
}  # fmt: skip


class BucketStore:
    """Pictures in a bucket."""

    def __init__(self, url: str) -> None:
        """Keep pictures under ``s3://bucket/prefix``."""
        parts = urlsplit(url)
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        self._store = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            client_options={"allow_http": endpoint.startswith("http://"), "timeout": "60s"},
            retry_config={"max_retries": 3},
        )

    async def put(self, key: str, data: bytes) -> None:
        """Keep bytes; durable when this returns."""
        kind = _TYPES[key.rpartition(".")[2]]
        await _told(
            obstore.put_async(self._store, key, data, attributes={"Content-Type": kind})
        )  # fmt: skip

    async def has(self, key: str) -> bool:
        """Tell whether there is such a key."""
        try:
            await _told(obstore.head_async(self._store, key))
        except FileNotFoundError:
            return False
        return True

    async def get(self, key: str) -> bytes:
        """Return what was put."""
        answer = await _told(obstore.get_async(self._store, key))
        return bytes(await _told(answer.bytes_async()))

    async def kept(self, shard: str) -> AsyncIterator[Kept]:
        """Walk the keys that begin with a shard."""
        now = datetime.now(UTC)
        try:
            async for some in obstore.list(self._store, shard.rstrip("/")):
                for one in some:
                    yield Kept(one["path"], (now - one["last_modified"]).total_seconds())
        except BaseError as error:
            raise OSError(f"the picture store: {type(error).__name__}") from None

    async def drop(self, key: str) -> None:
        """Keep it no longer; harmless if it isn't there."""
        try:
            await _told(obstore.delete_async(self._store, key))
        except FileNotFoundError:
            return


async def _told(work: Coroutine[Any, Any, T]) -> T:
    """Await what may fail, as `OSError` that says nothing of keys."""
    try:
        return await work
    except (NotFoundError, FileNotFoundError):
        raise FileNotFoundError("the picture store has no such key") from None
    except BaseError as error:
        raise OSError(f"the picture store: {type(error).__name__}") from None
