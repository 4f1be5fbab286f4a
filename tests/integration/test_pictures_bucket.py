"""Pictures in a bucket: needs a server that speaks S3, named by PETSTREAM_TEST_S3.

For example `moto_server -p 5566`, and PETSTREAM_TEST_S3=http://127.0.0.1:5566.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from urllib.request import Request, urlopen

import pytest

from consumers.picture_bucket import BucketStore
from consumers.picture_store import SHARDS, key_of

SERVER = os.environ.get("PETSTREAM_TEST_S3", "")
pytestmark = pytest.mark.skipif(not SERVER, reason="PETSTREAM_TEST_S3 names no S3 server")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> BucketStore:
    bucket = f"pictures-{secrets.token_hex(4)}"
    with urlopen(Request(f"{SERVER}/{bucket}", method="PUT"), timeout=10):  # noqa: S310  the tester's own
        pass
    for name, value in {
        "AWS_ENDPOINT_URL": SERVER, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return BucketStore(f"s3://{bucket}/some/prefix")


async def test_t37_a_bucket_keeps_what_a_directory_does(store: BucketStore) -> None:
    """T37: put, looked for, listed by shard with its age, dropped."""
    data = b"\xff\xd8\xff picture"
    sha256 = hashlib.sha256(data).hexdigest()
    keys = {key_of(sha256, "jpg"), key_of(sha256, "jpg", 320)}
    for key in sorted(keys):
        await store.put(key, data)
        await store.put(key, data)
    assert await store.get(key_of(sha256, "jpg")) == data
    assert await store.has(key_of(sha256, "jpg", 320))
    assert not await store.has(key_of("0" * 64, "jpg"))
    kept = {one.key: one.age_s async for one in store.kept(f"{sha256[:2]}/")}
    assert set(kept) == keys
    assert max(kept.values()) < 60
    others = [one for one in SHARDS if one != f"{sha256[:2]}/"][:3]
    assert [one for shard in others async for one in store.kept(shard)] == []
    for key in [*keys, *keys]:
        await store.drop(key)
    assert [one async for one in store.kept(f"{sha256[:2]}/")] == []


@pytest.mark.usefixtures("store")
async def test_trouble_with_the_server_is_an_oserror_that_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    away = BucketStore("s3://there-is-no-such-bucket/p")
    with pytest.raises(OSError, match="the picture store") as error:
        await away.put(key_of("ab" * 32, "jpg"), b"x")
    assert "canary" not in f"{error.value!r}"
