"""How fresh the feed is, in figures and in words: the first lines of `status`. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from console.inspect import wording
from console.inspect.export_history import Past
from console.inspect.schedule import Schedule, landing, usually
from ingest.state.export_history import MISSED_AFTER


def figures(past: Past, now: datetime, schedule: Schedule) -> dict[str, Any]:
    """Return what `status --json` has under ``feed``; times of the day are New York's."""
    newest = past.newest_completed
    start = None if newest is None else newest.start
    age = None if start is None else now - start
    lands = landing(past.memory.completed.values())
    return {
        "newestExportId": None if newest is None else newest.export_id,
        "ageHours": None if age is None else round(age / timedelta(hours=1), 1),
        "late": age is not None and age > MISSED_AFTER,
        "lateAfterHours": MISSED_AFTER // timedelta(hours=1),
        "lateToday": start is not None and schedule.late(now, start),
        "windowEnds": f"{schedule.last:%H:%M}",
        "usuallyLands": None if lands is None else f"{lands.usual:%H:%M}",
        "latestLanded": None if lands is None else f"{lands.latest:%H:%M}",
        "landingsKnown": 0 if lands is None else lands.exports,
    }


def said(feed: dict[str, Any]) -> Iterator[str]:
    """Return it in words."""
    if feed["newestExportId"] is None:
        yield "Feed: no export was completed yet"
        return
    newest = wording.plain(feed["newestExportId"])
    yield f"Feed: newest completed export {newest}, {feed['ageHours']} h old"
    if feed["late"]:
        yield (
            f"  WARNING: older than {feed['lateAfterHours']} h: a day was missed, or nobody reads "
            "the feed: see whether 'petstream up' or 'ingest' runs, and what it says"
        )
    elif feed["lateToday"]:
        yield f"  today's is late: PETSTREAM_WINDOW ended at {feed['windowEnds']} in New York"
    if feed["usuallyLands"] is not None:
        lands = (feed["usuallyLands"], feed["latestLanded"], feed["landingsKnown"])
        yield f"  {usually(*lands)}"
