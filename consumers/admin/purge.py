"""What a purge deletes (topics and groups, the schema, stored pictures): counted, then deleted.

Rule 1: of Kafka: only the topics that `petstream.topics` declares and the groups of our own parts;
        what somebody else named with the same prefix stays.
Rule 2: of Postgres: the schema as it is, of whatever version: nothing is migrated for it. No
        message holds the database's URL.
Rule 3: of the picture store: what is named after its content, and what a killed process left of
        such a file; anything else in that directory or bucket stays.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from consumers.engine.postgres import TROUBLE, connected, in_words, kind_of
from consumers.engine.queries import query
from consumers.pictures.store.directory import DirectoryStore, directory_of
from consumers.pictures.store.factory import open_store
from consumers.pictures.store.interface import KEY_PATTERN, SHARDS, PictureStore
from consumers.registry import EVERY
from petstream import topics
from petstream.errors import PetstreamError, UnreachableError
from petstream.kafka import groups
from petstream.kafka.admin import topic_names
from petstream.kafka.reader import bounds
from petstream.settings import KafkaAccess

GROUPS: Final = (*EVERY, "ingest")
"""Which groups are ours: the prefix and one of these."""

_DELETED_AT_ONCE: Final = 32
_KEY: Final = re.compile(KEY_PATTERN)
_UNFINISHED: Final = re.compile(rf"{KEY_PATTERN}\.[0-9a-f]{{8}}\.part")


class KafkaContents(NamedTuple):
    """Records by topic (at the most: compaction leaves gaps), and groups."""

    records: dict[str, int]
    groups: list[str]

    def __bool__(self) -> bool:
        """Return whether anything is left."""
        return bool(self.records or self.groups)


class SchemaContents(NamedTuple):
    """Rows by table, views, and the views of others that show our tables."""

    exists: bool
    rows: dict[str, int]
    views: list[str]
    dependents: list[str]

    def __bool__(self) -> bool:
        """Return whether anything is left."""
        return self.exists


async def count_kafka(access: KafkaAccess, prefix: str) -> KafkaContents:
    """Return what there is to delete; raises as aiokafka does.

    Raises:
        InUseError: a group under the prefix has members; the message is its name.
    """
    existing = await topic_names(access)
    under_prefix = await groups.names(access, prefix)
    await groups.check_idle(access, *under_prefix)
    declared = [topic.full_name(prefix) for topic in (*topics.ALL, *topics.TABLES)]
    names = [name for name in declared if name in existing]
    records = dict.fromkeys(names, 0)
    if names:
        for partition, (begin, end) in (await bounds(access, names)).items():
            records[partition.topic] += end - begin
    ours = {f"{prefix}{name}" for name in GROUPS}
    return KafkaContents(records, [name for name in under_prefix if name in ours])


async def count_schema(database_url: str) -> SchemaContents:
    """Return what there is to drop.

    Raises:
        UnreachableError: Postgres is away.
        PetstreamError: it refuses.
    """
    rows: dict[str, int] = {}
    views: list[str] = []
    try:
        async with connected(database_url) as connection:
            exists = await connection.fetchval(query("purge_schema"))
            for relation in await connection.fetch(query("purge_relations")):
                if relation["counting"] is None:
                    views.append(relation["name"])
                else:
                    rows[relation["name"]] = await connection.fetchval(relation["counting"])
            dependents = [row["name"] for row in await connection.fetch(query("purge_dependents"))]
    except TROUBLE as error:
        raise _explained(error) from None  # the cause may name the database's user
    return SchemaContents(bool(exists), rows, views, dependents)


async def drop_schema(database_url: str) -> None:
    """Drop the schema and all that depends on it.

    Raises:
        UnreachableError: Postgres is away, or somebody holds a table for long.
        PetstreamError: it refuses.
    """
    try:
        async with connected(database_url) as connection:
            await connection.execute(query("purge_drop"))
    except TROUBLE as error:
        raise _explained(error) from None  # the cause may name the database's user


def _explained(error: Exception) -> PetstreamError:
    if isinstance(error, PetstreamError):
        return error
    if kind_of(error) == "transient":
        return UnreachableError(in_words(error))
    return PetstreamError(
        f"Postgres refuses ({type(error).__name__}): only the owner of the schema petstream "
        "may drop it; mend the user in PETSTREAM_DATABASE_URL, and run this again"
    )


async def count_pictures(url: str) -> int:
    """Return how many files are ours; raises `OSError` if the store is in trouble."""
    store = open_store(url)
    files = 0
    for shard in SHARDS:
        files += len(await _keys(store, shard))
    if isinstance(store, DirectoryStore):
        files += len(await asyncio.to_thread(_unfinished, directory_of(url)))
    return files


async def delete_pictures(url: str) -> int:
    """Delete what is ours, and return how much that was; raises `OSError` as counting does."""
    store = open_store(url)
    deleted = 0
    for shard in SHARDS:
        keys = await _keys(store, shard)
        for at in range(0, len(keys), _DELETED_AT_ONCE):
            await asyncio.gather(*[store.delete(key) for key in keys[at : at + _DELETED_AT_ONCE]])
        deleted += len(keys)
    if isinstance(store, DirectoryStore):
        deleted += await asyncio.to_thread(_tidy, directory_of(url))
    return deleted


async def _keys(store: PictureStore, shard: str) -> list[str]:
    return [file.key async for file in store.files(shard) if _KEY.fullmatch(file.key)]


def _unfinished(root: Path) -> list[Path]:
    """Return what killed processes left."""
    paths = (path for shard in SHARDS for path in (root / shard).glob("*/*.part"))
    return [path for path in paths if _UNFINISHED.fullmatch(path.relative_to(root).as_posix())]


def _tidy(root: Path) -> int:
    """Delete what killed processes left, then every directory that is empty now."""
    unfinished = _unfinished(root)
    for path in unfinished:
        path.unlink(missing_ok=True)
    for directory in _directories(root):
        with suppress(OSError):  # something of somebody else is in it, or it isn't there
            directory.rmdir()
    return len(unfinished)


def _directories(root: Path) -> Iterator[Path]:
    for shard in SHARDS:
        inner = sorted((root / shard).glob("[0-9a-f][0-9a-f]"))
        yield from (path for path in inner if path.is_dir())
        yield root / shard
    yield root
