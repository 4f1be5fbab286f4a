"""The store and the list kept in step: once a day, by one process.

Rule 1: pictures of a pet that left go when the grace time is over; until then it may come back.
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
from consumers.pictures.store import SHARDS, PictureStore, StoreTroubleError

GRACE: Final = timedelta(days=30)
_EVERY: Final = timedelta(days=1)
_ORPHAN_S: Final = 86_400.0
_MOST_LOST: Final = 5_000

_log = logging.getLogger(__name__)


class Swept(NamedTuple):
    """What a sweep did."""

    dropped: int
    lost: int


async def sweep_in_turn(connection: Connection, store: PictureStore) -> None:
    """Sweep if it is time to, and say what came of it; a store in trouble is left for tomorrow."""
    try:
        swept = await sweep_if_due(connection, store)
    except StoreTroubleError as trouble:
        _log.warning("the pictures weren't swept, and will be tomorrow: %s", trouble)
    else:
        if swept is not None:
            _log.info("pictures swept: %d dropped, %d lost", *swept)


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
    await connection.execute(query("drop_pictures_of_departed"), grace)
    dropped = lost = 0
    for shard in SHARDS:
        kept = {one.key: one.age_s async for one in store.kept(shard)}
        rows = await connection.fetch(query("stored_keys"), shard)
        named = {row["stored_as"]: _thumbnails(row["thumbnails"]) for row in rows}
        wanted = set(named).union(*named.values())
        for key in _orphans(kept, wanted, orphan_s):
            await store.drop(key)
            dropped += 1
        missing = [key for key, small in named.items() if not {key, *small} <= kept.keys()]
        gone = [key for key in missing if not await _all_there(store, {key, *named[key]})]
        if gone and lost < _MOST_LOST:
            await connection.execute(query("want_lost_pictures"), gone[: _MOST_LOST - lost])
            lost += len(gone)
    return Swept(dropped, lost)


def _orphans(kept: dict[str, float], wanted: set[str], orphan_s: float) -> Iterable[str]:
    return [key for key, age_s in kept.items() if key not in wanted and age_s >= orphan_s]


async def _all_there(store: PictureStore, keys: set[str]) -> bool:
    """Look once more: it may have come after the shard was listed."""
    return all([await store.has(key) for key in sorted(keys)])


def _thumbnails(value: Any) -> set[str]:
    return set((json.loads(value) if isinstance(value, str) else value or {}).values())
