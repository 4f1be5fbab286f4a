"""The only door to obstore: pictures in a bucket of S3 or of what speaks like it.

Rule 1: access comes from the environment, as S3's own tools read it (`AWS_ACCESS_KEY_ID`, …,
        `AWS_ENDPOINT_URL` for another server than Amazon's); no message holds any of it.
Rule 2: an object is whole or not there: S3 sees to that.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import (
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from consumers.pictures.store.interface import StoredFile, StoreTroubleError, content_type

T = TypeVar("T")

_CODE: Final = re.compile(r"<Code>(\w{1,60})</Code>")
_DENIED: Final = re.compile(r"status code: (?:401|403)\b")
_METADATA: Final = "//169.254."
"""Where obstore asks for a key if the environment has none."""


class BucketStore:
    """Pictures in a bucket."""

    def __init__(self, url: str) -> None:
        """Store pictures under ``s3://bucket/prefix``."""
        parts = urlsplit(url)
        self._bucket = parts.netloc
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        self._store = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            client_options={"allow_http": endpoint.startswith("http://"), "timeout": "60s"},
            retry_config={"max_retries": 3},
        )

    async def put(self, key: str, data: bytes) -> None:
        """Store bytes; durable when this returns."""
        attributes = {"Content-Type": content_type(key)}
        await self._explaining(obstore.put_async(self._store, key, data, attributes=attributes))

    async def has(self, key: str) -> bool:
        """Return whether there is such a key."""
        try:
            await self._explaining(obstore.head_async(self._store, key))
        except FileNotFoundError:
            return False
        return True

    async def get(self, key: str) -> bytes:
        """Return what was put; raises `FileNotFoundError` if there is no such key."""
        response = await self._explaining(obstore.get_async(self._store, key))
        return bytes(await self._explaining(response.bytes_async()))

    async def files(self, shard: str) -> AsyncIterator[StoredFile]:
        """List the files whose keys begin with a shard."""
        now = datetime.now(UTC)
        try:
            async for page in obstore.list(self._store, shard.rstrip("/")):
                for entry in page:
                    age_s = (now - entry["last_modified"]).total_seconds()
                    yield StoredFile(entry["path"], age_s)
        except (BaseError, FileNotFoundError) as error:
            raise self._trouble(error) from None

    async def delete(self, key: str) -> None:
        """Delete a key; harmless if it isn't there."""
        try:
            await self._explaining(obstore.delete_async(self._store, key))
        except FileNotFoundError:
            return

    async def _explaining(self, request: Coroutine[Any, Any, T]) -> T:
        """Await a request that may fail; its error says nothing of keys and secrets."""
        try:
            return await request
        except (NotFoundError, FileNotFoundError) as error:
            if "NoSuchBucket" in str(error):
                raise self._trouble(error) from None
            raise FileNotFoundError("the picture store has no such key") from None
        except BaseError as error:
            raise self._trouble(error) from None

    def _trouble(self, error: Exception) -> StoreTroubleError:
        text = str(error)
        match = _CODE.search(text)
        code = match[1] if match else type(error).__name__
        bucket = f"the bucket {self._bucket}"
        if code == "NoSuchBucket":
            mend = "make it, or mend PETSTREAM_PICTURES (and AWS_REGION, AWS_ENDPOINT_URL)"
            return StoreTroubleError(f"{bucket} doesn't exist", mend, lasting=True)
        if _METADATA in text:
            mend = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            return StoreTroubleError(f"there is no key for {bucket}", mend, lasting=True)
        if isinstance(error, PermissionDeniedError | UnauthenticatedError) or _DENIED.search(text):
            mend = "see to AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what they may do"
            return StoreTroubleError(f"{bucket} refuses access ({code})", mend, lasting=True)
        mend = "see to the server of AWS_ENDPOINT_URL, or Amazon's"
        return StoreTroubleError(f"{bucket} can't be used ({code})", mend)
