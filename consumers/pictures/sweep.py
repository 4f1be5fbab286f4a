"""The store and the list kept in step: once a day, by one process.

Rule 1: a removed pet's pictures go when the grace time is over; until then it may come back.
Rule 2: a file that no row names goes once it is a day old: a worker may just have written it.
Rule 3: a row whose file isn't there is fetched again; some thousand a day, so that a store that
        was lost doesn't take the picture host with it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final, NamedTuple

from consumers.engine.postgres import Connection
from consumers.engine.queries import query
from consumers.pictures.store.interface import SHARDS, PictureStore, StoreTroubleError

GRACE: Final = timedelta(days=30)
_EVERY: Final = timedelta(days=1)
_ORPHAN_S: Final = 86_400.0
_MAX_LOST: Final = 5_000

_log = logging.getLogger(__name__)


class Swept(NamedTuple):
    """How many files a sweep deleted, and how many rows had lost theirs."""

    dropped: int
    lost: int


async def sweep_in_turn(connection: Connection, store: PictureStore) -> None:
    """Sweep if it is time to, and log the result; a store in trouble is left for tomorrow."""
    try:
        swept = await sweep_if_due(connection, store)
    except StoreTroubleError as trouble:
        _log.warning("the pictures weren't swept, and will be tomorrow: %s", trouble)
    else:
        if swept is not None:
            _log.info("pictures swept: %d dropped, %d lost", swept.dropped, swept.lost)


async def sweep_if_due(connection: Connection, store: PictureStore) -> Swept | None:
    """Sweep, unless somebody did within the last day."""
    if await connection.fetchval(query("begin_sweep"), _EVERY) is None:
        return None
    return await sweep(connection, store)


async def sweep(
    connection: Connection,
    store: PictureStore,
    *,
    grace: timedelta = GRACE,
    orphan_s: float = _ORPHAN_S,
) -> Swept:
    """Compare the whole store with the list, and mend both."""
    await connection.execute(query("drop_pictures_of_removed_pets"), grace)
    dropped = lost = 0
    for shard in SHARDS:
        ages_s = {file.key: file.age_s async for file in store.files(shard)}
        rows = await connection.fetch(query("stored_keys"), shard)
        named = {row["stored_as"]: _thumbnails(row["thumbnails"]) for row in rows}
        wanted = set(named).union(*named.values())
        for key in _orphans(ages_s, wanted, orphan_s):
            await store.delete(key)
            dropped += 1
        unlisted = [
            key for key, thumbnails in named.items() if not {key, *thumbnails} <= ages_s.keys()
        ]
        missing = [key for key in unlisted if not await _all_there(store, {key, *named[key]})]
        if missing and lost < _MAX_LOST:
            await connection.execute(query("want_lost_pictures"), missing[: _MAX_LOST - lost])
            lost += len(missing)
    return Swept(dropped, lost)


def _orphans(ages_s: dict[str, float], wanted: set[str], orphan_s: float) -> Iterable[str]:
    return [key for key, age_s in ages_s.items() if key not in wanted and age_s >= orphan_s]


async def _all_there(store: PictureStore, keys: set[str]) -> bool:
    """Ask once more: it may have come after the shard was listed."""
    return all([await store.has(key) for key in sorted(keys)])


def _thumbnails(value: Any) -> set[str]:
    return set((json.loads(value) if isinstance(value, str) else value or {}).values())
